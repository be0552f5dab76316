"""The ladder of a stop: each rung asks more firmly, and none counts before the gateway shows that nothing runs.

An accepted request proves nothing: aborts have come too early, too late, or left the child of a tool running. So after
every rung the sessions are listed again, and ``hasActiveRun`` decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from msgspec import Struct

from clawatch.domain.time import SECOND, Millis
from clawatch.domain.words import count_of, one_line
from clawatch_plugins.openclaw.frames import Refused
from clawatch_plugins.openclaw.gateway import Gateway, Unreachable
from clawatch_plugins.openclaw.identity import is_main
from clawatch_plugins.openclaw.reading import Told, items, word
from clawatch_plugins.openclaw.rows import Row, Rows

LOOK_EVERY = 0.25
"""Seconds between two looks at what still runs, at most."""
CALL_WITHIN = 10.0
_SHOWN = 3
GONE = "restart the gateway to end it: openclaw gateway restart"


class Proof(Struct, frozen=True, kw_only=True):
    """Whether nothing of the agent runs any more, and by what; what is said is for people."""

    is_stopped: bool
    message: str
    rung: str = ""
    """The last that was climbed; empty when nothing ran to begin with."""


class Ladder:
    """For one agent, climbed once. ``asked`` is awaited when the gateway has been asked for the first time."""

    def __init__(
        self, gateway: Gateway, rows: Rows, proof_within: Millis, asked: Callable[[], Awaitable[object]]
    ) -> None:
        self._gateway = gateway
        self._rows = rows
        self._within = proof_within / SECOND
        self._asked = asked
        self._refusals: list[str] = []

    async def stop(self, agent: str) -> Proof:
        """Every rung, until one has proved to work."""
        return await self._climb(agent, (
            ("abort", self._abort), ("/stop", self._say_stop), ("children", self._stop_children),
            ("archive", self._archive),
        ))

    async def abort(self, agent: str) -> Proof:
        """The rungs that leave nothing behind: for a pause, whose agent is to go on later."""
        return await self._climb(agent, (
            ("abort", self._abort), ("/stop", self._say_stop), ("children", self._stop_children),
        ))

    async def _climb(self, agent: str, rungs: Sequence[Rung]) -> Proof:
        climbed = ""
        try:
            await self._rows.refresh()
            for name, rung in rungs:
                active = self._rows.active(agent)
                if not active:
                    break
                await rung(active)
                if not climbed:
                    await self._asked()
                climbed = name
                await self._prove(agent)
        except (Unreachable, TimeoutError) as error:
            said = str(error) or "the gateway does not answer"
            return Proof(is_stopped=False, message=said, rung=climbed)
        except Refused as refusal:
            return Proof(is_stopped=False, message=f"the gateway does not list its sessions: {refusal}", rung=climbed)
        return self._judged(agent, climbed)

    def _judged(self, agent: str, climbed: str) -> Proof:
        left = self._rows.active(agent)
        if not left:
            message = f"nothing of it runs any more, after {climbed}" if climbed else "nothing of it was running"
            return Proof(is_stopped=True, message=message, rung=climbed)
        shown = ", ".join(one_line(row.key, 60) for row in left[:_SHOWN])
        why = f" ({one_line(self._refusals[-1], 120)})" if self._refusals else ""
        runs = f"{count_of(len(left), 'session')} of it still run{'s' if len(left) == 1 else ''}"
        return Proof(is_stopped=False, message=f"{runs} after {climbed}: {shown}{why}; {GONE}", rung=climbed)

    async def _prove(self, agent: str) -> None:
        """Return when nothing of it runs, or when the rung has had its time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._within
        while True:
            await self._rows.refresh()
            left = deadline - loop.time()
            if not self._rows.active(agent) or left <= 0:
                return
            await asyncio.sleep(min(LOOK_EVERY, left))

    # -- the rungs

    async def _abort(self, active: Sequence[Row]) -> None:
        for row in active:
            if not await self._try("sessions.abort", {"key": row.key, "clearQueued": True}):
                await self._abort_plainly(row)

    async def _abort_plainly(self, row: Row) -> None:
        """Older gateways know neither that parameter nor, before, that method."""
        if not await self._try("sessions.abort", {"key": row.key}):
            await self._try("chat.abort", {"sessionKey": row.key})

    async def _say_stop(self, active: Sequence[Row]) -> None:
        for row in active:
            await self._try("chat.send", {"sessionKey": row.key, "message": "/stop", "idempotencyKey": str(uuid4())})

    async def _stop_children(self, active: Sequence[Row]) -> None:
        """What an abort leaves behind: background tasks, and processes that a tool has started."""
        for row in active:
            for task in await self._list("tasks.list", {"sessionKey": row.key}, "tasks"):
                task_id = word(task, "taskId", "id")
                if task_id and word(task, "status") in ("", "queued", "running"):
                    await self._try("tasks.cancel", {"taskId": task_id})
            for process in await self._list("sessions.processes.list", {"key": row.key}, "processes"):
                known = {name: word(process, name) for name in ("sessionId", "processId", "instanceId")}
                await self._try("sessions.processes.stop", {"key": row.key, **known})

    async def _archive(self, active: Sequence[Row]) -> None:
        """The firmest for one session: the gateway admits nothing to it any more, and waits until it is idle."""
        for row in active:
            if not is_main(row.key):
                known = {"expectedSessionId": row.session_id} if row.session_id else {}
                await self._try("sessions.patch", {"key": row.key, "archived": True, **known})

    async def _list(self, method: str, params: Told, name: str) -> list[Told]:
        if not self._gateway.has(method):
            return []
        try:
            payload = await self._gateway.request(method, params, CALL_WITHIN)
        except (Refused, TimeoutError):
            return []
        return [one for one in items(payload, name) if isinstance(one, dict)]

    async def _try(self, method: str, params: Told) -> bool:
        """Whether it was accepted, which proves nothing; what the gateway says against it is kept."""
        try:
            await self._gateway.request(method, params, CALL_WITHIN)
        except Refused as refusal:
            self._refusals.append(f"{method}: {refusal}")
            return False
        except TimeoutError:
            self._refusals.append(f"{method}: no answer")
            return True  # it may work on it
        return True


Rung = tuple[str, Callable[[Sequence[Row]], Awaitable[None]]]
