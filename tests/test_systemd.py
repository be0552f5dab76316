"""The datagrams of sd_notify(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawatch.systemd import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What ``$NOTIFY_SOCKET`` says, and the socket behind it."""
    path = str(tmp_path / "notify") if request.param == "path" else f"@clawatch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path.replace("@", "\0", 1))
        sock.settimeout(5)
        yield path, sock


def test_what_we_say_arrives(manager: tuple[str, socket.socket]) -> None:
    address, sock = manager
    we = ServiceManager(address)
    we.ready("listening")
    assert sock.recv(4096) == b"READY=1\nSTATUS=listening"
    we.reloading()
    first, stamp, _ = sock.recv(4096).split(b"\n")
    assert first == b"RELOADING=1"
    assert int(stamp.removeprefix(b"MONOTONIC_USEC=")) > 0
    we.ping()
    assert sock.recv(4096) == b"WATCHDOG=1"
    we.stopping()
    assert sock.recv(4096) == b"STOPPING=1\nSTATUS=stopping"
    we.close()


def test_a_status_is_one_line_and_said_once(manager: tuple[str, socket.socket]) -> None:
    address, sock = manager
    we = ServiceManager(address)
    we.say("a\nREADY=1\x1b")
    we.say("a\nREADY=1\x1b")
    we.ping()
    assert sock.recv(4096) == b"STATUS=a READY=1 "
    assert sock.recv(4096) == b"WATCHDOG=1"
    we.close()


def test_the_environment_is_read_and_kept_from_children(manager: tuple[str, socket.socket]) -> None:
    address, _ = manager
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    we = ServiceManager.from_environment(environ)
    assert (we.is_there, we.watchdog) == (True, 2.5)
    assert environ == {"HOME": "/"}
    we.close()


@pytest.mark.parametrize(
    ("environ", "is_there"),
    [
        ({}, False),
        ({"WATCHDOG_USEC": "1000000"}, False),
        ({"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1000000"}, False),
        ({"NOTIFY_SOCKET": "@"}, False),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, True),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, True),
    ],
)
def test_who_does_not_watch_us_is_not_pinged(environ: dict[str, str], is_there: bool) -> None:
    we = ServiceManager.from_environment(environ)
    assert we.is_there is is_there
    assert we.watchdog is None or not is_there
    we.ready("said to nobody")
    we.close()
