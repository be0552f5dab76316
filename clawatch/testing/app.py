"""The whole daemon within a test: real sockets, real plugins, a clock one can turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from clawatch.app import Daemon, keep, work
from clawatch.config.loading import load
from clawatch.ports import Clock
from clawatch.testing.clock import FakeClock

ADMIN_KEY = "cw_" + "k" * 43


@dataclass(frozen=True)
class App:
    """``url`` is where it listens, without a trailing slash; ``key`` may everything."""

    url: str
    key: str
    clock: Clock
    daemon: Daemon

    async def settle(self) -> None:
        """Return when the rules have read everything there is; what they say goes out by itself."""
        while await self.daemon.rules.step():
            pass
        await self.daemon.rules.step()


@asynccontextmanager
async def run_app(
    home: Path, config: Mapping[str, Any] | None = None, clock: Clock | None = None
) -> AsyncIterator[App]:
    """Run a daemon in this process, with its data below ``home`` and the store in memory unless told otherwise.

    ``config`` is what the configuration file would say. The daemon's loops run in real time and see what
    ``clock`` says; ``App.settle`` does at once what they would do soon.
    """
    file = home / "config.yaml"
    file.write_text(json.dumps({**_base(home), **(config or {})}))
    loaded = load(file, environ={})
    clock = clock or FakeClock()
    log = structlog.get_logger("clawatch")
    async with keep(loaded.config, log) as kept, work(loaded, kept, clock, log) as daemon:
        yield App(f"http://127.0.0.1:{daemon.access.place.port}", ADMIN_KEY, clock, daemon)


def _base(home: Path) -> dict[str, Any]:
    return {
        "server": {"port": 0},
        "data_dir": str(home / "data"),
        "timezone": "UTC",
        "auth": {"keys": [{"name": "ops", "key": ADMIN_KEY, "scopes": ["admin"], "user": "ops"}]},
        "storage": {"use": "memory"},
        "limits": {"rest": None, "ingest": None, "login": None},
    }
