"""Commands on their way in: fetched by a long poll or handed over with the answer to events, worked off one by one.

A command comes again every 30 s until its result is told, so each is worked once and its result remembered.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from clawatch.client.events import plain, say_error
from clawatch.client.transport import Answer, Transport, Unreachable, segment

log = logging.getLogger("clawatch.client")

State = Literal["confirmed", "failed", "unsupported"]
WAIT = 30
"""Seconds of one long poll."""
_MAX_BACKOFF = 30.0
_REMEMBERED = 256
_TRIES = 5


@dataclass(frozen=True)
class Command:
    """What the owner asks; ``type`` is pause, resume, start, stop, restart, update_config, get_status, execute, learn
    or cancel."""

    id: str
    type: str
    parameters: dict[str, Any] = field(default_factory=dict)
    requested_by: str = ""
    requested_at: str = ""
    expires_at: str | None = None


@dataclass(frozen=True)
class Result:
    state: State
    message: str = ""
    data: Any = None


Handler = Callable[[Command], "Result | None"]
"""Does it and says what became of it; None: ``Commands.answer`` will be called later."""


class Commands:
    """Two threads at most: one that polls (from ``listen`` on) and one that works (from the first command on)."""

    def __init__(self, transport: Transport, agent: str, handle: Handler) -> None:
        self._transport = transport
        self._path = f"/api/agents/{segment(agent)}/commands?wait={WAIT}"
        self._handle = handle
        self.reset()

    def reset(self) -> None:
        """As new; called in a forked child too."""
        self._lock = threading.RLock()
        self._known: OrderedDict[str, Result | None] = OrderedDict()
        self._todo: queue.SimpleQueue[Command | tuple[str, Result] | None] = queue.SimpleQueue()
        self._poller: threading.Thread | None = None
        self._polling: Transport | None = None
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()

    def listen(self) -> None:
        """Poll from now on."""
        with self._lock:
            if self._poller is None:
                self._polling = self._transport.clone()
                arguments = (self._polling, self._closed)
                self._poller = threading.Thread(
                    target=self._poll, args=arguments, name="clawatch-commands", daemon=True
                )
                self._poller.start()

    def offer(self, items: list[Any]) -> None:
        """Commands as they came; those in work are left out, those done are answered again."""
        for item in items:
            command = _parse(item)
            if command is not None:
                self._accept(command)

    def answer(self, command_id: str, result: Result) -> None:
        """Tell the result of a command whose handler gave None."""
        with self._lock:
            self._known[command_id] = result
            self._enqueue((command_id, result))

    def close(self, timeout: float) -> None:
        """Tell the results there are, then end. A later ``listen`` or command starts anew."""
        with self._lock:
            worker = self._worker
            self._closed.set()
            if self._polling is not None:
                self._polling.abort()
            if worker is not None:
                self._todo.put(None)
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout)
        with self._lock:
            self._poller = self._worker = None
            self._closed = threading.Event()
            self._todo = queue.SimpleQueue()

    def _accept(self, command: Command) -> None:
        with self._lock:
            if command.id not in self._known:
                self._known[command.id] = None
                self._forget_oldest()
                self._enqueue(command)
            elif (result := self._known[command.id]) is not None:
                self._enqueue((command.id, result))

    def _forget_oldest(self) -> None:
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _enqueue(self, item: Command | tuple[str, Result]) -> None:
        self._todo.put(item)
        if self._worker is None:
            self._worker = threading.Thread(
                target=self._work, args=(self._todo, self._transport.clone()), name="clawatch-results", daemon=True
            )
            self._worker.start()

    # -- the threads --------------------------------------------------------------------------------------

    def _poll(self, transport: Transport, closed: threading.Event) -> None:
        failures = 0
        while not closed.is_set():
            began = time.monotonic()
            answer = _fetch(transport, self._path)
            if closed.is_set():
                break
            if answer is not None and answer.is_success:
                failures = 0
                commands = answer.body.get("commands")
                self.offer(commands if isinstance(commands, list) else [])
                is_answered_at_once = not commands and time.monotonic() - began < 1.0
                if is_answered_at_once:  # a server that does not wait must not be asked in a spin
                    closed.wait(1.0)
                continue
            failures += 1
            asked = answer.retry_after if answer is not None else None
            closed.wait(_backoff(failures) if asked is None else asked)
        transport.close()

    def _work(self, todo: queue.SimpleQueue[Command | tuple[str, Result] | None], transport: Transport) -> None:
        while (item := todo.get()) is not None:
            if isinstance(item, Command):
                self._carry(item, transport)
            else:
                _tell(transport, *item)
        transport.close()

    def _carry(self, command: Command, transport: Transport) -> None:
        try:
            result = self._handle(command)
        except Exception as error:  # a callback's failure is the command's
            result = Result("failed", say_error(error))
        if result is None:
            return
        with self._lock:
            self._known[command.id] = result
        _tell(transport, command.id, result)


def _fetch(transport: Transport, path: str) -> Answer | None:
    try:
        return transport.get(path, wait=WAIT)
    except Unreachable:
        return None


def _tell(transport: Transport, command_id: str, result: Result) -> None:
    """Post the result; when it cannot be told now, the command comes again and so does this."""
    body = {"state": result.state, "message": result.message[:2000]}
    if result.data is not None:
        body["data"] = plain(result.data)
    raw = json.dumps(body).encode("ascii")
    for attempt in range(1, _TRIES + 1):
        try:
            answer = transport.post(f"/api/commands/{segment(command_id)}/result", raw)
        except Unreachable as error:
            log.debug("a result could not be told: %s", error)
        else:
            if answer.is_success or answer.status in (400, 404, 409):
                return
        if attempt < _TRIES:
            time.sleep(_backoff(attempt, longest=2.0))


def _backoff(failures: int, longest: float = _MAX_BACKOFF) -> float:
    return min(longest, 0.25 * float(2 ** min(failures, 10))) * random.uniform(0.5, 1.0)  # noqa: S311 jitter


def _parse(item: Any) -> Command | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not isinstance(item.get("type"), str):
        return None
    parameters = item.get("parameters")
    return Command(
        id=item["id"],
        type=item["type"],
        parameters=parameters if isinstance(parameters, dict) else {},
        requested_by=str(item.get("requestedBy") or ""),
        requested_at=str(item.get("requestedAt") or ""),
        expires_at=item.get("expiresAt"),
    )
