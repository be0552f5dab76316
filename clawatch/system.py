"""The daemon's view of itself: which parts there are, and how they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from clawatch import __version__
from clawatch.alerting.outbox import Worker
from clawatch.domain.time import Millis
from clawatch.guards import Guard
from clawatch.ports import Condition, PartReport, StoreHealth, SystemReport
from clawatch.pulse import Pulse
from clawatch.rules import Rules

RESTART_AFTER = 1.0
"""Seconds until a loop that failed goes on."""


@dataclass
class Loops:
    """The daemon's own loops: each restarted when it fails, all ended together."""

    log: FilteringBoundLogger
    pulse: Pulse = field(default_factory=Pulse)
    failing: dict[str, str] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def every(
        self, name: str, seconds: float, work: Callable[[], Awaitable[object]], busy: float = 0.0
    ) -> None:
        """Do ``work`` again and again, with a pause of so many seconds; one round that succeeds and all is well.

        Each round is a beat of the pulse, failed or not: a loop that fails still goes on. ``busy`` is how many
        seconds a round may wait for others.
        """
        self.tasks.append(asyncio.create_task(self._keep(name, seconds, work, busy), name=name))

    async def _keep(self, name: str, seconds: float, work: Callable[[], Awaitable[object]], busy: float) -> None:
        while True:
            self.pulse.beat(name, seconds + busy)
            try:
                await work()
                self.failing.pop(name, None)
                await asyncio.sleep(seconds)
            except Exception as error:
                self.failing[name] = f"{type(error).__name__}: {error}"
                self.log.exception("loop.failed", loop=name)
                await asyncio.sleep(RESTART_AFTER)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for task in self.tasks:
            self.pulse.forget(task.get_name())


@dataclass
class System:
    """Gathers what there is to say of the daemon itself."""

    started_at: Millis
    loops: Loops
    rules: Rules
    workers: Sequence[Worker]
    head: Callable[[], int]
    parts: tuple[PartReport, ...]
    """What does not change while the daemon runs: plugins."""
    doors: Sequence[str] = ()
    failing_routes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """See ``web.counters.Counters.failing``."""
    guards: list[Guard] = field(default_factory=list)
    broken: list[PartReport] = field(default_factory=list)
    """What could not be opened."""
    sources: list[tuple[str, object]] = field(default_factory=list)
    """Each under its name, as it was opened."""

    def guard(self, section: str, name: str) -> Guard:
        """A guard whose state is reported from now on."""
        self.guards.append(Guard(section, name, self.loops.log))
        return self.guards[-1]

    def report(self) -> SystemReport:
        """Everything but the store's own part, which the caller adds."""
        guarded = [guard.report() for guard in self.guards]
        parts = (
            *self.parts, *self.broken, *guarded, *self._source_parts(), *self._door_parts(), *self._rule_parts(),
            *self._notifier_parts(), *self._loop_parts(),
        )
        return SystemReport(
            version=__version__,
            started_at=self.started_at,
            store=StoreHealth(ok=True),
            outbox=0,
            journal_head=self.head(),
            rules_behind=max(0, self.head() - self.rules.offset),
            parts=parts,
            status="degraded" if self._is_degraded() else "ok",
        )

    def _is_degraded(self) -> bool:
        is_any_off = any(running.switched_off for running in self.rules.rules) or any(g.is_off for g in self.guards)
        loops = self.loops
        return self.rules.is_blocked or is_any_off or bool(self.broken or loops.failing or loops.pulse.late())

    def _source_parts(self) -> list[PartReport]:
        return [_source_part(name, source) for name, source in self.sources]

    def _door_parts(self) -> list[PartReport]:
        failures = Counter[str]()
        for (door, _), times in self.failing_routes.items():
            failures[door] += times
        return [_door_part(name, failures[name]) for name in self.doors]

    def _rule_parts(self) -> list[PartReport]:
        return [
            PartReport(
                section="rules",
                name=running.name,
                state="switched off" if running.switched_off else "ok",
                detail=running.switched_off,
            )
            for running in self.rules.rules
        ]

    def _notifier_parts(self) -> list[PartReport]:
        return [
            PartReport(section="notifiers", name=w.name, state=w.state.partition(":")[0], detail=w.state)
            for w in self.workers
        ]

    def _loop_parts(self) -> list[PartReport]:
        late = [name for name in self.loops.pulse.late() if name not in self.loops.failing]
        return [
            *(
                PartReport(section="loops", name=name, state="failing", detail=detail)
                for name, detail in self.loops.failing.items()
            ),
            *(PartReport(section="loops", name=name, state="late") for name in late),
        ]


def _source_part(name: str, source: object) -> PartReport:
    report = getattr(source, "report", None)
    try:
        condition = report() if report is not None else Condition()
    except Exception as error:
        condition = Condition(state="failing", detail=f"cannot say how it is: {type(error).__name__}")
    return PartReport(section="sources", name=name, state=condition.state, detail=condition.detail)


def _door_part(name: str, failures: int) -> PartReport:
    if not failures:
        return PartReport(section="apis", name=name, state="ok")
    detail = f"did not answer its last requests, {failures} so far; the log says why"
    return PartReport(section="apis", name=name, state="failing", detail=detail)
