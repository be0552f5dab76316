"""The job: whenever an hour or a day is over, it is recorded; what was missed is caught up with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
from msgspec import Struct

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.recordings import BadLine, Recording, Source
from clawatch.domain.retelling import Past
from clawatch.domain.time import MINUTE, Millis, iso, parse_duration
from clawatch.ports import Conflict, Core, NotFound
from clawatch_plugins.fleet_recorder.days import Day
from clawatch_plugins.fleet_recorder.hours import Hour
from clawatch_plugins.fleet_recorder.journal import Journal, Pruned, store_id_of
from clawatch_plugins.fleet_recorder.periods import DAY_KIND, HOUR_KIND, Period, day_of, hour_of

MARKS = "fleet_recorder"
HOUR_AFTER, DAY_AFTER = MINUTE, 10 * MINUTE
"""So long after its end a period is recorded: reports of its last moments may still be on their way."""
MOST_AT_ONCE = 48
"""Hours in one go, where many are missing; the others come with the next call."""
DEFAULT_KEPT = {HOUR_KIND: "31d", DAY_KIND: "400d"}


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has been recorded so far, as it is kept."""

    hour: Millis
    """When the next hour begins."""
    day: Millis
    seq: int = 0
    """The last row before that hour."""
    base: str = ""
    """The id of the last recording, which tells how the fleet stood at its beginning."""
    base_seq: int = 0
    """The last row before that."""


class Recorder:
    """One for each core. What it has in memory is found again in the last recording and the journal behind it."""

    def __init__(self) -> None:
        self._core: Core | None = None
        self._progress: Progress | None = None
        self._past: Past | None = None

    async def run(self, core: Core) -> None:
        """Record what is over by now. What cannot be done now is tried again with the next call."""
        if core is not self._core:
            self._core, self._progress, self._past = core, None, None
        try:
            await self._run(core)
        except BaseException:
            self._progress = self._past = None
            raise

    async def _run(self, core: Core) -> None:
        work = Work(core, self._progress or await read_progress(core), self._past)
        try:
            while work.recorded < MOST_AT_ONCE and await work.next_hour():
                pass
            while await work.next_day():
                pass
        except Pruned:
            core.log.warning("fleet_recorder.behind", since=iso(work.progress.hour) if work.progress else "")
            await work.begin_anew()
        if work.recorded:
            await forget_old(core)
        self._progress, self._past = work.progress, work.past


class Work:
    """One round of it."""

    def __init__(self, core: Core, progress: Progress | None, past: Past | None) -> None:
        self._core = core
        self.progress = progress
        self.past = past
        self.recorded = 0

    async def next_hour(self) -> bool:
        """Record the next hour that is over; whether there was one."""
        progress = self.progress or await self._begin()
        if progress is None:
            return False
        hour = hour_of(progress.hour, self._core.timezone)
        if self._now < hour.end + HOUR_AFTER:
            return False
        past = self.past or await self._recalled(progress)
        if await self._is_void(hour, past):
            await self._advance(progress, past, hour.end, progress.base, progress.base_seq)
            return True
        recording, after = await self._record_hour(hour, past)
        base = (progress.base, progress.base_seq) if recording is None else (recording.id, past.seq)
        await self._advance(progress, after, hour.end, *base)
        return True

    async def next_day(self) -> bool:
        progress = self.progress
        if progress is None:
            return False
        day = day_of(progress.day, self._core.timezone)
        if self._now < day.end + DAY_AFTER or progress.hour < day.end:
            return False
        hours = await self._hours_of(day)
        if hours:
            with suppress(Conflict):  # it was recorded, and we came to an end before that was noted
                await self._record(day, Day(self._core, day, hours).lines())
            self.recorded += 1
        await self._note(msgspec.structs.replace(progress, day=day.end))
        return True

    async def begin_anew(self) -> None:
        """Go on with how the fleet stands now, from the next hour on."""
        seq = int(self._core.queries.cursor().rpartition(".")[2])
        self.past = Past(self._core.queries.agents(CORE), seq)
        hour = hour_of(self._now, self._core.timezone)
        day = self.progress.day if self.progress else hour.end
        # Not noted: should we end before then, how it stood now would be lost.
        self.progress = Progress(hour=hour.end, day=day, seq=seq)

    @property
    def _now(self) -> Millis:
        return self._core.clock.now().wall

    async def _begin(self) -> Progress | None:
        """With the first row of a journal that is whole. Raises Pruned for one that is not."""
        first = await Journal(self._core, 0).peek()
        if first is None:
            return None
        start = hour_of(first.at, self._core.timezone).start
        self.past = Past()
        self.progress = Progress(hour=start, day=day_of(start, self._core.timezone).start)
        return self.progress

    async def _recalled(self, progress: Progress) -> Past:
        """How the fleet stood at the beginning of the next hour. Raises Pruned."""
        if not progress.base:
            past = Past()
        else:
            try:
                base = await self._core.recordings.get(progress.base, CORE)
            except NotFound:
                raise Pruned("the last recording is gone") from None
            past = Past(await agents_in(self._core, base), progress.base_seq)
        async for entry in Journal(self._core, past.seq).through(progress.seq):
            past.take(entry)
        return past

    async def _is_void(self, hour: Period, past: Past) -> bool:
        """Whether nothing can be told of it: there was no fleet, or nobody was looking."""
        entry = await Journal(self._core, past.seq).peek()
        if entry is not None and entry.at < hour.end:
            return False
        return not past.agents or hour.end <= (await self._core.queries.system()).started_at

    async def _record_hour(self, hour: Period, past: Past) -> tuple[Recording | None, Past]:
        """The recording, and the fleet as it stood at the end."""
        after, core = past.copy(), self._core
        self.recorded += 1
        try:
            recording = await self._record(hour, Hour(core, hour, after).lines())
        except Conflict:  # it was recorded, and we came to an end before that was noted
            recording = await core.recordings.find(hour.node_id(store_id_of(core)), CORE)
        else:
            if recording is not None:
                return recording, after
        after = past.copy()
        await Hour(core, hour, after).skip()
        return recording, after

    async def _record(self, period: Period, lines: AsyncIterator[bytes]) -> Recording | None:
        """None when there is more in it than a recording may hold: to try again would not help. Raises Conflict."""
        try:
            recording = await self._core.recordings.record(lines, CORE, Source.FLEET)
        except BadLine as bad:
            self._core.log.warning("fleet_recorder.too_much", period=period.run_id, why=bad.why)
            return None
        self._core.log.info("fleet_recorder.recorded", period=period.run_id, agents=recording.agent_count)
        return recording

    async def _advance(self, progress: Progress, past: Past, until: Millis, base: str, base_seq: int) -> None:
        await self._note(Progress(hour=until, day=progress.day, seq=past.seq, base=base, base_seq=base_seq))
        self.past = past

    async def _note(self, progress: Progress) -> None:
        await self._core.marks.write(MARKS, {"progress": msgspec.json.encode(progress).decode()})
        self.progress = progress

    async def _hours_of(self, day: Period) -> list[Recording]:
        found, start = [], day.start
        while start < day.end:
            hour = hour_of(start, self._core.timezone)
            with suppress(NotFound):
                found.append(await self._core.recordings.find(hour.node_id(store_id_of(self._core)), CORE))
            start = hour.end
        return found


async def read_progress(core: Core) -> Progress | None:
    said = (await core.marks.read(MARKS)).get("progress")
    return None if said is None else msgspec.json.decode(said, type=Progress)


async def agents_in(core: Core, recording: Recording) -> list[Agent]:
    """How agents stood at the beginning of an hour."""
    return [
        msgspec.convert(profile.initial_state["agent"], Agent)
        async for profile in core.recordings.profiles(recording)
        if "agent" in profile.initial_state
    ]


async def forget_old(core: Core) -> None:
    kept = core.settings.all().get("retention", {}).get("recordings", DEFAULT_KEPT)
    now, cursor = core.clock.now().wall, None
    while True:
        page = await core.recordings.list(CORE, cursor, 1000)
        for one in page.items:
            age = parse_duration(kept.get(one.run_id.partition(" ")[0], DEFAULT_KEPT[DAY_KIND]))
            ended = (one.instant(one.total_ticks) or one.created_at) + MINUTE
            if one.source is Source.FLEET and one.is_complete and ended < now - age:
                with suppress(NotFound):
                    await core.recordings.discard(one.id, CORE)
        if page.next is None:
            return
        cursor = page.next
