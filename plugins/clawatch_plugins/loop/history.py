"""The last calls of one session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from clawatch_plugins.loop.calls import Basis, Call, Failure

WINDOW = 50
"""Equal calls, errors and refusals count among so many calls."""
LONGEST_PERIOD = 40
KEPT = 3 * LONGEST_PERIOD
"""Enough for three times through the longest cycle."""


class History:
    __slots__ = ("_calls", "_errors", "_signatures", "_total")

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._signatures: list[int] = []
        self._errors: deque[tuple[int, Failure]] = deque(maxlen=WINDOW)
        """(calls before it, what): errors that are no calls."""
        self._total = 0

    def add(self, call: Call) -> None:
        self._calls.append(call)
        self._signatures.append(call.signature)
        self._total += 1
        if len(self._calls) >= 2 * KEPT:
            del self._calls[:-KEPT]
            del self._signatures[:-KEPT]

    def add_error(self, failure: Failure) -> None:
        self._errors.append((self._total, failure))

    def find(self, seq: int) -> Call | None:
        """The call that this journal entry told of, if it is among the last."""
        return next((call for call in reversed(self._calls[-WINDOW:]) if call.seq == seq), None)

    def replace(self, old: Call, new: Call) -> None:
        place = self._calls.index(old)
        self._calls[place] = new
        self._signatures[place] = new.signature

    @property
    def last(self) -> Call | None:
        return self._calls[-1] if self._calls else None

    def same_as(self, call: Call) -> int:
        """How many of the last calls are the same, itself included."""
        return self._signatures[-WINDOW:].count(call.signature)

    def runs_of(self, call: Call) -> int:
        """In how many runs the same calls came."""
        return len({one.run for one in self._calls[-WINDOW:] if one.signature == call.signature})

    def blocked(self) -> int:
        return sum(call.is_blocked for call in self._calls[-WINDOW:])

    def tail(self, length: int) -> list[Call]:
        return self._calls[-length:]

    def unbroken(self, name: str) -> int:
        """How many calls of which this name alone is known came last without another in between."""
        count = 0
        for call in reversed(self._calls):
            if call.name != name or call.basis is not Basis.NAME:
                break
            count += 1
        return count

    def repeats(self, period: int) -> int:
        """How many times the last ``period`` calls have come in the same order, one right after the other."""
        signatures = self._signatures
        end = len(signatures)
        matched = 0
        while matched < end - period and signatures[end - 1 - matched] == signatures[end - 1 - matched - period]:
            matched += 1
        return matched // period + 1

    def failures_like(self, failure: Failure) -> int:
        """The same error among the last calls. Mere kinds of error count only where nothing else came between."""
        since = max(0, self._total - WINDOW)
        calls = 0
        for back, call in enumerate(self._recent()):
            if call.failure == failure:
                calls += 1
            elif failure.is_bare:
                since = self._total - back
                break
        return calls + sum(at >= since and one == failure for at, one in self._errors)

    def _recent(self) -> Iterator[Call]:
        return reversed(self._calls[-WINDOW:])
