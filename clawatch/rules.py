"""The rules as a durable consumer of the journal: what they find and how far they have read is one commit."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from clawatch.alerting import engine
from clawatch.alerting.brake import Brake
from clawatch.alerting.desk import Desk
from clawatch.commands import Commands
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.alerts import Alert, AlertType, Reason, fingerprint
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.ids import new_id
from clawatch.domain.journal import AlertChanged, CommandChanged, ControlChanged, Edge, Entry, Removed, Silenced, Unit
from clawatch.domain.time import MINUTE, SECOND, Millis, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict, Wake
from clawatch.fleet import Fleet
from clawatch.journal import Journal
from clawatch.ports import Clock, Rule, StorePort, StoreUnavailable
from clawatch.settings import RuleSettings

CONSUMER = "rules"
BATCH = 500
WARM_UP: Millis = 60 * MINUTE
WARM_UP_ENTRIES = 100_000
OFFSET_EVERY: Millis = SECOND
MAX_FAILURES = 5
"""Raises in a row after which a rule is switched off until the daemon restarts."""
MAX_KEPT = 10_000
"""Edges kept in memory while the store cannot be written."""
FLEET_AGENT = Agent(id="", name="fleet", created_at=0)
"""Stands in where a rule speaks of the whole fleet."""

SettingsFor = Callable[[str, Agent], Any]
"""(rule name, agent) → the rule's settings with this agent's overrides."""


@dataclass
class Running:
    """A rule at work."""

    name: str
    alert_type: AlertType
    rule: Rule
    failures: int = 0
    switched_off: str = ""


@dataclass
class Gathered:
    """What one step has found, to be written in one commit."""

    edges: list[Edge] = field(default_factory=list)
    outbox: list[Outgoing] = field(default_factory=list)
    launched: list[Command] = field(default_factory=list)


class Rules:
    def __init__(
        self,
        store: StorePort,
        journal: Journal,
        fleet: Fleet,
        desk: Desk,
        commands: Commands,
        rules: Sequence[Running],
        settings_for: SettingsFor,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._journal = journal
        self._fleet = fleet
        self._desk = desk
        self._commands = commands
        self.rules = rules
        self.settings_for = settings_for
        self._clock = clock
        self._log = log
        self._brake = Brake(commands)
        self._wakes: list[tuple[Millis, int, Running, Wake]] = []
        self._order = itertools.count()
        self.offset = 0
        self._stored_offset = 0
        self._stored_at: Millis = 0
        self._ticked_at: Millis = 0
        self._kept: Unit | None = None
        self._kept_launches: list[Command] = []
        self.on_blocked: Callable[[str], None] = lambda why: None
        """Called when a step cannot be stored; its edges are kept meanwhile."""

    @property
    def is_blocked(self) -> bool:
        return self._kept is not None

    # -- start

    async def warm_up(self, downtime: Millis) -> None:
        """Show the rules the last hour again, without effects, up to where they had read."""
        now = self._clock.now()
        self.offset = self._stored_offset = await self._store.offset(CONSUMER) or 0
        for running in self.rules:
            await self._prepare(running, now, downtime)
        first = max(await self._store.seq_before(now.wall - WARM_UP), self.offset - WARM_UP_ENTRIES)
        after = min(first, self.offset)
        while after < self.offset:
            entries = await self._journal.read(after, min(BATCH, self.offset - after))
            if not entries:
                break
            for entry in entries:
                self._observe(entry, now, lambda running, found, seq: None)
            after = entries[-1].seq
            await asyncio.sleep(0)
        for running in self.rules:
            self._look_at_fleet(running, now)

    async def _prepare(self, running: Running, now: Moment, downtime: Millis) -> None:
        began = getattr(running.rule, "began", None)
        if began is not None:
            began(now, downtime)

    def _look_at_fleet(self, running: Running, now: Moment) -> None:
        """Agents that have been silent since before the start need a wake too."""
        watch = getattr(running.rule, "watch", None)
        if watch is None:
            return
        for agent in self._fleet:
            settings = self.settings_for(running.name, agent)
            if settings.enabled:
                self._schedule(running, watch(agent, settings, now))

    # -- steps

    async def run(self) -> None:
        """Work until cancelled: at once when the journal grows, else when something falls due."""
        while True:
            await self._journal.wait(self.offset, self.pause())
            await self.step()

    def pause(self) -> float:
        """Seconds until something falls due; at most a quarter."""
        if not self._wakes:
            return 0.25
        return min(0.25, max(0.0, (self._wakes[0][0] - self._clock.now().mono) / 1000))

    async def step(self) -> bool:
        """Read a batch, judge it, store what follows. Whether there may be more to read."""
        async with self._desk.lock:
            return await self._step()

    async def _step(self) -> bool:
        now = self._clock.now()
        entries = await self._journal.read(self.offset, BATCH)
        gathered = Gathered()
        for entry in entries:
            self._take_in(entry, now, gathered)
        if entries:
            self.offset = entries[-1].seq
        self._wake_due(now, gathered)
        if now.mono >= self._ticked_at + SECOND or now.mono < self._ticked_at:
            self._ticked_at = now.mono
            self._tick(now, gathered)
        await self._store_step(gathered, now)
        return len(entries) == BATCH

    def _take_in(self, entry: Entry, now: Moment, gathered: Gathered) -> None:
        def handle(running: Running, found: Iterable[Finding], seq: int) -> None:
            self._handle(running, found, seq, now, gathered)

        agent = self._fleet.get(entry.agent_id)
        for edge in self._commands.observe(entry, agent):
            gathered.edges.append(edge)
        if isinstance(entry.body, CommandChanged):
            gathered.outbox += self._desk.say_command(entry.body, now.wall)
        if isinstance(entry.body, ControlChanged) and entry.body.control is Control.RUN and entry.body.by != CORE.user:
            self._release_brake(entry, now, gathered)
        self._observe(entry, now, handle)

    def _observe(
        self, entry: Entry, now: Moment, handle: Callable[[Running, Iterable[Finding], int], None]
    ) -> None:
        if isinstance(entry.body, Removed):
            for running in self.rules:
                running.rule.forget(entry.agent_id)
            return
        agent = self._fleet.get(entry.agent_id)
        if agent is None:
            return
        for running in self.rules:
            settings = self._enabled(running, agent)
            if settings is not None:
                found = self._safely(running, partial(running.rule.observe, entry, agent, settings, now))
                self._schedule(running, found)
                handle(running, found, entry.seq)

    def _enabled(self, running: Running, agent: Agent) -> RuleSettings | None:
        if running.switched_off:
            return None
        settings: RuleSettings = self.settings_for(running.name, agent)
        return settings if settings.enabled else None

    def _safely(self, running: Running, judge: Callable[[], Iterable[Finding]]) -> list[Finding]:
        """A rule that raises is reported; one that keeps raising is switched off. The others go on."""
        try:
            found = list(judge())
        except Exception as error:
            running.failures += 1
            self._log.exception("rule.failed", rule=running.name, failures=running.failures)
            if running.failures >= MAX_FAILURES:
                running.switched_off = f"switched off after {MAX_FAILURES} failures: {type(error).__name__}"
                self._log.error("rule.switched_off", rule=running.name)
            return []
        running.failures = 0
        return found

    def _schedule(self, running: Running, found: Iterable[Finding]) -> None:
        for finding in found:
            if isinstance(finding, Wake):
                heapq.heappush(self._wakes, (finding.mono, next(self._order), running, finding))

    def _wake_due(self, now: Moment, gathered: Gathered) -> None:
        while self._wakes and self._wakes[0][0] <= now.mono:
            _, _, running, wake = heapq.heappop(self._wakes)
            agent = self._fleet.get(wake.agent_id) if wake.agent_id else FLEET_AGENT
            settings = None if agent is None else self._enabled(running, agent)
            if agent is None or settings is None:
                continue
            found = self._safely(running, partial(running.rule.due, wake, agent, settings, now))
            self._schedule(running, found)
            self._handle(running, found, 0, now, gathered)

    # -- from findings to edges

    def _handle(
        self, running: Running, found: Iterable[Finding], seq: int, now: Moment, gathered: Gathered
    ) -> None:
        for finding in found:
            if isinstance(finding, Verdict):
                self._judge(running, finding, seq, now, gathered)
            elif isinstance(finding, Notice):
                gathered.outbox += self._desk.say_notice(finding, running.name, now.wall)

    def _judge(self, running: Running, verdict: Verdict, seq: int, now: Moment, gathered: Gathered) -> None:
        agent = self._fleet.get(verdict.agent_id) or FLEET_AGENT
        policy: RuleSettings = self.settings_for(running.name, agent)
        known = self._desk.open(fingerprint(running.name, verdict.agent_id, verdict.subject))
        cause = engine.Cause(running.name, running.alert_type, seq, now.wall)
        step = engine.transition(known, verdict, policy, cause, new_id("alert", now.wall))
        if step is None:
            return
        braked = self._brake.consider(step, verdict, policy, agent, now)
        gathered.edges += braked.edges
        gathered.launched += braked.launched
        self._move(braked.step, now, gathered)
        if step.reason is Reason.FIRED and step.alert.type is AlertType.STUCK:
            gathered.edges.append(Silenced(agent_id=verdict.agent_id))

    def _move(self, step: engine.Step, now: Moment, gathered: Gathered) -> None:
        self._desk.keep(step.alert)
        gathered.edges.append(AlertChanged(alert=step.alert, reason=step.reason or Reason.UPDATED))
        if step.reason is not None:
            gathered.outbox += self._desk.say(step.alert, step.reason, now.wall)

    def _tick(self, now: Moment, gathered: Gathered) -> None:
        for alert in self._desk.alerts():
            step = engine.tick(alert, self._policy(alert), now.wall)
            if step is not None:
                self._move(step, now, gathered)
        gathered.edges += self._commands.expire(now.wall)

    def _policy(self, alert: Alert) -> RuleSettings:
        agent = self._fleet.get(alert.agent_id) or FLEET_AGENT
        settings: RuleSettings = self.settings_for(alert.rule, agent)
        return settings

    def _release_brake(self, entry: Entry, now: Moment, gathered: Gathered) -> None:
        """A human resumed the agent: for these episodes the brake stays off."""
        for alert in self._desk.firing_of(entry.agent_id):
            if alert.brake is not None and not alert.brake_released:
                released = replace(alert, brake_released=True, changed_at=now.wall, version=alert.version + 1)
                self._move(engine.Step(released, None), now, gathered)

    # -- storing

    async def _store_step(self, gathered: Gathered, now: Moment) -> None:
        unit = self._merge_kept(gathered)
        is_due = self.offset > self._stored_offset and now.mono >= self._stored_at + OFFSET_EVERY
        if not (unit.edges or unit.outbox or is_due):
            return
        try:
            await self._store.commit(unit, now.wall)
        except StoreUnavailable as error:
            self._keep(unit, gathered, str(error))
            return
        self._kept = None
        self._stored_offset = self.offset
        self._stored_at = now.mono
        if unit.outbox:
            self._desk.poke()
        launched, self._kept_launches = [*self._kept_launches, *gathered.launched], []
        for command in launched:
            await self._commands.launch(command)

    def _keep(self, unit: Unit, gathered: Gathered, why: str) -> None:
        if self._kept is None:
            self._log.error("rules.not_stored", edges=len(unit.edges), error=why)
        self._kept = replace(unit, edges=unit.edges[-MAX_KEPT:], outbox=unit.outbox[-MAX_KEPT:])
        self._kept_launches += gathered.launched
        self.on_blocked(why)

    def _merge_kept(self, gathered: Gathered) -> Unit:
        """What earlier steps could not store comes first."""
        kept = self._kept or Unit()
        return Unit(
            edges=(*kept.edges, *gathered.edges),
            outbox=(*kept.outbox, *gathered.outbox),
            offsets={CONSUMER: self.offset},
        )
