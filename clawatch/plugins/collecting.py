"""Collects once, at start, what every plugin contributes; no plugin's mistake stops another."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy
from pluggy import HookCaller, PluginManager, PluginValidationError
from pydantic import BaseModel

from clawatch.hookspecs import PROJECT, Hooks, Job
from clawatch.plugins.candidates import Candidate, installed_candidates, loose_candidates
from clawatch.plugins.registry import PluginReport, PluginState, Provided, Registry
from clawatch.ports import Connection, Contribution, RuleType, StoreType
from clawatch.settings import RuleSettings

_PREFIX = "register_"
_TYPES: dict[str, type] = {
    "stores": StoreType,
    "sources": Contribution,
    "rules": RuleType,
    "notifiers": Contribution,
    "controllers": Contribution,
    "apis": Contribution,
    "enrichers": Contribution,
    "jobs": Job,
    "connections": Connection,
}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_LONGEST_DETAIL = 300


class _UnfitError(Exception):
    """The plugin, or something it provides, breaks the contract."""


@dataclass
class _Collection:
    sections: dict[str, dict[str, Provided[Any]]] = field(default_factory=dict)
    reports: list[PluginReport] = field(default_factory=list)

    def registry(self) -> Registry:
        sections: dict[str, Any] = dict(self.sections)
        vocabularies = tuple(provided.part for provided in sections.pop("vocabularies", {}).values())
        return Registry(**sections, vocabularies=vocabularies, reports=tuple(self.reports))


def collect(
    disabled: Collection[str] = (),
    directory: Path | None = None,
    data_dir: Path = Path("/nonexistent"),
    installed: Iterable[EntryPoint] | None = None,
) -> Registry:
    """Import every plugin that is not disabled and ask it what it contributes.

    Never raises for a plugin's sake: what went wrong stands in ``Registry.reports``. ``installed`` are the
    entry points to look at; None: those of the group ``clawatch`` in this environment.
    """
    collection = _Collection()
    candidates = installed_candidates(installed)
    if directory is not None:
        loose, refused = loose_candidates(directory, data_dir)
        candidates += loose
        collection.reports += refused
    for candidate in candidates:
        collection.reports.append(_take(candidate, disabled, collection))
    return collection.registry()


def _take(candidate: Candidate, disabled: Collection[str], collection: _Collection) -> PluginReport:
    report = PluginReport(candidate.name, candidate.origin, candidate.version)
    if candidate.name in disabled:
        return replace(report, state=PluginState.DISABLED, detail="by plugins.disabled")
    taken = next((one for one in collection.reports if one.name == candidate.name), None)
    if taken is not None and taken.state is not PluginState.REFUSED:
        detail = f"the plugin {taken.name} of {_whose(taken)} came first; this one is left out"
        return replace(report, state=PluginState.DUPLICATE, detail=detail)
    try:
        callers = _hook_callers(candidate.load(), candidate.name)
    except (Exception, SystemExit) as error:
        return replace(report, **_failure(error, candidate))
    report = replace(report, hooks=tuple(_section(caller) for caller in callers))
    for caller in callers:
        report = _ask(caller, candidate, collection, report)
    return report


def _hook_callers(plugin: object, name: str) -> list[HookCaller]:
    """The hooks this plugin implements. A manager of its own keeps its mistakes to itself."""
    manager = PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except PluginValidationError as error:
        raise _UnfitError(_unknown_hook(manager, plugin) or str(error)) from None
    callers = manager.get_hookcallers(plugin) or []
    bare = [hook for hook in vars(Hooks) if hook.startswith(_PREFIX) and _is_bare(plugin, hook, callers)]
    if bare:
        raise _UnfitError(f"{bare[0]} lacks the decorator @hookimpl of clawatch.hookspecs")
    if not callers:
        raise _UnfitError("implements no hook; see clawatch.hookspecs")
    return callers


def _is_bare(plugin: object, hook: str, callers: Iterable[HookCaller]) -> bool:
    return callable(getattr(plugin, hook, None)) and all(caller.name != hook for caller in callers)


def _unknown_hook(manager: PluginManager, plugin: object) -> str | None:
    for caller in manager.get_hookcallers(plugin) or []:
        if not caller.has_spec():
            near = difflib.get_close_matches(caller.name, [name for name in vars(Hooks) if name.startswith(_PREFIX)], 1)
            return f"{caller.name} is no hook" + (f"; did you mean {near[0]}?" if near else "; see clawatch.hookspecs")
    return None


def _ask(caller: HookCaller, candidate: Candidate, collection: _Collection, report: PluginReport) -> PluginReport:
    section = _section(caller)
    try:
        parts = list(_parts(caller()))
    except (Exception, SystemExit) as error:
        return _worsened(report, **_failure(error, candidate, caller.name))
    for part in parts:
        report = _keep(part, section, candidate, collection, report)
    return report


def _parts(results: list[Any]) -> Iterator[Any]:
    for result in results:
        if not isinstance(result, (list, tuple)):
            raise _UnfitError(f"returned {type(result).__name__} instead of a list")
        yield from result


def _keep(
    part: Any, section: str, candidate: Candidate, collection: _Collection, report: PluginReport
) -> PluginReport:
    why = _why_unfit(part, section)
    if why is not None:
        return _worsened(report, PluginState.BROKEN, f"{_PREFIX}{section}: {why}")
    known = collection.sections.setdefault(section, {})
    taken = known.get(part.name)
    if taken is not None:
        detail = f"{section}: {part.name} of the plugin {taken.plugin} came first; that of {candidate.name} is left out"
        return _worsened(report, PluginState.DUPLICATE, detail)
    known[part.name] = Provided(part, candidate.name, candidate.is_official)
    return report


def _why_unfit(part: Any, section: str) -> str | None:
    name = getattr(part, "name", None)
    if section == "vocabularies":
        if not (callable(getattr(part, "detects", None)) and callable(getattr(part, "map", None))):
            return f"its list holds {type(part).__name__}, which is no Vocabulary"
    elif section == "commands":
        if not (callable(part) and hasattr(part, "params")):
            return f"its list holds {type(part).__name__}, which is no click command"
    elif not isinstance(part, _TYPES[section]):
        return f"its list holds {type(part).__name__}, which is no {_TYPES[section].__name__}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{str(name)[:64]!r} is no name; use letters, digits, - and _"
    return _why_settings_unfit(part, RuleSettings if section == "rules" else BaseModel)


def _why_settings_unfit(part: Any, base: type[BaseModel]) -> str | None:
    settings = getattr(part, "settings", base)
    if isinstance(settings, type) and issubclass(settings, base):
        return None
    return f"the settings of {part.name} must be a class that inherits {base.__module__}.{base.__name__}"


# -- words --------------------------------------------------------------------------------------------


def _section(caller: HookCaller) -> str:
    return caller.name.removeprefix(_PREFIX)


def _whose(report: PluginReport) -> str:
    return f"{report.origin} {report.version}".strip()


def _worsened(report: PluginReport, state: PluginState, detail: str) -> PluginReport:
    """The report with one more thing that went wrong; broken is worse than duplicate."""
    if report.state in (PluginState.BROKEN, PluginState.MISSING_EXTRA):
        state = report.state
    return replace(report, state=state, detail="; ".join(filter(None, (report.detail, detail))))


def _failure(error: BaseException, candidate: Candidate, where: str = "") -> dict[str, Any]:
    prefix = f"{where}: " if where else ""
    if isinstance(error, ModuleNotFoundError) and error.name and not _is_own(error.name, candidate):
        module = error.name.partition(".")[0]
        wanted = candidate.extra_for(module) or module
        detail = f"{prefix}needs the library {module}, which is not installed; run pip install '{wanted}'"
        return {"state": PluginState.MISSING_EXTRA, "detail": detail}
    words = str(error) if isinstance(error, _UnfitError) else f"{type(error).__name__}: {error}{_place(error)}"
    return {"state": PluginState.BROKEN, "detail": prefix + _one_line(words)}


def _is_own(module: str, candidate: Candidate) -> bool:
    return module.partition(".")[0] in (candidate.own_module, PROJECT)


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def _is_theirs(filename: str) -> bool:
    machinery = (str(Path(__file__).parent), str(Path(pluggy.__file__).parent), "<frozen")
    return not filename.startswith(machinery) and "importlib" not in Path(filename).parts


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL] + "…"
