"""Guesses: wrong secrets, counted per address, so that nobody tries keys or login codes in numbers."""

from __future__ import annotations

from collections import OrderedDict

from clawatch.apis.limits import Buckets
from clawatch.domain.access import hash_secret
from clawatch.domain.time import Millis
from clawatch.ports import Clock, TooMany
from clawatch.settings import RateLimit

MAX_REMEMBERED = 10_000

Mark = tuple[str, str]


class Guesses:
    """At most so many different wrong secrets per guesser (an address, mostly) and period; TooMany beyond.

    The same wrong secret again is a misconfigured agent, not a guess, and costs nothing. Keys made by us
    cannot be guessed and always work; one that the operator chose might be, so while its guesser is over
    the limit it works only where it was right before.
    """

    def __init__(self, rate: RateLimit | None) -> None:
        self._buckets = None if rate is None else Buckets(rate)
        self.wrong = 0
        """Secrets that were."""
        self.refused = 0
        """Tries that were one too many."""
        self._wrong: OrderedDict[Mark, None] = OrderedDict()
        self._welcome: OrderedDict[Mark, None] = OrderedDict()

    def count(self, who: str, mono: Millis) -> None:
        """A try that is worth counting whatever comes of it."""
        if self._buckets is not None:
            self._refuse(self._buckets.take(who, mono))

    def count_wrong(self, who: str, secret: str, mono: Millis) -> None:
        self.wrong += 1
        mark = (who, hash_secret(secret)[:16])
        if mark not in self._wrong:
            self.count(who, mono)
        _remember(self._wrong, mark)

    def check_right(self, who: str, key_name: str, clock: Clock) -> None:
        """A secret that the operator chose was right."""
        mark = (who, key_name)
        if mark not in self._welcome and self._buckets is not None:
            self._refuse(self._buckets.wait(who, clock.now().mono))
        _remember(self._welcome, mark)

    def _refuse(self, wait: float) -> None:
        if wait:
            self.refused += 1
            raise TooMany("Too many wrong keys or login codes from this address", wait)


def _remember(marks: OrderedDict[Mark, None], mark: Mark) -> None:
    marks[mark] = None
    marks.move_to_end(mark)
    if len(marks) > MAX_REMEMBERED:
        marks.popitem(last=False)
