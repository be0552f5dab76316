"""A rule at work: what it finds, what becomes of it when it raises, and when it is to be woken."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from structlog.typing import FilteringBoundLogger

from clawatch.domain.alerts import AlertType
from clawatch.domain.time import Millis
from clawatch.domain.verdicts import Finding, Wake
from clawatch.ports import Rule

MAX_FAILURES = 5
"""Raises in a row after which a rule is switched off until the daemon restarts."""
MAX_FINDINGS = 10_000
"""What a rule may find at once."""
MAX_WAKES = 200_000
"""What a rule may ask for before it is woken; several for each of very many agents."""


@dataclass
class Running:
    """A rule at work."""

    name: str
    alert_type: AlertType
    rule: Rule
    failures: int = 0
    switched_off: str = ""
    wakes: int = 0
    """How many it still waits for."""

    def safely(
        self, log: FilteringBoundLogger, judge: Callable[..., Iterable[Finding] | None], *arguments: Any
    ) -> list[Finding]:
        """What it finds. One that raises is reported, one that keeps raising is switched off; the others go on.

        So is one whose findings could not be stored: they would take the others' with them.
        """
        try:
            found = judge(*arguments)
        except Exception as error:
            self.failed(error, log)
            return []
        return self.checked(found, log)

    def checked(self, found: Iterable[Finding] | None, log: FilteringBoundLogger) -> list[Finding]:
        """What it has returned: a generator of findings may still raise, and not all can be stored."""
        try:
            checked = _checked(found) if found else []  # mostly there is nothing
        except Exception as error:
            self.failed(error, log)
            return []
        self.failures = 0
        return checked

    def failed(self, error: Exception, log: FilteringBoundLogger) -> None:
        self.failures += 1
        log.exception("rule.failed", rule=self.name, failures=self.failures)
        if self.failures >= MAX_FAILURES:
            self.switch_off(f"switched off after {MAX_FAILURES} failures: {type(error).__name__}", log)

    def switch_off(self, why: str, log: FilteringBoundLogger) -> None:
        self.switched_off = why
        log.error("rule.switched_off", rule=self.name, why=why)


def _checked(findings: Iterable[Finding]) -> list[Finding]:
    """Raises for what nobody could store, be it for its kind or for its number."""
    found = list(islice(findings, MAX_FINDINGS + 1))
    if len(found) > MAX_FINDINGS:
        raise OverflowError(f"found more than {MAX_FINDINGS} things at once")
    for finding in found:
        msgspec.json.decode(msgspec.json.encode(finding), type=type(finding))
    return found


class Wakes:
    """When which rule asked to be woken, the soonest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[Millis, int, Running, Wake]] = []
        self._order = itertools.count()

    def note(self, running: Running, wake: Wake) -> bool:
        """False, and it is not noted, when this rule asks for more than anybody can remember."""
        if running.wakes >= MAX_WAKES:
            return False
        running.wakes += 1
        heapq.heappush(self._heap, (wake.mono, next(self._order), running, wake))
        return True

    @property
    def next_at(self) -> Millis | None:
        """Monotonic."""
        return self._heap[0][0] if self._heap else None

    def due(self, mono: Millis) -> list[tuple[Running, Wake]]:
        """Take out what is due, a list: what is asked for while it is worked through comes next time."""
        due: list[tuple[Running, Wake]] = []
        while self._heap and self._heap[0][0] <= mono:
            _, _, running, wake = heapq.heappop(self._heap)
            running.wakes -= 1
            due.append((running, wake))
        return due
