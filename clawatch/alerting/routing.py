"""Routing: which notifiers an alert or notice goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Route:
    """Empty fields match everything; ``agent`` and ``rule`` are patterns."""

    notifiers: tuple[str, ...]
    severity: str = ""
    rule: str = ""
    agent: str = ""


def receivers(routes: Sequence[Route], notifiers: Sequence[str], severity: str, rule: str, agent_id: str) -> list[str]:
    """The notifiers of every route that matches; all there are when no routes are configured."""
    if not routes:
        return list(notifiers)
    chosen = [name for route in routes if _matches(route, severity, rule, agent_id) for name in route.notifiers]
    return [name for name in dict.fromkeys(chosen) if name in notifiers]


def _matches(route: Route, severity: str, rule: str, agent_id: str) -> bool:
    return (
        route.severity in ("", severity)
        and (not route.rule or fnmatchcase(rule, route.rule))
        and (not route.agent or fnmatchcase(agent_id, route.agent))
    )
