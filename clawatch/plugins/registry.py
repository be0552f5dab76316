"""What the plugins contribute, by section and name, and what became of each plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clawatch.apis.routes import Api
from clawatch.hookspecs import Job, Vocabulary
from clawatch.ports import Connection, Contribution, Controller, Enricher, Notifier, RuleType, StoreType

if TYPE_CHECKING:
    import click

T = TypeVar("T")


class PluginState(StrEnum):
    LOADED = "loaded"
    DISABLED = "disabled"
    """By the configuration; not even imported."""
    BROKEN = "broken"
    DUPLICATE = "duplicate"
    """Its name, or the name of something it provides, was taken before."""
    REFUSED = "refused"
    """Lies where others than the operator could have written it."""
    MISSING_EXTRA = "missing-extra"
    """Needs a library that is not installed."""


@dataclass(frozen=True)
class PluginReport:
    """One line about one plugin."""

    name: str
    origin: str
    """The distribution's name, or the path of a loose file."""
    version: str = ""
    hooks: tuple[str, ...] = ()
    """The sections it contributes to: ``rules``, ``apis`` …"""
    state: PluginState = PluginState.LOADED
    detail: str = ""

    @property
    def is_well(self) -> bool:
        return self.state in (PluginState.LOADED, PluginState.DISABLED)


@dataclass(frozen=True)
class Provided(Generic[T]):
    """A part, and the plugin it came from."""

    part: T
    plugin: str
    is_official: bool


@dataclass(frozen=True)
class Registry:
    """Everything there is to use. Filled once, by ``collect``; names are unique within a section."""

    stores: Mapping[str, Provided[StoreType]] = field(default_factory=dict)
    sources: Mapping[str, Provided[Contribution[Any]]] = field(default_factory=dict)
    vocabularies: tuple[Vocabulary, ...] = ()
    """In order of registration, the order in which they are asked."""
    rules: Mapping[str, Provided[RuleType]] = field(default_factory=dict)
    notifiers: Mapping[str, Provided[Contribution[Notifier]]] = field(default_factory=dict)
    controllers: Mapping[str, Provided[Contribution[Controller]]] = field(default_factory=dict)
    apis: Mapping[str, Provided[Contribution[Api]]] = field(default_factory=dict)
    enrichers: Mapping[str, Provided[Contribution[Enricher]]] = field(default_factory=dict)
    jobs: Mapping[str, Provided[Job]] = field(default_factory=dict)
    connections: Mapping[str, Provided[Connection]] = field(default_factory=dict)
    commands: Mapping[str, Provided[click.Command]] = field(default_factory=dict)
    reports: tuple[PluginReport, ...] = ()

    def report(self, plugin: str) -> PluginReport | None:
        """The plugin of this name; of two, the one that is used."""
        return next((report for report in self.reports if report.name == plugin), None)
