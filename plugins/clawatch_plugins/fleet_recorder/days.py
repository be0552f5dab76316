"""A day as lines of a recording, out of those of its hours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec.structs import replace

from clawatch.domain.recordings import AgentLine, EndLine, Line, Profile, Recording, Step, StepLine, TickLine, ndjson
from clawatch.domain.recordings.lines import Number, Parted
from clawatch.domain.recordings.slices import Slice
from clawatch.domain.time import MINUTE
from clawatch.ports import Core, EventsWanted
from clawatch_plugins.fleet_recorder.hours import header_of
from clawatch_plugins.fleet_recorder.journal import store_id_of
from clawatch_plugins.fleet_recorder.periods import Period
from clawatch_plugins.fleet_recorder.tallies import METRICS, Names

KEYFRAME_EVERY = 60
"""Minutes."""
AT_ONCE = 500
"""Lines in memory together."""


class Day:
    """``hours`` are those there are, the earliest first."""

    def __init__(self, core: Core, period: Period, hours: list[Recording]) -> None:
        self._core = core
        self._period = period
        self._hours = hours
        self._segments, self._regions = Names(), Names()
        self._known: dict[str, Profile] = {}
        """Agents as they have been introduced, without their state."""
        self._initial: dict[str, dict[str, Any]] = {}
        """How agents stood when the day began, where that is known."""
        self._status: dict[str, Any] = {}
        self._fired = 0

    async def lines(self) -> AsyncIterator[bytes]:
        yield ndjson([header_of(self._period, store_id_of(self._core), KEYFRAME_EVERY)])
        expected = self._period.start
        for hour in self._hours:
            start = hour.started_at or self._period.start
            offset = (start - self._period.start) // MINUTE
            if start > expected:  # nobody was looking
                yield ndjson([self._unknown((expected - self._period.start) // MINUTE)])
            expected = start + (hour.total_ticks + 1) * MINUTE
            async for piece in _packed(self._hour(hour, offset)):
                yield piece
        last = self._period.ticks - 1
        for tick in dict.fromkeys(((expected - self._period.start) // MINUTE, last)):
            if expected < self._period.end:
                yield ndjson([self._unknown(tick)])
        yield ndjson([EndLine(aggregates={"alerts_fired": self._fired, "top_influencing_factors": []})])

    async def _hour(self, hour: Recording, offset: int) -> AsyncIterator[Line]:
        async for profile in self._core.recordings.profiles(hour):
            if (introduced := self._introduced(profile, is_first=not offset)) is not None:
                yield introduced
        async for tick in self._ticks(hour, offset):
            yield tick
        async for agent_id, step in self._core.recordings.steps(hour, 0, hour.total_ticks):
            if self._is_news(agent_id, step):
                yield StepLine(tick=offset + step.tick, agent_id=agent_id, state=step.state, action=step.action)
        async for event in self._events(hour, offset):
            yield event

    def _introduced(self, profile: Profile, is_first: bool) -> AgentLine | None:
        about = replace(profile, initial_state={}, final_decision=None, decision_tick=None)
        if self._known.get(profile.agent_id) == about:
            return None
        if is_first:
            self._initial[profile.agent_id] = profile.initial_state
        self._known[profile.agent_id] = about
        return AgentLine(
            agent_id=profile.agent_id, persona_name=profile.persona_name,
            segment=self._segments.of(profile.segment or ""), region=self._regions.of(profile.region or ""),
            initial_state=self._initial.get(profile.agent_id, {}),
        )

    async def _ticks(self, hour: Recording, offset: int) -> AsyncIterator[TickLine]:
        segments = tuple(part.name for part in hour.segments)
        regions = tuple(part.name for part in hour.regions)
        whole = Slice(first=0, last=hour.total_ticks, metrics=METRICS)
        parts = replace(whole, segments=segments, regions=regions)
        points = self._core.recordings.points(hour, parts)
        async for point in self._core.recordings.points(hour, whole):
            parted = await anext(points)
            yield TickLine(
                tick=offset + point["tick"], metrics={metric: point[metric] for metric in METRICS},
                by_segment=_under(self._segments, parted.get("by_segment", {})),
                by_region=_under(self._regions, parted.get("by_region", {})),
            )

    def _unknown(self, tick: int) -> TickLine:
        nothing = dict.fromkeys(METRICS)
        return TickLine(
            tick=tick, metrics=nothing, by_segment={metric: dict.fromkeys(self._segments) for metric in METRICS},
            by_region={metric: dict.fromkeys(self._regions) for metric in METRICS},
        )

    def _is_news(self, agent_id: str, step: Step) -> bool:
        """Each hour begins with how every agent stands; the day does so once."""
        status = step.state.get("status"), step.state.get("control")
        is_news = step.action is not None or self._status.get(agent_id) != status
        self._status[agent_id] = status
        return is_news

    async def _events(self, hour: Recording, offset: int) -> AsyncIterator[Line]:
        skip = 0
        while True:
            found = await self._core.recordings.events(hour, EventsWanted(skip=skip, limit=AT_ONCE))
            for event in found.events:
                self._fired += event.type == "alert_fired"
                yield replace(event, tick=offset + event.tick)
            skip += AT_ONCE
            if skip >= found.total:
                return


def _under(names: Names, parts: Mapping[str, Mapping[str, Number]]) -> Parted:
    """The same, with what is beyond the names of this recording added up; those it lacks are 0."""
    summed: Parted = {}
    for metric, values in parts.items():
        of_metric = summed.setdefault(metric, {})
        for name, value in values.items():
            known = names.of(name)
            of_metric[known] = (of_metric.get(known) or 0) + (value or 0)
    return {metric: {name: values.get(name, 0) for name in names} for metric, values in summed.items()}


async def _packed(lines: AsyncIterator[Line]) -> AsyncIterator[bytes]:
    waiting: list[Line] = []
    async for line in lines:
        waiting.append(line)
        if len(waiting) >= AT_ONCE:
            yield ndjson(waiting)
            waiting = []
    yield ndjson(waiting)

