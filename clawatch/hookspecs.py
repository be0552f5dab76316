"""The contract with plugins, in one file.

A plugin is a module (or object) that implements some of these hooks with ``@hookimpl`` and is named by an
entry point in the group ``clawatch``. Hooks are called once each, at start, to collect what a plugin
contributes; they must return at once and touch nothing. What they return are descriptions with a factory
``open(settings, core)`` that gives an async context manager; the daemon opens those it uses in order and
closes them in reverse. One contribution that cannot be collected or opened never stops the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from clawatch.apis.routes import Api
from clawatch.domain.time import Millis
from clawatch.ports import (
    Connection,
    Contribution,
    Controller,
    Core,
    Enricher,
    Notifier,
    RuleType,
    StoreType,
    Vocabulary,
)

if TYPE_CHECKING:
    import click

__all__ = ["PROJECT", "Hooks", "Job", "Vocabulary", "hookimpl", "hookspec"]

PROJECT = "clawatch"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Job:
    """A calendar job: every ``period``, or daily at HH:MM."""

    name: str
    run: Callable[[Core], Awaitable[None]]
    period: Millis | None = None
    daily_at: str | None = None


class Hooks:
    """Every hook. All are optional; each returns a list."""

    @hookspec
    def register_stores(self) -> list[StoreType]:
        """Stores, by the name that ``storage.use`` gives. Only the one in use is opened, first of all."""
        raise NotImplementedError

    @hookspec
    def register_sources(self) -> list[Contribution[Any]]:
        """Sources that fetch or tail by themselves and hand what they read to ``core.ingest``; see ``ports.Source``."""
        raise NotImplementedError

    @hookspec
    def register_vocabularies(self) -> list[Vocabulary]:
        """Vocabularies for the OpenTelemetry door, asked in order of registration."""
        raise NotImplementedError

    @hookspec
    def register_rules(self) -> list[RuleType]:
        """Rules. Official ones run unless disabled; a third party's only when the configuration names it."""
        raise NotImplementedError

    @hookspec
    def register_notifiers(self) -> list[Contribution[Notifier]]:
        """Kinds of notifier. One is opened for each entry of ``notifiers:`` that uses it."""
        raise NotImplementedError

    @hookspec
    def register_controllers(self) -> list[Contribution[Controller]]:
        """Ways to carry commands to agents."""
        raise NotImplementedError

    @hookspec
    def register_apis(self) -> list[Contribution[Api]]:
        """API doors: routes with their access rules, and the envelope their errors go in."""
        raise NotImplementedError

    @hookspec
    def register_enrichers(self) -> list[Contribution[Enricher]]:
        """What completes an event before it is stored, in order of registration."""
        raise NotImplementedError

    @hookspec
    def register_jobs(self) -> list[Job]:
        """Calendar jobs."""
        raise NotImplementedError

    @hookspec
    def register_connections(self) -> list[Connection]:
        """Agents that ``clawatch connect NAME`` can make report here."""
        raise NotImplementedError

    @hookspec
    def register_commands(self) -> list[click.Command]:
        """Commands for the command line."""
        raise NotImplementedError
