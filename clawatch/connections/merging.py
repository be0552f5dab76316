"""Putting settings into settings: what is there stays, what is ours is brought up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any

from clawatch.domain.access import KEY_PREFIX

_KEY = re.compile(KEY_PREFIX + r"[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_OFF = (None, "", "none", "0", "false", False)
"""Values that mean: not set, or switched off."""
_MISSING = object()


@dataclass
class Merged:
    """What a merge came to. ``changed`` and ``kept`` are paths, joined by dots."""

    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What is somebody else's setting, and stays."""


def keys_in(text: str) -> list[str]:
    """The keys of ours that a file holds."""
    return _KEY.findall(text)


def is_ours(url: str) -> Callable[[Any], bool]:
    """Whether a setting was put there to report here: it holds a key of ours, or our address."""

    def check(value: Any) -> bool:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        return bool(_KEY.search(text)) or url in text

    return check


def merge(
    known: MutableMapping[str, Any], wanted: Mapping[str, Any], ours: Callable[[Any], bool], replaces: bool = False
) -> Merged:
    """Bring ``known`` to hold what is wanted. With ``replaces``, also where something else stands now."""
    merged = Merged()
    _tables(known, wanted, ours, replaces, "", merged)
    return merged


def _tables(
    known: MutableMapping[str, Any], wanted: Mapping[str, Any], ours: Callable[[Any], bool], replaces: bool,
    path: str, merged: Merged,
) -> None:
    for key, value in wanted.items():
        here = f"{path}.{key}".lstrip(".")
        there = known.get(key, _MISSING)
        if there == value and isinstance(there, bool) is isinstance(value, bool):
            continue
        if there is _MISSING or _is_off(there):
            known[key] = value
            merged.changed.append(here)
        elif isinstance(value, Mapping) and isinstance(there, MutableMapping):
            _tables(there, value, ours, replaces, here, merged)
        elif isinstance(value, list) and isinstance(there, MutableSequence):
            _items(there, value, ours, here, merged)
        elif ours(there) or replaces:
            known[key] = value
            merged.changed.append(here)
        else:
            merged.kept.append(here)


def _is_off(value: Any) -> bool:
    return any(value is off or (isinstance(off, str) and value == off) for off in _OFF)


def _items(
    known: MutableSequence[Any], wanted: list[Any], ours: Callable[[Any], bool], path: str, merged: Merged
) -> None:
    for item in wanted:
        places = [at for at, one in enumerate(known) if ours(one)]
        if item in known and len(places) < 2:
            continue
        for at in reversed(places):
            del known[at]
        known.append(item)
        merged.changed.append(path)
