"""What plugins are given: the narrow ports of the core, together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Protocol

from clawatch.domain.journal import Entry
from clawatch.domain.metrics import Metrics
from clawatch.domain.time import Millis
from clawatch.ports.access import AccessPort
from clawatch.ports.clock import Clock
from clawatch.ports.commands import CommandsPort
from clawatch.ports.ingest import IngestPort
from clawatch.ports.marks import MarksPort, PassingMarks
from clawatch.ports.parts import Vocabulary
from clawatch.ports.queries import QueriesPort
from clawatch.ports.recordings import RecordingsPort, nowhere
from clawatch.ports.settings import NoSettings, SettingsPort
from clawatch.ports.work import NoWork, WorkPort

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from structlog.typing import FilteringBoundLogger


class BusPort(Protocol):
    """Live views. Never the way to lose nothing: for that, read the journal by cursor."""

    def subscribe(self, size: int = 1024) -> AbstractAsyncContextManager[Subscription]: ...


class Subscription(Protocol):
    """A bounded queue of journal entries. When the reader is too slow it is dropped, never waited for."""

    @property
    def is_dropped(self) -> bool: ...

    def __aiter__(self) -> AsyncIterator[Entry]:
        """Entries as they are committed; ends when dropped or closed."""
        ...


class SchedulerPort(Protocol):
    """Calendar jobs. Misfires run late and once; schedules survive jumps of the wall clock."""

    def every(self, name: str, period: Millis, job: Callable[[], Awaitable[None]]) -> None: ...

    def daily(self, name: str, at: str, job: Callable[[], Awaitable[None]]) -> None:
        """``at`` is HH:MM in the configured time zone."""
        ...


class HttpPort(Protocol):
    @property
    def session(self) -> ClientSession:
        """For requests to elsewhere; opened at first use, closed with the daemon."""
        ...


@dataclass(frozen=True)
class Core:
    """What a plugin may touch."""

    ingest: IngestPort
    queries: QueriesPort
    commands: CommandsPort
    access: AccessPort
    bus: BusPort
    clock: Clock
    scheduler: SchedulerPort
    http: HttpPort
    log: FilteringBoundLogger
    timezone: tzinfo = UTC
    """The configured one: where days and months begin."""
    vocabularies: tuple[Vocabulary, ...] = ()
    """What the OpenTelemetry door maps records with, in order of registration."""
    metrics: Metrics = field(default_factory=Metrics)
    """Figures about the daemon itself; count your own in it, or gather all there are."""
    marks: MarksPort = field(default_factory=PassingMarks)
    recordings: RecordingsPort = field(default_factory=nowhere)
    work: WorkPort = field(default_factory=NoWork)
    settings: SettingsPort = field(default_factory=NoSettings)
