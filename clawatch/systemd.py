"""What a service manager wants to know of us, in the protocol of sd_notify(3): datagrams to ``$NOTIFY_SOCKET``.

The protocol is stable and a few lines long, so it needs no library.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

SEND_TIMEOUT = 0.5
"""Seconds to wait while the manager's queue is full."""
LONGEST_STATUS = 200


class ServiceManager:
    """Tells the one who started us how we are; without one, tells nobody. Never raises."""

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        """``watchdog``: seconds after which it takes us for dead when it hears nothing; None: it does not watch."""
        self._address = None if address is None else _reachable(address)
        self.watchdog = watchdog if self._address is not None else None
        self._socket = None if self._address is None else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._status = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> ServiceManager:
        """Takes the variables out, so that children do not speak for us."""
        address = environ.pop("NOTIFY_SOCKET", "") or None
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_for_us = pid in ("", str(os.getpid()))
        watched = address is not None and is_for_us and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if watched else None)

    @property
    def is_there(self) -> bool:
        return self._socket is not None

    def ready(self, status: str) -> None:
        """We are up; or up again, after ``reloading``."""
        self._send("READY=1", self._said(status))

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", self._said("reading configuration"))

    def stopping(self) -> None:
        self._send("STOPPING=1", self._said("stopping"))

    def ping(self) -> None:
        """We are alive; say it more often than ``watchdog``."""
        self._send("WATCHDOG=1")

    def say(self, status: str) -> None:
        """One line for ``systemctl status``."""
        if _one_line(status) != self._status:
            self._send(self._said(status))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _said(self, status: str) -> str:
        self._status = _one_line(status)
        return f"STATUS={self._status}"

    def _send(self, *fields: str) -> None:
        if self._socket is None or self._address is None:
            return
        self._socket.settimeout(SEND_TIMEOUT)
        with suppress(OSError):  # the manager has gone, or cannot hear us; there is nobody else to tell
            self._socket.sendto("\n".join(fields).encode(), self._address)


def _reachable(address: str) -> str | None:
    """A path, or with ``@`` a name in the abstract namespace, as the socket wants it; None for other transports."""
    if address[0] not in "/@" or len(address) == 1:
        return None
    return "\0" + address[1:] if address[0] == "@" else address


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:LONGEST_STATUS]
