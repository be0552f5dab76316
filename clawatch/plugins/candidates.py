"""Where plugins are found: installed distributions and the loose directory."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path

from clawatch.hookspecs import PROJECT
from clawatch.plugins.registry import PluginReport, PluginState

OFFICIAL = "clawatch"
"""The distribution whose plugins are the official ones."""

_EXTRA = re.compile(r"([\w.-]+)[^;]*;.*\bextra\s*==\s*[\"']([\w.-]+)[\"']")


@dataclass(frozen=True)
class Candidate:
    """A plugin that was found and not yet imported."""

    name: str
    origin: str
    load: Callable[[], object]
    version: str = ""
    is_official: bool = False
    own_module: str = ""
    """The top of its own import name: when that is missing, no library is to blame."""
    extra_for: Callable[[str], str | None] = lambda module: None
    """What to install for a missing module, as pip is told: ``clawatch[x]``."""


def installed_candidates(found: Iterable[EntryPoint] | None = None) -> list[Candidate]:
    """The entry points of the group ``clawatch``: official ones first, then by distribution and name."""
    points = list(entry_points(group=PROJECT) if found is None else found)
    return sorted(map(_from_entry_point, points), key=lambda one: (not one.is_official, one.origin, one.name))


def _from_entry_point(point: EntryPoint) -> Candidate:
    dist = point.dist
    origin = dist.name if dist else "unknown"
    return Candidate(
        name=point.name,
        origin=origin,
        load=point.load,
        version=dist.version if dist else "",
        is_official=origin.lower() == OFFICIAL,
        own_module=point.module.partition(".")[0],
        extra_for=lambda module: _extra(point, dist, module),
    )


def _extra(point: EntryPoint, dist: Distribution | None, module: str) -> str | None:
    if dist is None:
        return None
    if point.extras:
        return f"{dist.name}[{point.extras[0]}]"
    for requirement in dist.requires or ():
        match = _EXTRA.match(requirement)
        if match and _canonical(match[1]) == _canonical(module):
            return f"{dist.name}[{match[2]}]"
    return None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def loose_candidates(directory: Path, data_dir: Path) -> tuple[list[Candidate], list[PluginReport]]:
    """The ``*.py`` files and packages of a directory, and a refusal for whatever may not be trusted."""
    refused: list[PluginReport] = []
    why = _why_not_trusted(directory, data_dir)
    if why is not None:
        return [], [_refusal(directory, why)]
    candidates = []
    for path in sorted(directory.iterdir()):
        is_package = (path / "__init__.py").is_file()
        if path.name.startswith(("_", ".")) or not (is_package or path.suffix == ".py"):
            continue
        why = _why_not_owned(path, directory.resolve())
        if why is None:
            candidates.append(_from_file(path, path / "__init__.py" if is_package else path))
        else:
            refused.append(_refusal(path, why))
    return candidates, refused


def _refusal(path: Path, why: str) -> PluginReport:
    return PluginReport(name=path.stem, origin=str(path), state=PluginState.REFUSED, detail=why)


def _why_not_trusted(directory: Path, data_dir: Path) -> str | None:
    if not directory.is_dir():
        return "is not a directory; make it, or set plugins.directory to null"
    if directory.resolve().is_relative_to(data_dir.resolve()):
        return f"lies under the data directory {data_dir}, which the daemon writes to; keep plugins elsewhere"
    try:
        caches = [path for path in directory.iterdir() if path.name == "__pycache__"]
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    for path in (directory, *caches):
        why = _why_not_owned(path, directory.resolve(), deep=path is not directory)
        if why is not None:
            return why
    return None


def _why_not_owned(path: Path, root: Path, *, deep: bool = True) -> str | None:
    """Why others than root and the daemon's user could have written the code at ``path``; None: they could not."""
    for one in _tree(path) if deep else (path,):
        named = "" if one == path else f"{one.relative_to(path)} "
        try:
            info = one.stat()
        except OSError as error:
            return f"{named}cannot be read: {error.strerror}"
        if not one.resolve().is_relative_to(root):
            return f"{named}leads out of the plugin directory; copy the file into it"
        if info.st_uid not in (0, os.geteuid()):
            return f"{named}is owned by user {info.st_uid}; it must be root's or the daemon's user's"
        if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{named}can be written by group or others; run chmod go-w on it"
    return None


def _tree(path: Path) -> Iterator[Path]:
    yield path
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            yield Path(folder, name)


def _from_file(path: Path, source: Path) -> Candidate:
    module_name = f"clawatch_loose_{path.stem}"
    return Candidate(
        name=path.stem, origin=str(path), load=lambda: _import(module_name, source), own_module=module_name
    )


def _import(module_name: str, source: Path) -> object:
    spec = importlib.util.spec_from_file_location(module_name, source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with _no_bytecode():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Leave no ``__pycache__`` behind: with a loose umask it would be refused at the next start."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
