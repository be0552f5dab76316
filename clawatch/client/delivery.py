"""One delivery of events: what the daemon's answer means for them, and when to try again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clawatch.client.transport import Answer, Transport, Unreachable

log = logging.getLogger("clawatch.client")

_MAX_BACKOFF = 30.0
_REFUSED = frozenset({400, 413, 422})
"""Statuses that say the events themselves are wrong: sending them again cannot help."""


class Delivery:
    """``answered`` gets the commands that came with an answer."""

    def __init__(self, transport: Transport, answered: Callable[[list[Any]], None], fallback: str) -> None:
        """``fallback``: what happens to events meanwhile, for the log."""
        self._transport = transport
        self._answered = answered
        self._fallback = fallback
        self.refused = 0
        """Events that the daemon will never take."""
        self.failures = 0
        """Attempts in a row that failed."""
        self.failing_since: float | None = None
        self.not_before = 0.0
        """Monotonic time of the next attempt."""

    def deliver(self, lines: Sequence[bytes], headers: Mapping[str, str]) -> bool:
        """Whether these events are done with; else they are to be sent again after ``not_before``."""
        try:
            answer = self._transport.post("/api/events", b"[" + b",".join(lines) + b"]", headers)
        except Unreachable as error:
            self.fail(str(error))
            return False
        if answer.is_success:
            self._succeed(answer)
            return True
        if answer.status in _REFUSED:
            return self._refuse(lines, headers, answer)
        self.fail(answer.said, answer.retry_after)
        return False

    def fail(self, why: str, retry_after: float | None = None) -> None:
        """Try again later: when asked to, else after a growing pause."""
        now = time.monotonic()
        if self.failing_since is None:
            self.failing_since = now
            log.warning("ClaWatch takes no events (%s); they are %s", why, self._fallback)
        self.failures += 1
        backoff = min(_MAX_BACKOFF, 0.5 * float(2 ** min(self.failures, 10))) * random.uniform(0.5, 1.0)  # noqa: S311
        self.not_before = now + (backoff if retry_after is None else retry_after)

    def close(self) -> None:
        self._transport.close()

    def _refuse(self, lines: Sequence[bytes], headers: Mapping[str, str], answer: Answer) -> bool:
        """One wrong event must not take its batch with it: halve until it is found."""
        if len(lines) > 1 and not answer.body.get("rejected"):
            middle = len(lines) // 2
            return self.deliver(lines[:middle], headers) and self.deliver(lines[middle:], headers)
        self.refused += len(lines)
        log.warning("ClaWatch refused %d events: %s", len(lines), _first_refusal(answer))
        return True

    def _succeed(self, answer: Answer) -> None:
        if self.failing_since is not None:
            log.warning("ClaWatch takes events again")
        self.failing_since = None
        self.failures = 0
        self.not_before = 0.0
        if answer.body.get("rejected"):
            self.refused += 1
            log.warning("ClaWatch refused an event: %s", _first_refusal(answer))
        commands = answer.body.get("commands")
        if isinstance(commands, list) and commands:
            self._answered(commands)


def _first_refusal(answer: Answer) -> str:
    rejected = answer.body.get("rejected")
    if isinstance(rejected, list) and rejected and isinstance(rejected[0], dict):
        return str(rejected[0].get("error", ""))[:500]
    return answer.said[:500]
