"""The check-up as a whole, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from statistics import median
from time import time
from types import SimpleNamespace
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TraceConfig, TraceRequestEndParams

from clawatch.apis.callers import Place
from clawatch.clock import SystemClock
from clawatch.config.effective import Config
from clawatch.config.loading import Loaded, find_config, load
from clawatch.config.problems import ConfigError
from clawatch.doctor import daemon, machine, parts
from clawatch.domain.remarks import Level, Remark, wrong
from clawatch.settings import Surroundings

CALL_WITHIN = 15.0


@dataclass(frozen=True)
class Finding:
    section: str
    remark: Remark

    @property
    def is_wrong(self) -> bool:
        return self.remark.level is Level.ERROR


@dataclass
class _Dates:
    """How far our clock was ahead of each machine that answered, by its ``Date`` (to the second)."""

    ahead: list[float] = field(default_factory=list)

    async def note(self, session: ClientSession, context: SimpleNamespace, answered: TraceRequestEndParams) -> None:
        try:
            theirs = parsedate_to_datetime(answered.response.headers.get("Date", "")).timestamp()
        except (ValueError, TypeError):
            return
        self.ahead.append(time() - theirs)


async def examine(
    config_file: Path | None, options: dict[str, Any], is_online: bool = False
) -> AsyncIterator[Finding]:
    """Everything there is to say. Changes nothing; without ``is_online`` nobody but our own daemon is asked."""
    try:
        loaded = load(find_config(config_file), options=options)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", wrong(str(problem), "mend it; config.example.yaml has every key"))
        return
    for section, remarks in _of_machine(loaded):
        for remark in remarks:
            yield Finding(section, remark)
    for remark in await machine.of_clocks(loaded.config):
        yield Finding("clock", remark)
    async for section, remark in daemon.of_store(loaded.config, SystemClock().now().wall):
        yield Finding(section, remark)
    async for finding in _of_parts(loaded.config, is_online):
        yield finding


def _of_machine(loaded: Loaded) -> list[tuple[str, Iterable[Remark]]]:
    return [
        ("configuration", parts.of_configuration(loaded)),
        ("plugins", parts.of_plugins(loaded)),
        ("permissions", machine.of_files(loaded)),
        ("disk", machine.of_disk(loaded.config.data_dir)),
        ("limits", [machine.of_descriptors()]),
    ]


async def _of_parts(config: Config, is_online: bool) -> AsyncIterator[Finding]:
    server = config.server
    public_url = Place(server.host, server.port, server.public_url).public_url
    if not is_online:
        async for section, remark in parts.of_parts(config, Surroundings(public_url)):
            yield Finding(section, remark)
        return
    dates, tracing = _Dates(), TraceConfig()
    tracing.on_request_end.append(dates.note)
    async with ClientSession(timeout=ClientTimeout(total=CALL_WITHIN), trace_configs=[tracing]) as session:
        async for section, remark in parts.of_parts(config, Surroundings(public_url, session)):
            yield Finding(section, remark)
    if dates.ahead:
        yield Finding("clock", machine.of_drift(median(dates.ahead)))
