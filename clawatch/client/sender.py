"""The sender: a bounded queue and one background thread that empties it in batches.

Putting an event in never waits. What the daemon does not take within a few seconds goes to the spool, and
from there to the daemon once it answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from clawatch.client.delivery import Delivery
from clawatch.client.spool import Spool
from clawatch.client.transport import Transport

log = logging.getLogger("clawatch.client")

SPOOLED = {"X-ClaWatch-Spool": "1"}
_LINGER = 0.5
"""Seconds an event waits for company."""
_PATIENCE = 5.0
"""Seconds of failing after which events go to the spool."""
_BATCH = 500
_BATCH_BYTES = 1024 * 1024
_MAX_QUEUED = 10_000
_MAX_QUEUED_BYTES = 16 * 1024 * 1024


class Line(NamedTuple):
    text: bytes
    is_kept: bool = True
    """Whether it is worth spooling; an old heartbeat is not."""


class Sender:
    """``answered`` gets the commands that came with an answer; ``beat`` is asked for a line at each heartbeat."""

    def __init__(
        self,
        transport: Transport,
        spool: Spool | None,
        answered: Callable[[list[Any]], None],
        beat: Callable[[], Line | None],
    ) -> None:
        self._transport = transport
        self._spool = spool
        self._answered = answered
        self._beat = beat
        self._beat_every: float | None = None
        self.reset()

    def reset(self) -> None:
        """As new; called in a forked child, where the thread is gone and the files are the parent's."""
        self._wake = threading.Condition()
        self._queue: deque[Line] = deque()
        self._bytes = 0
        self._sending: list[Line] = []
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._is_hurried = False
        self._first_at = 0.0
        self._unsent = 0
        self._is_full = False
        self._next_beat: float | None = None
        self._has_spooled = True
        self._transport.close()
        self._delivery = self._new_delivery()
        if self._spool is not None:
            self._spool.forget()

    def put(self, line: Line) -> None:
        """Queue a line; dropped (and counted) when the queue is full."""
        with self._wake:
            if len(self._queue) >= _MAX_QUEUED or self._bytes + len(line.text) > _MAX_QUEUED_BYTES:
                if not self._is_full:
                    log.warning("events come faster than ClaWatch takes them; some are dropped")
                self._is_full = True
                self._unsent += 1
                return
            self._is_full = False
            if not self._queue:
                self._first_at = time.monotonic()
            self._queue.append(line)
            self._bytes += len(line.text)
            self._start()
            self._wake.notify_all()

    def beat_every(self, seconds: float | None) -> None:
        """Heartbeats from now on, the first after one period; None: no more."""
        with self._wake:
            self._beat_every = seconds
            self._next_beat = None if seconds is None else time.monotonic() + seconds
            if seconds is not None:
                self._start()
            self._wake.notify_all()

    def flush(self, timeout: float) -> bool:
        """Try to send everything now; whether the daemon took all of it within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._wake:
            missed = self._missed()
            self._is_hurried = True
            self._wake.notify_all()
            while (self._queue or self._sending) and self._thread is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._wake.wait(left)
            return self._missed() == missed and not self._queue

    def close(self, timeout: float) -> None:
        """Send what there is once more, spool what is left, and end the thread. A later ``put`` starts anew."""
        with self._wake:
            thread = self._thread
            self._is_closing = True
            self._wake.notify_all()
        if thread is not None:
            thread.join(timeout)
        with self._wake:
            is_late = thread is not None and thread.is_alive()
            left = [*self._sending, *self._drained()] if is_late else []
            if is_late:  # it ends by itself when its request does
                self._transport = self._transport.clone()
                self._delivery = self._new_delivery()
            self._thread = None
            self._is_closing = False
        self._keep(left)
        self._close_spool()

    def _missed(self) -> int:
        return self._unsent + self._delivery.refused

    def _new_delivery(self) -> Delivery:
        fallback = "kept on disk" if self._spool is not None else "lost if this lasts"
        return Delivery(self._transport, self._answered, fallback)

    # -- the thread ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="clawatch-sender", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_mine() and self._wait():
            self._work_safely()
        if self._is_mine():
            self._work_safely()
            self._delivery.close()

    def _is_mine(self) -> bool:
        """False once ``close`` has given up on this thread, or a fork left it behind."""
        return self._thread is threading.current_thread()

    def _work_safely(self) -> None:
        try:
            self._work()
        except Exception as error:  # the agent's reports must outlive a mistake of ours
            log.exception("sending failed")
            self._delivery.fail(type(error).__name__)

    def _wait(self) -> bool:
        """Until there is something to do. False: closing."""
        with self._wake:
            while not self._is_closing:
                pause = self._pause(time.monotonic())
                if pause is not None and pause <= 0:
                    break
                self._wake.wait(pause)
            return not self._is_closing

    def _pause(self, now: float) -> float | None:
        moments = [] if self._next_beat is None else [self._next_beat]
        if self._queue:
            is_urgent = self._is_hurried or len(self._queue) >= _BATCH
            due = now if is_urgent else self._first_at + _LINGER
            moments.append(due if self._is_hurried else max(due, self._delivery.not_before))
        elif self._has_spooled and self._spool is not None:
            moments.append(self._delivery.not_before)
        return min(moments) - now if moments else None

    def _work(self) -> None:
        self._beat_if_due()
        if self._queue:
            self._send_queue()
        elif not self._is_closing and time.monotonic() >= self._delivery.not_before:
            self._replay()

    def _beat_if_due(self) -> None:
        now = time.monotonic()
        if self._next_beat is None or self._beat_every is None or now < self._next_beat or self._is_closing:
            return
        self._next_beat = now + self._beat_every
        line = self._beat()
        if line is not None:
            self.put(line)

    def _send_queue(self) -> None:
        while self._is_mine():
            with self._wake:
                batch = self._sending = self._take()
                self._is_hurried = self._is_hurried and bool(self._queue)
            if not batch:
                return
            is_done = self._delivery.deliver([line.text for line in batch], {})
            if not self._settle(batch, is_done):
                return

    def _settle(self, batch: Sequence[Line], is_done: bool) -> bool:
        """Whether to go on with the next batch."""
        if not self._is_mine():
            return False  # whoever gave up on this thread has kept the batch
        given_up: list[Line] = []
        with self._wake:
            if not is_done:
                given_up = self._put_back(batch)
        self._keep(given_up)
        with self._wake:
            self._sending = []
            self._wake.notify_all()
        return is_done

    def _replay(self) -> None:
        """One batch from the spool; live events go first."""
        assert self._spool is not None
        try:
            lines = self._spool.peek()
            self._has_spooled = bool(lines)
            if lines and self._delivery.deliver(lines, SPOOLED):
                self._spool.drop()
        except OSError as error:
            self._has_spooled = False
            log.warning("the spool %s cannot be read: %s", self._spool.path, error.strerror)

    def _take(self) -> list[Line]:
        batch: list[Line] = []
        size = 0
        while self._queue and len(batch) < _BATCH and size + len(self._queue[0].text) <= _BATCH_BYTES:
            line = self._queue.popleft()
            size += len(line.text)
            batch.append(line)
        self._bytes -= size
        return batch

    def _put_back(self, batch: Sequence[Line]) -> list[Line]:
        """After a failure lines wait in the queue for a while; the answer is what has waited enough."""
        is_out_of_patience = time.monotonic() - (self._delivery.failing_since or 0.0) >= _PATIENCE
        if self._is_closing or is_out_of_patience or len(self._queue) > _MAX_QUEUED // 2:
            return [*batch, *self._drained()]
        self._queue.extendleft(reversed(batch))
        self._bytes += sum(len(line.text) for line in batch)
        return []

    def _drained(self) -> list[Line]:
        lines = list(self._queue)
        self._queue.clear()
        self._bytes = 0
        return lines

    def _keep(self, lines: Sequence[Line]) -> None:
        self._unsent += len(lines)
        kept = [line.text for line in lines if line.is_kept]
        if self._spool is None or not kept:
            return
        try:
            self._spool.add(kept)
            self._has_spooled = True
        except OSError as error:
            log.warning("%d events are lost, the spool %s: %s", len(kept), self._spool.path, error.strerror)

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
