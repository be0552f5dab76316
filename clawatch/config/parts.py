"""Which parts of the plugins are in use, each with its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from clawatch.config.document import Document
from clawatch.config.models import StorageSettings
from clawatch.config.problems import Place, Problem, say_known
from clawatch.config.validation import problems_of, validate
from clawatch.plugins import PluginState, Provided, Registry
from clawatch.settings import settings_from_file

T = TypeVar("T")

USE = "use"
_ONLY_WHEN_NAMED = frozenset({"sources", "notifiers"})
_OFFICIAL_UNLESS_NAMED = frozenset({"rules"})


@dataclass(frozen=True)
class Part(Generic[T]):
    """Something of a plugin's that the configuration puts to use."""

    name: str
    """Its own name in the configuration; two parts of one kind have two."""
    use: str
    """The name of what it is a kind of."""
    settings: Any
    contribution: T
    plugin: str
    is_named: bool = field(default=True, compare=False)
    """Whether the configuration speaks of it; else it runs by itself, and the daemon can do without."""


class Settling:
    """Finds the parts of every section; what is wrong goes to ``problems``."""

    def __init__(self, document: Document, registry: Registry, problems: list[Problem]) -> None:
        self._document = document
        self._registry = registry
        self._problems = problems
        self.left_out: list[str] = []
        """What is named and right, but lacks something without which it cannot run."""

    def section(
        self, section: str, provided: Mapping[str, Provided[T]], named: Mapping[str, Any]
    ) -> tuple[Part[T], ...]:
        """The parts in use: those that run by themselves in order of registration, then what else is named."""
        parts: dict[str, Part[T] | None] = {}
        for name, one in provided.items():
            if name in named or _runs_unnamed(section, one):
                parts[name] = None
        for name, raw in named.items():
            parts[name] = self._named(section, provided, name, raw)
        for name in parts:
            if name not in named:
                parts[name] = self._unnamed(section, name, provided[name])
        return tuple(part for part in parts.values() if part is not None)

    def storage(self, settings: StorageSettings) -> Part[Any] | None:
        """The store in use; the blocks of the others are checked all the same."""
        stores = self._registry.stores
        blocks = dict(settings.__pydantic_extra__)
        raw = blocks.pop(settings.use, {})
        part = self._validated("storage", stores, settings.use, settings.use, raw, named_at=("storage", USE))
        for name, block in blocks.items():
            self._validated("storage", stores, name, name, block, named_at=("storage", name))
        return part

    def _named(self, section: str, provided: Mapping[str, Provided[T]], name: str, raw: Any) -> Part[T] | None:
        if raw is None:
            raw = {}
        if not isinstance(raw, dict):
            self._complain((section, name), f"must be a mapping of settings; {_remedy(section, name in provided, raw)}")
            return None
        raw = dict(raw)
        use = raw.pop(USE, name)
        if not isinstance(use, str):
            self._complain((section, name, USE), "must be the name of what is to be used")
            return None
        return self._validated(section, provided, name, use, raw, named_at=(section, name))

    def _validated(
        self, section: str, provided: Mapping[str, Provided[T]], name: str, use: str, raw: Any, named_at: Place
    ) -> Part[T] | None:
        one = provided.get(use)
        if one is None:
            self._complain(named_at, self._why_absent(section, use, list(provided)))
            return None
        settings = validate(_model(one), raw, self._document, (section, name), self._problems)
        if settings is None:
            return None
        if not getattr(settings, "is_configured", True):
            missing = ", ".join(getattr(settings, "missing", ()))
            self.left_out.append(f"{section}.{name} is left out" + (f"; it needs: {missing}" if missing else ""))
            return None
        return Part(name, use, settings, one.part, one.plugin)

    def _unnamed(self, section: str, name: str, one: Provided[T]) -> Part[T] | None:
        try:
            settings = settings_from_file(_model(one), {})
        except ValidationError as error:
            if any(found["type"] != "missing" for found in error.errors(include_input=False)):
                self._problems += problems_of(error, _model(one), self._document, (section, name))
            return None  # it cannot run without being told something
        if not getattr(settings, "is_configured", True):
            return None
        return Part(name, name, settings, one.part, one.plugin, is_named=False)

    def _why_absent(self, section: str, use: str, known: list[str]) -> str:
        report = self._registry.report(use)
        if report is not None and report.state is PluginState.DISABLED:
            return f"the plugin {use} is disabled; take it out of plugins.disabled, or take this out"
        if report is not None and report.state is not PluginState.LOADED:
            return f"the plugin {use} ({report.origin}) cannot be used: {report.detail}"
        kind = "store" if section == "storage" else section.removesuffix("s")
        refused = (one for one in self._registry.reports if one.state is PluginState.REFUSED)
        said = "".join(f"; {one.origin} was refused: {one.detail}" for one in refused)
        return f"no plugin provides the {kind} {use[:80]!r}; {say_known(use, known)}{said}"

    def _complain(self, place: Place, message: str) -> None:
        self._problems.append(self._document.problem(place, message))


def _remedy(section: str, is_known: bool, raw: Any) -> str:
    if not is_known:
        return "if it belongs to the one above, indent it"
    if section == "rules" and raw in (False, "off", "no"):
        return "write {enabled: false} to switch it off"
    return "write {} for none"


def _model(one: Provided[Any]) -> type[BaseModel]:
    model: type[BaseModel] = one.part.settings
    return model


def _runs_unnamed(section: str, one: Provided[Any]) -> bool:
    if section in _ONLY_WHEN_NAMED:
        return False
    return one.is_official or section not in _OFFICIAL_UNLESS_NAMED
