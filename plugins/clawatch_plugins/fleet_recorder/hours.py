"""An hour as lines of a recording, out of the journal and the sums of its minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from msgspec import to_builtins

from clawatch.apis.pace import Pace
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Status, counts_progress
from clawatch.domain.alerts import Reason, Severity
from clawatch.domain.commands import in_words
from clawatch.domain.journal import AlertChanged, CommandChanged, Entry
from clawatch.domain.recordings import AgentLine, EndLine, EventLine, Header, Line, StepLine, ndjson
from clawatch.domain.retelling import Past
from clawatch.domain.time import MINUTE, Millis, iso
from clawatch.ports import Core
from clawatch_plugins.fleet_recorder.journal import Journal, store_id_of
from clawatch_plugins.fleet_recorder.periods import Period
from clawatch_plugins.fleet_recorder.tallies import METRICS, Tally

KEYFRAME_EVERY = 10
"""Minutes."""
MOST_CHANGES = 30
"""Of one agent within a minute that are told; how it stands at the minute's end always is."""
AGENTS_AT_ONCE = 200
TOLD = {Reason.FIRED: "alert_fired", Reason.RAISED: "alert_raised", Reason.RESOLVED: "alert_resolved"}
WEIGHT = {Severity.INFO: 0.2, Severity.WARNING: 0.5, Severity.CRITICAL: 1.0}
GONE = "removed"


def header_of(period: Period, store_id: str, every: int = KEYFRAME_EVERY) -> Header:
    return Header(
        node_id=period.node_id(store_id), run_id=period.run_id, keyframe_interval=every, metrics=METRICS,
        started_at=iso(period.start), tick_seconds=MINUTE / 1000,
    )


class Hour:
    """``past`` is the fleet as it stood at the beginning; it goes along to the end."""

    def __init__(self, core: Core, period: Period, past: Past) -> None:
        self._core = core
        self._period = period
        self._past = past
        self._journal = Journal(core, past.seq)
        self._tally = Tally(past.agents.values())
        self._began = dict(past.agents)
        """As it stood at the beginning."""
        self._told: dict[str, str] = {}
        """The status that was last told of each agent in a step."""
        self._changes: Counter[str] = Counter()
        """Of each agent within this minute."""
        self._by_rule: Counter[str] = Counter()

    async def lines(self) -> AsyncIterator[bytes]:
        """The whole recording, a bounded part of it at a time. Raises Pruned."""
        yield ndjson([header_of(self._period, store_id_of(self._core))])
        async for piece in self._agents():
            yield piece
        for tick in range(self._period.ticks):
            end = self._period.start + (tick + 1) * MINUTE
            async for entry in self._journal.before(end):
                lines = list(self._take(entry, tick))
                if lines:
                    yield ndjson(lines)
            async for piece in self._end_minute(tick, end):
                yield piece
        yield ndjson([EndLine(aggregates=self._aggregates())])

    async def skip(self) -> None:
        """Go along without telling."""
        async for entry in self._journal.before(self._period.end):
            self._past.take(entry)

    async def _agents(self) -> AsyncIterator[bytes]:
        pace = Pace()
        agents = iter(self._began.values())
        while some := list(islice(agents, AGENTS_AT_ONCE)):
            yield ndjson(map(self._introduced, some))
            await pace.step()

    def _introduced(self, agent: Agent) -> AgentLine:
        """With all there is to know of how it stood at the beginning: the next hour goes on from it."""
        began = self._began.get(agent.id)
        return AgentLine(
            agent_id=agent.id, persona_name=agent.name[:200] or None, segment=self._tally.segment_of(agent),
            region=self._tally.region_of(agent),
            initial_state={} if began is None else {"status": began.status, "agent": to_builtins(began)},
        )

    # -- rows

    def _take(self, entry: Entry, tick: int) -> Iterator[Line]:
        before, after = self._past.take(entry)
        if before is not after:
            self._tally.move(before, after)
            yield from self._changed(before, after, entry.at, tick)
        if isinstance(entry.body, AlertChanged):
            yield from self._alert(entry.body, entry, tick)
        elif isinstance(entry.body, CommandChanged) and after is not None:
            yield self._step(after, entry.at, tick, in_words(entry.body.command))

    def _changed(self, before: Agent | None, after: Agent | None, at: Millis, tick: int) -> Iterator[Line]:
        if after is None:
            assert before is not None
            self._told.pop(before.id, None)
            yield StepLine(tick=tick, agent_id=before.id, state={"status": GONE, "at": iso(at)})
            return
        if before is None or (before.kind, before.host, before.name) != (after.kind, after.host, after.name):
            yield self._introduced(after)
        is_news = before is None or before.status is not after.status or before.control is not after.control
        if is_news and self._changes[after.id] < MOST_CHANGES:
            self._changes[after.id] += 1
            yield self._step(after, at, tick)

    def _step(self, agent: Agent, at: Millis, tick: int, action: str | None = None) -> StepLine:
        self._told[agent.id] = agent.status
        state = {"status": agent.status, "control": agent.control, "at": iso(at)}
        if agent.status is Status.STUCK:
            state["last_seen"] = iso(agent.last_progress if counts_progress(agent) else agent.last_seen)
        return StepLine(tick=tick, agent_id=agent.id, state=state, action=action)

    def _alert(self, body: AlertChanged, entry: Entry, tick: int) -> Iterator[Line]:
        alert, word = body.alert, TOLD.get(body.reason)
        if word is None:
            return
        if body.reason is Reason.FIRED:
            self._by_rule[alert.rule] += 1
        about = {
            "at": iso(entry.at), "alert_id": alert.id, "agent_id": alert.agent_id, "severity": alert.severity,
            "state": alert.state, "type": alert.type,
        }  # fmt: skip
        yield EventLine(
            tick=tick, type=word, id=f"{alert.id}.{entry.seq}", source=alert.rule[:200],
            description=alert.message[:2000], affected_agents=1 if alert.agent_id else len(self._past.agents),
            variable_changes=about, impact_score=WEIGHT[alert.severity],
        )

    # -- minutes

    async def _end_minute(self, tick: int, end: Millis) -> AsyncIterator[bytes]:
        pace = Pace()
        for point in await self._core.queries.series(CORE, end - MINUTE, end, MINUTE, "agent", None):
            self._tally.add(self._past.agents.get(point.group), point.measures)
            await pace.step()
        steps = self._untold(tick, end)
        while some := list(islice(steps, AGENTS_AT_ONCE)):
            yield ndjson(some)
            await pace.step()
        yield ndjson([self._tally.tick(tick)])
        self._changes.clear()

    def _untold(self, tick: int, end: Millis) -> Iterator[Line]:
        """At the first tick every agent; later those that have changed more often than is told."""
        changed = {name: None for name, count in self._changes.items() if count >= MOST_CHANGES}
        for name in {**self._began, **changed} if tick == 0 else changed:
            agent = self._past.agents.get(name)
            if agent is not None and self._told.get(name) != agent.status:
                yield self._step(agent, end if name in changed else self._period.start, tick)

    def _aggregates(self) -> dict[str, Any]:
        total = sum(self._by_rule.values())
        factors = [{"factor": rule, "weight": round(count / total, 4)} for rule, count in self._by_rule.most_common(5)]
        return {"alerts_fired": total, "top_influencing_factors": factors}
