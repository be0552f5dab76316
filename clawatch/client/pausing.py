"""Cooperative pause: what the owner wants, and the agent's thread that waits for it."""

from __future__ import annotations

import threading

from clawatch.client.commands import Command, Result

CONTROLS = frozenset({"pause", "resume", "start", "stop"})


class Pause:
    """A pause is confirmed when the agent truly waits, a stop when it truly ends; not before."""

    def __init__(self) -> None:
        self._may_go = threading.Event()
        self._may_go.set()
        self._lock = threading.RLock()
        self._pauses: list[str] = []
        self._stops: list[str] = []
        self.is_wanted = False
        self.is_stop_wanted = False

    def heed(self, command: Command) -> Result | None:
        """Take note of a control command; the result where there is one at once."""
        with self._lock:
            match command.type:
                case "pause":
                    self.is_wanted = True
                    self._pauses.append(command.id)
                    self._may_go.clear()
                case "resume" | "start":
                    self.is_wanted = self.is_stop_wanted = False
                    self._pauses.clear()
                    self._may_go.set()
                    return Result("confirmed")
                case "stop":
                    self.is_stop_wanted = True
                    self._stops.append(command.id)
                    self._may_go.set()
        return None

    def wait(self, timeout: float | None) -> None:
        """Until it may go on."""
        self._may_go.wait(timeout)

    def take_pauses(self) -> list[str]:
        """Ids of pauses whose waiting begins now."""
        with self._lock:
            taken, self._pauses = self._pauses, []
            return taken

    def take_stops(self) -> list[str]:
        """Ids of stops that the agent's end fulfils."""
        with self._lock:
            taken, self._stops = self._stops, []
            return taken
