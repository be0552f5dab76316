"""``connection_pool_info``: everybody is told a moment after the number of their user's connections has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from clawatch.apis.sessions import Session
from clawatch.apis.socket_limits import SocketLimits
from clawatch.domain.hashing import hash_value
from clawatch_plugins.freeagentics.wire import Message, Pool

SETTLING = 1.0
"""Seconds in which further changes are told together."""


class Pools:
    def __init__(self, limits: SocketLimits, now: Callable[[], str]) -> None:
        self._limits = limits
        self._now = now
        self._sessions: dict[str, dict[Session, None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def join(self, session: Session) -> None:
        user = session.principal.user
        self._sessions.setdefault(user, {})[session] = None
        self._change(user)

    def leave(self, session: Session) -> None:
        user = session.principal.user
        left = self._sessions[user]
        del left[session]
        if left:
            self._change(user)
            return
        del self._sessions[user]
        if timer := self._timers.pop(user, None):
            timer.cancel()

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def message(self, user: str) -> Message:
        most, active = self._limits.per_user or 0, len(self._sessions.get(user, ()))
        return Message("connection_pool_info", self._now(), Pool(
            pool_id=f"pool_{hash_value(user)[:16]}",
            active_connections=active,
            max_connections=most,
            pool_utilization=round(active / most, 2) if most else 0.0,
        ))

    def _change(self, user: str) -> None:
        if user not in self._timers:
            self._timers[user] = asyncio.get_running_loop().call_later(SETTLING, self._tell, user)

    def _tell(self, user: str) -> None:
        del self._timers[user]
        for session in self._sessions[user]:
            session.send(self.message(user))
