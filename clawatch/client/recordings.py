"""Sending a recording line by line, and going on where a connection or an earlier attempt broke off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from clawatch.client.transport import Answer, Transport, Unreachable, segment

BATCH = 1024 * 1024
"""Bytes sent at once."""
ATTEMPTS = 8
"""At one batch, with growing pauses: about a minute and a half."""
_LONGEST_PAUSE = 30.0
_PATH = "/api/recordings"
_LINES = {"Content-Type": "application/x-ndjson"}


class Refused(Exception):
    """The daemon does not take it; says why."""


class BadLine(Refused):
    """It does not take one line: ``number`` is which."""

    def __init__(self, number: int, said: str) -> None:
        super().__init__(said)
        self.number = number


class Upload:
    """One recording on its way; ``lines`` without line feeds, the first is its header."""

    def __init__(
        self, transport: Transport, lines: Iterator[bytes], pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._transport = transport
        self._lines = lines
        self._pause = pause
        self.id = ""
        self.node_id = ""
        self.resumed_at = 0
        """The line at which an earlier attempt is gone on with; 0: there was none."""

    def open(self) -> None:
        """Raises Refused, Unreachable."""
        header = next(self._lines, b"")
        answer = self._insist(lambda: self._transport.post(_PATH, header, _LINES))
        if not answer.is_success:
            raise _refusal(answer)
        if answer.body.get("complete") is not False:
            raise Refused("the daemon took the first line for a whole recording")
        self.id, self.node_id = str(answer.body["id"]), str(answer.body["node_id"])
        self._next = int(answer.body.get("next_line", 2))
        self.resumed_at = self._next if self._next > 2 else 0

    def send(self) -> Iterator[int]:
        """Send all lines; yields how many there are after each batch. Raises Refused, BadLine, Unreachable."""
        batch: list[bytes] = []
        size, number = 0, 1
        for number, line in enumerate(self._lines, 2):
            if number >= self._next:
                batch.append(line)
                size += len(line) + 1
            if size >= BATCH:
                self._deliver(batch)
                batch, size = [], 0
                yield number
        if batch:
            self._deliver(batch)
        if number + 1 < self._next:
            raise Refused(f"the daemon has {self._next - 1} lines of this run already, more than there are here")
        yield number

    def complete(self) -> dict[str, Any]:
        """Ask for the last step, which may take a while. Raises Refused, Unreachable."""
        answer = self._insist(lambda: self._transport.post(f"{_PATH}/{segment(self.id)}/complete", b"{}"))
        if not answer.is_success:
            raise _refusal(answer)
        return answer.body

    def discard(self) -> None:
        """Leave nothing of it. Raises Unreachable."""
        self._transport.delete(f"{_PATH}/{segment(self.id)}")

    def _deliver(self, batch: list[bytes]) -> None:
        """Until the daemon has every line of it, however often the connection breaks."""
        while batch:
            start, body = self._next, b"\n".join(batch) + b"\n"
            headers = {**_LINES, "X-Start-Line": str(start)}
            answer = self._insist(lambda: self._transport.post(f"{_PATH}/{segment(self.id)}/frames", body, headers))  # noqa: B023 (called at once)
            there = answer.body.get("next_line")
            if not isinstance(there, int) or not (answer.is_success or answer.status == 409):
                raise _refusal(answer)
            if not start <= there <= start + len(batch):
                raise Refused(f"somebody else is sending the same run: the daemon is at line {there}, not {start}")
            self._next, batch = there, batch[there - start :]

    def _insist(self, ask: Callable[[], Answer]) -> Answer:
        for attempt in range(ATTEMPTS):
            try:
                answer = ask()
            except Unreachable:
                if attempt == ATTEMPTS - 1:
                    raise
                answer = None
            if answer is not None and answer.status not in (408, 429, 502, 503, 504):
                return answer
            wait = answer.retry_after if answer is not None and answer.retry_after else 2.0**attempt / 2
            self._pause(min(wait, _LONGEST_PAUSE))
        raise Unreachable("the daemon is too busy")


def _refusal(answer: Answer) -> Refused:
    details = answer.body.get("details")
    if isinstance(details, dict) and isinstance(details.get("line"), int):
        return BadLine(details["line"], str(answer.body.get("error")))
    hint = " (is $CLAWATCH_KEY set and right?)" if answer.status == 401 else ""
    return Refused(answer.said + hint)


def with_run_id(header: bytes, fallback: str) -> bytes:
    """The header with a ``run_id``, so that the same file is known again; as it is when it is no JSON object."""
    try:
        told = json.loads(header)
    except (ValueError, RecursionError):
        return header
    if not isinstance(told, dict) or told.get("run_id"):
        return header
    return json.dumps({**told, "run_id": fallback}).encode()
