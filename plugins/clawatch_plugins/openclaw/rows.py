"""The gateway's sessions, as it lists them: which are at work, of which agent, and whose children they are."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from clawatch_plugins.openclaw.frames import Refused
from clawatch_plugins.openclaw.gateway import Gateway
from clawatch_plugins.openclaw.identity import agent_in
from clawatch_plugins.openclaw.reading import Told, items, table, word

LIMIT = 1_000
ASK_EVERY = 1.0
"""Seconds between two questions for sessions that are not known."""
_MOST = 5_000


class Row(Struct, frozen=True, kw_only=True):
    key: str
    session_id: str
    agent: str
    is_active: bool
    parents: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()


def read_row(told: Told, known: Row | None = None) -> Row | None:
    """A row, or what a change of it says on top of what is known; None without a key."""
    key = word(told, "key", "sessionKey", limit=500) or (known.key if known else "")
    if not key:
        return None
    nested = table(told, "session")
    parents = {word(told, name, limit=500) for name in ("spawnedBy", "parentSessionKey")} - {""}
    children = {child for child in items(told, "childSessions") if isinstance(child, str)}
    return Row(
        key=key,
        session_id=word(told, "sessionId") or word(nested, "sessionId") or (known.session_id if known else ""),
        agent=word(told, "agentId") or (known.agent if known else agent_in(key)),
        is_active=_is_active(told, known is not None and known.is_active),
        parents=frozenset(parents) or (known.parents if known else frozenset()),
        children=frozenset(children) or (known.children if known else frozenset()),
    )


def _is_active(told: Told, known: bool) -> bool:
    """``hasActiveRun`` has the last word, ``status`` none where that is told: it stays ``running`` for days."""
    if isinstance(told.get("hasActiveRun"), bool):
        return bool(told["hasActiveRun"])
    if isinstance(told.get("activeRunIds"), list):
        return bool(told["activeRunIds"])
    phase = word(told, "phase")
    if phase in ("start", "end", "error"):
        return phase == "start"
    status = word(told, "status")
    return status == "running" if status else known


class Rows:
    """What is known of them. ``refresh`` before relying on it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._rows: dict[str, Row] = {}
        self._asked = float("-inf")

    async def refresh(self) -> None:
        """Ask for all of them. Raises what ``Gateway.request`` raises."""
        self._asked = asyncio.get_running_loop().time()
        payload = await self._gateway.request("sessions.list", {"limit": LIMIT})
        rows = (read_row(told) for told in items(payload, "sessions") if isinstance(told, dict))
        self._rows = {row.key: row for row in rows if row is not None}

    async def session_of(self, key: str) -> str:
        """The session's id; asked for, now and then, where it is not known. Empty when nobody knows."""
        row = self._rows.get(key)
        if (row is None or not row.session_id) and asyncio.get_running_loop().time() - self._asked >= ASK_EVERY:
            try:
                await self.refresh()
            except (Refused, TimeoutError):
                return ""
            row = self._rows.get(key)
        return row.session_id if row is not None else ""

    def change(self, told: Told) -> Row | None:
        key = word(told, "key", "sessionKey", limit=500)
        row = read_row(told, self._rows.get(key))
        if row is not None and (row.key in self._rows or len(self._rows) < _MOST):
            self._rows[row.key] = row
        return row

    @property
    def all(self) -> list[Row]:
        return list(self._rows.values())

    def find(self, key: str) -> Row | None:
        return self._rows.get(key)

    def of(self, agent: str) -> list[Row]:
        """An agent's sessions and whatever they have spawned, also where it belongs to another agent."""
        family = {row.key for row in self._rows.values() if row.agent == agent}
        while True:
            children = {child for key in family if key in self._rows for child in self._rows[key].children}
            spawned = {row.key for row in self._rows.values() if not family.isdisjoint(row.parents)}
            grown = spawned | (children & self._rows.keys())
            if grown <= family:
                return [self._rows[key] for key in self._rows if key in family]
            family |= grown

    def active(self, agent: str) -> list[Row]:
        return [row for row in self.of(agent) if row.is_active]
