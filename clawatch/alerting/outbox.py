"""The outbox: each notifier is served by a worker of its own, at least once, in order per alert."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence

from structlog.typing import FilteringBoundLogger

from clawatch.alerting.desk import Desk
from clawatch.alerting.engine import RINGS
from clawatch.alerting.storms import Storms
from clawatch.commands import Commands
from clawatch.domain.alerts import Alert, Reason, Severity
from clawatch.domain.deliveries import Delivered, Notification, Outcome, Outgoing, RetryLater, Undeliverable
from clawatch.domain.ids import new_id
from clawatch.domain.journal import Unit
from clawatch.domain.metrics import Metrics
from clawatch.domain.time import MINUTE, SECOND, Millis, Moment
from clawatch.fleet import Fleet
from clawatch.ports import Clock, Notifier, StorePort, StoreUnavailable

LEASE: Millis = 2 * MINUTE
HOLDER = "daemon"
"""One daemon at a time has the store: what it had claimed in a life that was killed is its own, at once."""
DELIVERY_TIMEOUT = 60.0
"""Seconds a notifier may take for one notification."""
CLAIM = 10
DROP = 500
NAMES = "notifiers"
"""Under this name the store keeps the names of the notifiers there were at the last start."""
END_OF_TIME: Millis = 2**53
FIRST_RETRY: Millis = 2 * SECOND
LONGEST_RETRY: Millis = 5 * MINUTE
LONGEST_HOLD: Millis = MINUTE
"""How long one failure may keep a notifier from trying the other rows."""
OUTCOMES: dict[type[object], str] = {Delivered: "delivered", RetryLater: "retry", Undeliverable: "undeliverable"}


def backoff(attempts: int, asked: Millis | None) -> Millis:
    """How long to wait before the next attempt: doubling, at least what the other side asked for."""
    own: Millis = min(LONGEST_RETRY, FIRST_RETRY << min(max(attempts - 1, 0), 16))
    return max(own, asked or 0)


class Worker:
    """Delivers one notifier's rows. ``step`` does what is due; ``work`` waits for more, too."""

    def __init__(
        self,
        name: str,
        notifier: Notifier,
        store: StorePort,
        fleet: Fleet,
        desk: Desk,
        commands: Commands,
        clock: Clock,
        log: FilteringBoundLogger,
        metrics: Metrics | None = None,
    ) -> None:
        self.name = name
        self.notifier = notifier
        self._store = store
        self._fleet = fleet
        self._desk = desk
        self._commands = commands
        self._clock = clock
        self._log = log.bind(notifier=name)
        self._poked = asyncio.Event()
        self._failures = 0
        self._held_until: Millis = 0
        self._unsettled: dict[str, str | None] = {}
        """Rows that are done with, and their refs, until the store knows."""
        self._is_store_down = False
        self._storms = Storms(name)
        self.state = "ok"
        self.delivered = 0
        self._outcomes = (metrics or Metrics()).counter(
            "clawatch_deliveries", "What became of notifications", ("notifier", "outcome")
        )
        self.beat: Callable[[], None] = lambda: None
        """Called before each row, which may take DELIVERY_TIMEOUT: we get on."""

    def poke(self) -> None:
        self._poked.set()

    async def work(self) -> None:
        """One round: deliver all that is due, then rest until there may be more."""
        try:
            while await self.step():
                pass
            self._is_store_down = False
        except StoreUnavailable as error:
            if not self._is_store_down:
                self._log.warning("outbox.store_unavailable", error=str(error))
            self._is_store_down = True
        await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._poked.wait()
        except TimeoutError:
            pass
        self._poked.clear()

    async def step(self) -> int:
        """Deliver what is due now; how many rows were handled."""
        now = self._clock.now()
        if now.mono < self._held_until:
            return 0
        await self._settle()
        rows = await self._store.claim(self.name, now.wall, CLAIM, now.wall + LEASE, HOLDER)
        for position, row in enumerate(rows):
            outcome = await self._handle(row)
            if isinstance(outcome, RetryLater):
                await self._push_back(row, rows[position + 1 :], outcome)
                break
            self._failures = 0
        return len(rows)

    async def _push_back(self, failed: Outgoing, others: list[Outgoing], outcome: RetryLater) -> None:
        """The other side is in trouble: what was claimed with the failed row waits a little too."""
        now = self._clock.now()
        self._failures += 1
        hold = min(LONGEST_HOLD, backoff(self._failures, outcome.after))
        delay = backoff(failed.attempts, outcome.after)
        self._held_until = now.mono + hold
        self.state = f"retrying: {outcome.why}"
        self._log.warning("outbox.retry", why=outcome.why, attempts=failed.attempts, delay_ms=delay)
        await self._store.settle(failed.id, now.wall, now.wall + delay, None)
        for row in others:
            await self._store.settle(row.id, now.wall, now.wall + hold, None)

    async def _handle(self, row: Outgoing) -> Outcome:
        self.beat()
        outcome = await self._speak(row)
        if isinstance(outcome, RetryLater):
            return outcome
        ref = outcome.ref if isinstance(outcome, Delivered) else None
        self._unsettled[row.id] = ref
        await self._settle()
        if isinstance(outcome, Undeliverable):
            self.state = f"undeliverable: {outcome.why}"
            self._log.error("outbox.undeliverable", why=outcome.why, reason=row.reason, thread=row.thread)
        return outcome

    async def _settle(self) -> None:
        """What was said while the store could not take it down is not said again."""
        for outgoing_id, ref in list(self._unsettled.items()):
            await self._store.settle(outgoing_id, self._clock.now().wall, None, ref)
            del self._unsettled[outgoing_id]

    async def _speak(self, row: Outgoing) -> Outcome:
        now = self._clock.now()
        alert = await self._alert(row)
        ref = await self._store.ref(self.name, row.thread)
        silenced = None if alert is None else self._desk.silenced_until(alert)
        if alert is not None and _is_idle(row, alert, silenced, ref):
            return Delivered()
        owner = self._owner(row)
        if self._storms.is_one(row, owner, now):
            await self._store.commit(Unit(outbox=(self._storms.absorb(row, owner, now),)), now.wall)
            return Delivered()
        outcome = await self.deliver(self._notification(row, alert, silenced, ref, now.wall))
        if isinstance(outcome, Delivered):
            self._storms.rang(row, owner, now)
        return outcome

    async def _alert(self, row: Outgoing) -> Alert | None:
        if row.alert_id is None:
            return None
        return self._desk.by_id(row.alert_id) or await self._store.alert(row.alert_id)

    def _notification(
        self, row: Outgoing, alert: Alert | None, silenced: Millis | None, ref: str | None, now: Millis
    ) -> Notification:
        return Notification(
            id=row.id,
            notifier=self.name,
            thread=row.thread,
            reason=row.reason,
            at=row.created_at,
            now=now,
            severity=row.severity if alert is None else alert.severity,
            text=row.text,
            alert=alert,
            agent=self._fleet.get(row.agent_id),
            command=self._commands.latest(row.agent_id),
            silenced_until=silenced,
            ref=ref,
            is_quiet=row.reason is Reason.UPDATED or (silenced is not None and row.reason is not Reason.UNSILENCED),
        )

    async def deliver(self, notification: Notification) -> Outcome:
        """Call the notifier, bounded in time; what it raises is a RetryLater."""
        outcome = await self._call(notification)
        self._outcomes.add(self.name, OUTCOMES.get(type(outcome), "unknown"))
        if isinstance(outcome, Delivered):
            self.state = "ok"
            self.delivered += 1
        return outcome

    async def _call(self, notification: Notification) -> Outcome:
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT):
                outcome = await self.notifier.deliver(notification)
        except TimeoutError:
            return RetryLater(f"gave no answer within {DELIVERY_TIMEOUT:.0f} s")
        except Exception as error:
            self._log.exception("notifier.raised")
            return RetryLater(f"raised {type(error).__name__}")
        if not isinstance(outcome, Outcome):
            self._log.error("notifier.answered_nonsense", kind=type(outcome).__name__)
            return RetryLater(f"answered {type(outcome).__name__}, which is no outcome")
        return outcome

    def _owner(self, row: Outgoing) -> str:
        agent = self._fleet.get(row.agent_id)
        return "" if agent is None else agent.owner


def _is_idle(row: Outgoing, alert: Alert, silenced: Millis | None, ref: str | None) -> bool:
    """Nothing to say: muted and never told, or a reminder that has become needless."""
    if row.reason is Reason.REPEATED and (alert.acknowledged is not None or not alert.is_firing):
        return True
    return silenced is not None and row.reason in RINGS and row.reason is not Reason.UNSILENCED and ref is None


async def abandon_others(store: StorePort, names: Sequence[str], now: Millis, log: FilteringBoundLogger) -> None:
    """Drop what waits for notifiers that are not configured any more; nobody would ever deliver it."""
    known = set(json.loads(await store.secret(NAMES) or "[]"))
    for name in sorted(known.difference(names)):
        dropped = await _drop_all(store, name, now)
        if dropped:
            log.warning("outbox.abandoned", notifier=name, rows=dropped, why="it is not in the configuration")
    if known != set(names):
        await store.put_secret(NAMES, json.dumps(sorted(names)))


async def _drop_all(store: StorePort, name: str, now: Millis) -> int:
    dropped = 0
    while rows := await store.claim(name, END_OF_TIME, DROP, END_OF_TIME, "nobody"):
        for row in rows:
            await store.settle(row.id, now, None, None)
        dropped += len(rows)
    return dropped


class Outbox:
    """All workers, and words that cannot wait for the store."""

    def __init__(self, workers: list[Worker], clock: Clock, log: FilteringBoundLogger) -> None:
        self.workers = {worker.name: worker for worker in workers}
        self._clock = clock
        self._log = log
        self._warned_at: Millis | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def poke(self, rows: Iterable[Outgoing]) -> None:
        """There is something new to deliver: wake those that it is for."""
        for name in {row.notifier for row in rows}:
            worker = self.workers.get(name)
            if worker is not None:
                worker.poke()

    def warn(self, text: str) -> None:
        """Tell every notifier directly, past the store; at most every 15 minutes."""
        now = self._clock.now()
        if self._warned_at is not None and now.mono < self._warned_at + 15 * MINUTE:
            return
        self._warned_at = now.mono
        for worker in self.workers.values():
            task = asyncio.create_task(self._tell(worker, text, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def warn_of_store(self, why: str) -> None:
        self.warn(f"ClaWatch cannot write its database: {why}")

    async def _tell(self, worker: Worker, text: str, now: Moment) -> None:
        outcome = await worker.deliver(notice(worker.name, text, Reason.NOTICE, now.wall, Severity.CRITICAL))
        if not isinstance(outcome, Delivered):
            self._log.error("outbox.warning_not_delivered", notifier=worker.name, why=outcome.why)

    async def test(self, name: str) -> Outcome | None:
        """Send a test through one notifier; None when there is none of that name."""
        worker = self.workers.get(name)
        if worker is None:
            return None
        now = self._clock.now().wall
        return await worker.deliver(notice(name, "This is a test from ClaWatch.", Reason.TEST, now, Severity.INFO))


def notice(notifier: str, text: str, reason: Reason, now: Millis, severity: Severity) -> Notification:
    thread = new_id("notice", now)
    return Notification(
        id=thread, notifier=notifier, thread=thread, reason=reason, at=now, now=now, severity=severity, text=text
    )


