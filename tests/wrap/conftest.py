from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from clawatch.testing.standin import StandIn, running_standin
from clawatch.wrap import processes
from clawatch.wrap.processes import Process

KEY = "cw_the-key-of-the-wrapped-agent"
WRAP = "from clawatch.cli.agents import wrap; wrap()"


class Wrapping:
    """Starts ``clawatch wrap`` as a process and ends all of it afterwards."""

    def __init__(self, daemon: StandIn, home: Path) -> None:
        self.daemon = daemon
        self.environment = {
            **os.environ, "CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": KEY, "XDG_STATE_HOME": str(home)
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, *command: str, options: tuple[str, ...] = (), code: str = WRAP, **popen: Any
    ) -> subprocess.Popen[bytes]:
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        line = [sys.executable, "-c", code, "--agent", "w", *options, "--", *command]
        process = subprocess.Popen(line, env=self.environment, **popen)
        self._started.append(process)
        return process

    def run(self, *command: str, options: tuple[str, ...] = (), **popen: Any) -> tuple[int, bytes, bytes]:
        process = self.start(*command, options=options, **popen)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def end(self) -> None:
        for process in self._started:
            for one in below(process):
                processes.send(one, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.communicate(timeout=10)


def below(wrapping: subprocess.Popen[bytes]) -> list[Process]:
    """Everybody alive below a wrap."""
    return [one for one in processes.descendants(wrapping.pid).values() if not one.is_dead]


@pytest.fixture
def family() -> Callable[[subprocess.Popen[bytes]], list[Process]]:
    return below


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    def wait(condition: Callable[[], Any], timeout: float = 15.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, "it did not come true"
            time.sleep(0.01)
        return value

    return wait


@pytest.fixture
def daemon() -> Iterator[StandIn]:
    with running_standin(KEY) as standin:
        yield standin


@pytest.fixture
def wrapping(daemon: StandIn, tmp_path: Path) -> Iterator[Wrapping]:
    one = Wrapping(daemon, tmp_path / "state")
    yield one
    one.end()
