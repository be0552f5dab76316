"""What connects an agent: the settings that make it report here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct


class Target(Struct, frozen=True, kw_only=True):
    """Where to report to, and whose settings they are."""

    url: str
    """The daemon's address, without a trailing slash."""
    key: str
    """One with the scope ``ingest``."""
    home: Path
    environ: Mapping[str, str] = {}
    """Some agents keep their files where a variable says."""


class Merge(Struct, frozen=True, kw_only=True):
    """What must stand in one of the agent's files, beside everything that is there already."""

    path: Path
    format: Literal["json", "toml", "env"]
    settings: dict[str, Any]
    """Tables within tables. An item of a list is added, unless one of ours is there, which it replaces."""


class Plan(Struct, frozen=True, kw_only=True):
    """How to connect an agent. ``merges`` can be written for its owner; the rest is for people to read."""

    merges: tuple[Merge, ...] = ()
    config: str = ""
    """Lines for ClaWatch's own configuration."""
    notes: tuple[str, ...] = ()
    """What else to know or do, each a sentence."""


@dataclass(frozen=True)
class Connection:
    """What ``register_connections`` returns: an agent that ``clawatch connect NAME`` can connect."""

    name: str
    title: str
    """What people call it."""
    plan: Callable[[Target], Plan]
    """Makes the plan; touches nothing."""


def folder_of(target: Target, variable: str, usual: str) -> Path:
    """Where an agent keeps its files: what the variable says, else ``usual`` below the home."""
    told = target.environ.get(variable)
    return Path(told).expanduser() if told else target.home / usual
