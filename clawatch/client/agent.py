"""The agent's own view of ClaWatch: say what happens, heed a pause. Nothing here raises into the agent or blocks it."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import socket
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, overload

from clawatch.client.commands import Command, Commands, Result, State
from clawatch.client.events import encode, is_failure, timestamp, where
from clawatch.client.pausing import CONTROLS, Pause
from clawatch.client.reports import Reports
from clawatch.client.sender import Line, Sender
from clawatch.client.spool import DEFAULT_LIMIT, Spool, default_root, folder
from clawatch.client.transport import DEFAULT_URL, Transport

log = logging.getLogger("clawatch.client")

P = ParamSpec("P")
Callback = Callable[[Command], "Result | State | None"]
_Callback = TypeVar("_Callback", bound=Callback)

HEARTBEAT_EVERY = 30.0
_BUSY = 0.1
"""Seconds of CPU between two heartbeats that count as work."""
_MAX_ID = 200


def _quiet(method: Callable[P, None]) -> Callable[P, None]:
    """A failure to report is ours, never the agent's."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as error:  # see above
            log.warning("clawatch: %s failed: %s", method.__name__, type(error).__name__)

    return wrapped


class Client(Reports):
    """One agent's line to ClaWatch. Costs nothing until the first event: no thread, no file, no connection.

    ``with Client("nightly") as agent:`` reports running at its start, stopped at its end, and an exception as
    an error. Meanwhile a heartbeat goes out every ``heartbeat_every`` seconds. It says that the process is
    alive, and counts as progress only if the process used CPU (> 0.1 s) since the last one, so that an agent
    that hangs is told apart from one that works; ``watch_progress=False`` is for agents that sleep on purpose,
    and ``progress`` is asked instead where the agent knows better.

    ``spool`` is a directory (None: no spool) for events that cannot be sent now, at most ``spool_bytes``.
    """

    def __init__(
        self,
        agent: str,
        url: str | None = None,
        key: str | None = None,
        *,
        name: str | None = None,
        host: str | None = None,
        kind: str | None = None,
        labels: Mapping[str, str] | None = None,
        capabilities: Sequence[str] | None = None,
        session: str | None = None,
        spool: str | os.PathLike[str] | Literal["default"] | None = "default",
        spool_bytes: int = DEFAULT_LIMIT,
        timeout: float = 10.0,
        heartbeat_every: float | None = HEARTBEAT_EVERY,
        watch_progress: bool = True,
        progress: Callable[[], bool] | None = None,
    ) -> None:
        self.agent = str(agent)
        self.session = session or uuid.uuid4().hex
        self._facts = {"agentName": name or self.agent, "host": socket.gethostname() if host is None else host}
        self._more_facts = {
            "kind": kind,
            "labels": {str(key): str(value) for key, value in (labels or {}).items()},
            "capabilities": [str(one) for one in capabilities or ()],
        }
        self._heartbeat_every = heartbeat_every
        self._watch_progress = watch_progress
        self._progress = progress or self._used_cpu
        self._callbacks: list[tuple[Callback, frozenset[str]]] = []
        self._depth = 0
        self._lock = threading.RLock()
        self._cpu_before = 0.0
        self._pause = Pause()
        self._sender: Sender | None = None
        self._commands: Commands | None = None
        self._connect(url, key, spool, spool_bytes, timeout)
        _living.add(self)

    def __repr__(self) -> str:
        return f"Client({self.agent!r})"

    # -- what happens -------------------------------------------------------------------------------------

    @_quiet
    def event(
        self,
        type: str,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        call_id: str | None = None,
        phase: str | None = None,
        session: str | None = None,
    ) -> None:
        """See Reports."""
        if self._sender is not None:
            self._sender.put(Line(self._encode(type, data or {}, id, call_id, phase, session)))

    # -- life ---------------------------------------------------------------------------------------------

    @_quiet
    def start(self, **data: Any) -> None:
        """Running, with heartbeats from now on. May be nested; the outermost counts."""
        with self._lock:
            self._depth += 1
            is_outermost = self._depth == 1
        if not is_outermost:
            return
        self.status("running", **data)
        self._cpu_before = time.process_time()
        if self._sender is not None:
            self._sender.beat_every(self._heartbeat_every)

    @_quiet
    def stop(self, error: BaseException | None = None, **data: Any) -> None:
        """The end of what ``start`` began; ``error`` is reported first."""
        if error is not None and is_failure(error):
            self.error(error, where=where(error))
        with self._lock:
            self._depth = max(0, self._depth - 1)
            if self._depth:
                return
        if self._sender is not None:
            self._sender.beat_every(None)
        reason = None if error is None else f"ended with {type(error).__name__}"
        self.status("stopped", **{"reason": reason, **data})

    def flush(self, timeout: float = 5.0) -> bool:
        """Whether ClaWatch took everything within ``timeout`` seconds. Waits, so not for the agent's hot path."""
        try:
            return self._sender is not None and self._sender.flush(timeout)
        except Exception:  # never into the agent
            return False

    @_quiet
    def close(self, timeout: float = 5.0) -> None:
        """Send what there is (at most ``timeout`` seconds each for events and results), spool the rest, let go."""
        if self._commands is not None:
            for command_id in self._pause.take_stops():
                self._commands.answer(command_id, Result("confirmed"))
            self._commands.close(timeout)
        if self._sender is not None:
            self._sender.close(timeout)

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(error)
        if not self._depth:
            self.close(timeout=2.0)

    # -- commands -----------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether the owner wants it paused. Look from time to time, or call ``wait_if_paused``."""
        self._listen()
        return self._pause.is_wanted

    @property
    def stop_requested(self) -> bool:
        """Whether the owner wants it to end. The end of the ``with`` block confirms it."""
        self._listen()
        return self._pause.is_stop_wanted

    def wait_if_paused(self, timeout: float | None = None) -> bool:
        """Call between two steps: waits while paused, which is confirmed to the owner. False: asked to stop.

        In async code: ``await asyncio.to_thread(agent.wait_if_paused)``.
        """
        self._listen()
        for command_id in self._pause.take_pauses():
            if self._commands is not None:
                self._commands.answer(command_id, Result("confirmed"))
        self._pause.wait(timeout)
        return not self._pause.is_stop_wanted

    @overload
    def on_command(self, callback: _Callback) -> _Callback: ...
    @overload
    def on_command(self, *, types: Sequence[str]) -> Callable[[_Callback], _Callback]: ...
    def on_command(self, callback: Any = None, *, types: Sequence[str] = ()) -> Any:
        """Call ``callback(command)``, on a thread of ours, for commands (of these types).

        It returns a Result or a state's name. None means done; for pause, resume, start and stop it means that
        ``wait_if_paused`` and ``stop_requested`` see to it. What it raises makes the command failed.
        """
        if callback is None:
            return functools.partial(self._add_callback, frozenset(types))
        return self._add_callback(frozenset(types), callback)

    def _add_callback(self, types: frozenset[str], callback: _Callback) -> _Callback:
        self._callbacks.append((callback, types))
        self._listen()
        return callback

    @_quiet
    def _listen(self) -> None:
        if self._commands is not None:
            self._commands.listen()

    def _handle(self, command: Command) -> Result | None:
        for callback, types in self._callbacks:
            if types and command.type not in types:
                continue
            answer = callback(command)
            if isinstance(answer, Result):
                return answer
            if answer is not None:
                return Result(answer)
            return self._pause.heed(command) if command.type in CONTROLS else Result("confirmed")
        return self._pause.heed(command) if command.type in CONTROLS else Result("unsupported")

    # -- inside -------------------------------------------------------------------------------------------

    def _connect(
        self, url: str | None, key: str | None, spool: str | os.PathLike[str] | None, spool_bytes: int, timeout: float
    ) -> None:
        address = (url or os.environ.get("CLAWATCH_URL") or DEFAULT_URL).rstrip("/")
        secret = key if key is not None else os.environ.get("CLAWATCH_KEY")
        if not 1 <= len(self.agent) <= _MAX_ID or not self.agent.isprintable():
            log.warning("clawatch: nothing is reported: an agent id has 1 to 200 printable characters")
            return
        try:
            transport = Transport(address, secret or None, timeout)
        except ValueError as error:
            log.warning("clawatch: nothing is reported: %s", error)
            return
        root = default_root() if spool == "default" else spool
        kept = None if root is None else Spool(folder(Path(root), address, self.agent), spool_bytes)
        self._commands = Commands(transport, self.agent, self._handle)
        self._sender = Sender(transport.clone(), kept, self._commands.offer, self._beat)

    def _encode(
        self, type: str, data: Mapping[str, Any], id: str | None, call_id: str | None, phase: str | None,
        session: str | None,
    ) -> bytes:
        event: dict[str, Any] = {
            "id": id or uuid.uuid4().hex,
            "agentId": self.agent,
            **self._facts,
            "type": type,
            "timestamp": timestamp(),
            "sessionId": session or self.session,
        }
        if type in ("heartbeat", "status_change"):
            event |= {key: value for key, value in self._more_facts.items() if value}
        optional = {"callId": call_id, "phase": phase}
        event |= {key: value for key, value in optional.items() if value is not None}
        event["data"] = {key: value for key, value in data.items() if value is not None}
        return encode(event)

    def _beat(self) -> Line:
        data: dict[str, Any] = {"progress": self._has_progressed()}
        return Line(self._encode("heartbeat", data, None, None, None, None), is_kept=False)

    def _has_progressed(self) -> bool:
        return not self._pause.is_wanted and (not self._watch_progress or self._progress())

    def _used_cpu(self) -> bool:
        before, self._cpu_before = self._cpu_before, time.process_time()
        return self._cpu_before - before > _BUSY

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._pause = Pause()
        self._depth = 0
        if self._sender is not None:
            self._sender.reset()
        if self._commands is not None:
            self._commands.reset()


_living: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_living):
        if client._depth:
            client._depth = 1
            client.stop()
        client.close(timeout=2.0)


def _after_fork() -> None:
    for client in list(_living):
        client._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
