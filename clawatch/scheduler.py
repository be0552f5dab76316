"""Calendar jobs by APScheduler: they run late rather than never, once, and survive jumps of the wall clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from structlog.typing import FilteringBoundLogger

from clawatch.domain.time import SECOND, Millis
from clawatch.ports import Clock

Job = Callable[[], Awaitable[None]]

DRIFT: Millis = 5 * SECOND
"""The wall clock was set when it and the monotonic one drift further apart than this.

After a jump of −1 h an interval job of APScheduler falls silent for the hour, hence the rescheduling.
"""


class Scheduler:
    def __init__(self, clock: Clock, zone: ZoneInfo, log: FilteringBoundLogger) -> None:
        self._clock = clock
        self._zone = zone
        self._log = log
        self._scheduler = AsyncIOScheduler(
            timezone=zone,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        now = clock.now()
        self._offset = now.wall - now.mono

    def start(self) -> None:
        self._scheduler.start()

    def close(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, name: str, period: Millis, job: Job, first: Millis | None = None) -> None:
        """See ``ports.SchedulerPort``; ``first``: after so long, instead of a whole period."""
        trigger = IntervalTrigger(seconds=period / 1000, timezone=self._zone)
        after = period if first is None else first
        self._scheduler.add_job(
            self._guarded(name, job), trigger, id=name, name=name, replace_existing=True,
            next_run_time=datetime.now(self._zone) + timedelta(milliseconds=after),
        )

    def daily(self, name: str, at: str, job: Job) -> None:
        """See ``ports.SchedulerPort``."""
        hour, _, minute = at.partition(":")
        trigger = CronTrigger(hour=int(hour), minute=int(minute or 0), timezone=self._zone)
        self._scheduler.add_job(self._guarded(name, job), trigger, id=name, name=name, replace_existing=True)

    def watch_clock(self) -> bool:
        """Reschedule every job when the wall clock was set; whether it was. Call it every second or so."""
        now = self._clock.now()
        drift = now.wall - now.mono - self._offset
        if abs(drift) <= DRIFT:
            return False
        self._offset += drift
        self._log.warning("clock.jumped", by_ms=drift)
        now_there = datetime.now(self._zone)
        for job in self._scheduler.get_jobs():
            if job.next_run_time is None or job.next_run_time > now_there:
                job.reschedule(_afresh(job.trigger, self._zone))
        self._scheduler.wakeup()  # the others were due in the time that was leapt over, as when the machine slept
        return True

    def next_runs(self) -> dict[str, datetime | None]:
        return {job.id: job.next_run_time for job in self._scheduler.get_jobs()}

    def _guarded(self, name: str, job: Job) -> Job:
        async def run() -> None:
            try:
                await job()
            except Exception:
                self._log.exception("job.failed", job=name)

        return run


def _afresh(trigger: CronTrigger | IntervalTrigger, zone: ZoneInfo) -> CronTrigger | IntervalTrigger:
    """An interval trigger counts from its start date, which lies in the clock's old reckoning."""
    if isinstance(trigger, IntervalTrigger):
        return IntervalTrigger(seconds=trigger.interval_length, timezone=zone)
    return trigger
