"""The brake: stop, continue or end every process below us, and say so only when it is true.

Signalling the process group alone misses job-control and ``setsid`` children, and one walk over the tree misses
what forks meanwhile; so it is looked again until two looks agree. A frozen cgroup closes that gap: frozen, all get
SIGSTOP; thawed, they stop before they run; frozen again, nobody else's SIGCONT can start them.

A shell with job control that sees its child stopped takes that for Ctrl-Z and goes on without it. So parents are
stopped before their children and continued after them, and never see it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from clawatch.wrap import processes
from clawatch.wrap.freezer import Freezer
from clawatch.wrap.processes import Process

_LOOK = 0.01
_DEADLINE = 5.0
_ORDERLY = 1.0
"""Seconds for stopping in order; a parent that will not stop must not save its children from it."""
_NAMED = 10


class Outcome(NamedTuple):
    is_done: bool
    message: str


class Brake:
    """Works on all descendants of this process (which must be their subreaper) and the freezer's members.

    ``changed`` is called after every pause, resume and stop.
    """

    def __init__(self, freezer: Freezer | None, changed: Callable[[], None] = lambda: None) -> None:
        self._freezer = freezer
        self._changed = changed
        self._lock = threading.RLock()
        self._held: set[tuple[int, int]] = set()
        """Whom we stopped; what was stopped before stays so at resume."""
        self.is_paused = False
        self.is_stopping = False

    def pause(self) -> Outcome:
        with self._lock:
            self.is_paused = True
            self._stop_at_once()
            left = self._unfrozen(self._stop_until_quiet())
            count = len(self._alive())
        self._changed()
        if left:
            return Outcome(False, f"still running: {_names(left)}")
        return Outcome(True, f"{_count(count)} stopped")

    def hold(self) -> None:
        """Somebody may have continued what is paused: stop it again."""
        if not self._lock.acquire(blocking=False):
            return  # somebody is at work on it already
        try:
            if self.is_paused and self._unfrozen(self._running()):
                self._stop_until_quiet()
        finally:
            self._lock.release()

    def resume(self) -> Outcome:
        with self._lock:
            self.is_paused = False
            left = self._continue_until_running()
            if self._freezer is not None:
                self._freezer.thaw()
            self._held.clear()
        self._changed()
        if left:
            return Outcome(False, f"still stopped: {_names(left)}")
        return Outcome(True, "running again")

    def stop(self, grace: float) -> Outcome:
        """SIGTERM to all, after ``grace`` seconds SIGKILL to who is left."""
        with self._lock:
            self.is_stopping, self.is_paused = True, False
            is_clean = self._end(signal.SIGTERM, grace)
            if not is_clean:
                self._kill_group()
                self._end(signal.SIGKILL, _DEADLINE, is_insistent=True)
            left = self._alive()
        self._changed()
        if left:
            return Outcome(False, f"still alive: {_names(left)}")
        return Outcome(True, "ended" if is_clean else f"killed after {grace:g} s")

    def wait(self) -> None:
        """Until what is under way is done."""
        with self._lock:
            pass

    def left(self) -> list[Process]:
        """Who is alive below us."""
        return self._alive()

    def _stop_at_once(self) -> None:
        if self._freezer is None or not self._freezer.freeze():
            return
        for process in self._running():
            self._stop(process)
        self._freezer.thaw()

    def _stop_until_quiet(self) -> list[Process]:
        """Who still runs after all efforts."""
        began = time.monotonic()
        before: set[tuple[int, int]] | None = None
        while True:
            running = self._running()
            now = {process.identity for process in self._alive()}
            if not running and now == before:
                return []
            before = now
            elapsed = time.monotonic() - began
            if elapsed >= _DEADLINE:
                return running
            pids = {process.pid for process in running}
            for process in running:
                if process.parent not in pids or elapsed >= _ORDERLY:
                    self._stop(process)
            time.sleep(_LOOK)

    def _unfrozen(self, left: list[Process]) -> list[Process]:
        """Freeze again; who may not be signalled (a ``sudo`` of ours) is held by that alone."""
        if self._freezer is None or not self._freezer.freeze():
            return left
        members = self._freezer.members()
        return [process for process in left if process.pid not in members]

    def _running(self) -> list[Process]:
        return [process for process in self._alive() if not process.is_at_rest]

    def _stop(self, process: Process) -> None:
        if processes.send(process, signal.SIGSTOP) is None:
            self._held.add(process.identity)

    def _continue_until_running(self) -> list[Process]:
        """Who is still stopped after all efforts."""
        deadline = time.monotonic() + _DEADLINE
        while True:
            stopped = [process for process in self._alive() if process.state == "T" and process.identity in self._held]
            if not stopped or time.monotonic() >= deadline:
                return stopped
            for process in reversed(stopped):
                processes.send(process, signal.SIGCONT)
            time.sleep(_LOOK)

    def _end(self, number: signal.Signals, within: float, *, is_insistent: bool = False) -> bool:
        """Whether nobody was left in time. Each is signalled once, or at every look when insistent."""
        deadline = time.monotonic() + within
        told: set[tuple[int, int]] = set()
        while alive := self._alive():
            for process in alive:
                if is_insistent or process.identity not in told:
                    told.add(process.identity)
                    processes.send(process, number)
            self._let_act(alive)
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)
        return True

    def _let_act(self, alive: list[Process]) -> None:
        """A stopped process acts on a signal only once it is continued."""
        for process in reversed(alive):
            if process.state == "T":
                processes.send(process, signal.SIGCONT)
        if self._freezer is not None:
            self._freezer.thaw()

    def _kill_group(self) -> None:
        if self._freezer is not None:
            self._freezer.kill()

    def _alive(self) -> list[Process]:
        found = processes.descendants(os.getpid())
        for pid in self._freezer.members() if self._freezer is not None else ():
            if pid not in found and (process := processes.read(pid)) is not None:
                found[pid] = process
        return [process for process in found.values() if not process.is_dead]


def _names(left: list[Process]) -> str:
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return ", ".join(str(process) for process in left[:_NAMED]) + more


def _count(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"
