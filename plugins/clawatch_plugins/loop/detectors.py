"""The ways in which calls go round in circles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from clawatch.domain.alerts import SEVERITY_RANK, Severity
from clawatch.domain.words import one_line
from clawatch_plugins.loop.calls import Basis, Call, Failure
from clawatch_plugins.loop.history import LONGEST_PERIOD, History

BLOCKED = (3, 6)
BY_NAME = (30, 60)
"""From how many calls in a row a name alone is told of, and told of again; never more than a warning."""
PING_PONG = 4
CYCLE = 3
LONG: int = 30
"""A cycle that has gone on for so many calls is critical."""


class Levels(Protocol):
    """The part of the settings that the detectors look at."""

    @property
    def warn(self) -> int: ...
    @property
    def critical(self) -> int: ...


class Found(Struct, frozen=True, kw_only=True):
    """A loop, as of the call just seen."""

    kind: str
    severity: Severity
    count: int
    tool: str
    message: str
    basis: Basis | None = None
    period: int = 1
    error: str = ""
    may_brake: bool = True

    @property
    def rank(self) -> int:
        return SEVERITY_RANK[self.severity]


def detect(history: History, call: Call, error: str | None, levels: Levels) -> Found | None:
    """The gravest loop that a call is part of; None when it is part of none."""
    found = list(_detect(history, call, levels))
    if call.failure is not None:
        found += same_error(history, call.failure, error or "", call.name, levels)
    return max(found, key=lambda one: one.rank, default=None)


def _detect(history: History, call: Call, levels: Levels) -> Iterator[Found]:
    is_last = call is history.last
    if call.basis is Basis.NAME:
        if is_last:
            yield from _by_name(history, call)
    else:
        count = history.same_as(call)
        if count > 1:
            yield from _same_call(history, call, count, levels)
            if is_last:
                yield from _cycle(history)
    if call.is_blocked:
        yield from _blocked(history, call)


def _same_call(history: History, call: Call, count: int, levels: Levels) -> Iterator[Found]:
    in_a_circle = count - (history.runs_of(call) - 1)  # once in each run is what runs are for
    if in_a_circle < levels.warn:
        return
    tool = one_line(call.name, 40)
    yield Found(
        kind="same_call",
        severity=_severity(in_a_circle, (levels.warn, levels.critical)),
        count=count,
        tool=tool,
        basis=call.basis,
        message=f"Loop — {tool} called {count} times with {call.basis.words}",
        may_brake=call.basis < Basis.SIZE,
    )


def _cycle(history: History) -> Iterator[Found]:
    """The shortest cycle that has come round often enough."""
    for period in range(2, LONGEST_PERIOD + 1):
        repeats = history.repeats(period)
        if repeats >= (PING_PONG if period == 2 else CYCLE):
            unit = history.tail(period)
            if len({call.signature for call in unit}) > 1 and not _is_once_per_run(history, period):
                yield _found_cycle(unit, repeats)
            return


def _is_once_per_run(history: History, period: int) -> bool:
    tail = history.tail(period + 1)
    return tail[0].run != tail[-1].run


def _found_cycle(unit: list[Call], repeats: int) -> Found:
    basis = max(call.basis for call in unit)
    names = [one_line(call.name, 30) for call in unit]
    shown = ", ".join(dict.fromkeys(names[:3]))
    is_ping_pong = len(unit) == 2
    what = " and ".join(names) if is_ping_pong else f"the same {len(unit)} calls ({shown})"
    return Found(
        kind="ping_pong" if is_ping_pong else "cycle",
        severity=Severity.CRITICAL if len(unit) * repeats >= LONG else Severity.WARNING,
        count=repeats,
        tool=shown,
        basis=basis,
        period=len(unit),
        message=f"Loop — {what} in turn, {repeats} times over, with {basis.words}",
        may_brake=basis < Basis.SIZE,
    )


def _by_name(history: History, call: Call) -> Iterator[Found]:
    count = history.unbroken(call.name)
    if count < BY_NAME[0]:
        return
    tool = one_line(call.name, 40)
    yield Found(
        kind="name_only",
        severity=Severity.WARNING,
        count=count,
        tool=tool,
        basis=Basis.NAME,
        message=f"Loop? — {tool} called {count} times in a row, {Basis.NAME.words}",
        may_brake=False,
    )


def _blocked(history: History, call: Call) -> Iterator[Found]:
    count = history.blocked()
    if count < BLOCKED[0]:
        return
    tool = one_line(call.name, 40)
    yield Found(
        kind="blocked",
        severity=_severity(count, BLOCKED),
        count=count,
        tool=tool,
        message=f"Loop — {count} calls were blocked and it goes on, last {tool}",
    )


def same_error(history: History, failure: Failure, error: str, tool: str, levels: Levels) -> Iterator[Found]:
    count = history.failures_like(failure)
    if count < levels.warn:
        return
    said = one_line(error, 120)
    yield Found(
        kind="same_error",
        severity=_severity(count, (levels.warn, levels.critical)),
        count=count,
        tool=one_line(tool, 40),
        error=said,
        message=f"Loop — the same error {count} times: {said}",
    )


def _severity(count: int, levels: tuple[int, int]) -> Severity:
    return Severity.CRITICAL if count >= levels[1] else Severity.WARNING
