"""The rules as a durable consumer of the journal: what they find and how far they have read is one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from clawatch.alerting import engine
from clawatch.alerting.brake import Brake
from clawatch.alerting.desk import Desk
from clawatch.apis.pace import Pace
from clawatch.commands import Commands
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.ages import Ages
from clawatch.domain.alerts import Alert, Reason, fingerprint
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.downtime import Downtime
from clawatch.domain.ids import new_id
from clawatch.domain.journal import AlertChanged, CommandChanged, ControlChanged, Edge, Entry, Removed, Silenced, Unit
from clawatch.domain.time import MINUTE, SECOND, Millis, Moment
from clawatch.domain.verdicts import Finding, Notice, Verdict, Wake
from clawatch.fleet import Fleet
from clawatch.journal import Journal
from clawatch.ports import Clock, StorePort, StoreUnavailable
from clawatch.running import Running, Wakes
from clawatch.settings import RuleSettings

CONSUMER = "rules"
BATCH = 500
WARM_UP: Millis = 60 * MINUTE
WARM_UP_ENTRIES = 100_000
OFFSET_EVERY: Millis = SECOND
RECENT_COMMANDS = 100
"""Commands looked through at start for what the brake did in the last hour."""
MAX_NOTICED = 10_000
LOGGED = frozenset({Reason.FIRED, Reason.RAISED, Reason.RESOLVED})
MAX_KEPT = 10_000
"""Edges kept in memory while the store cannot be written."""
FLEET_AGENT = Agent(id="", name="fleet", created_at=0)
"""Stands in where a rule speaks of the whole fleet."""

SettingsFor = Callable[[str, Agent], Any]
"""(rule name, agent) → the rule's settings with this agent's overrides."""


@dataclass
class Gathered:
    """What has been found and is not stored yet, to be written in one commit."""

    edges: list[Edge] = field(default_factory=list)
    outbox: list[Outgoing] = field(default_factory=list)
    launched: list[Command] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    """The ids of the commands that edges move; what is not stored yet must not be found again."""

    def move(self, commands: Iterable[CommandChanged]) -> None:
        for edge in commands:
            if edge.command.id not in self.moved:
                self.moved.add(edge.command.id)
                self.edges.append(edge)

    def bound(self) -> None:
        for kept in (self.edges, self.outbox, self.launched):
            del kept[:-MAX_KEPT]

    def planned(self, agent_id: str) -> list[Command]:
        return [command for command in self.launched if command.agent_id == agent_id]


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
        self._wakes = Wakes()
        self._ages = Ages()
        self._noticed: dict[tuple[str, str], None] = {}
        """The keys of the latest notices, by rule."""
        self.offset = 0
        self._stored_offset = 0
        self._stored_at: Millis = 0
        self._ticked_at: Millis = 0
        self._gathered = Gathered()
        self.is_blocked = False
        """Whether the last step could not be stored; what it found is kept, and goes into the next commit."""
        self.on_blocked: Callable[[str], None] = lambda why: None
        """Called when a step cannot be stored."""

    # -- start

    async def warm_up(self, downtime: Downtime) -> None:
        """Show the rules the last hour again, without effects, up to where they had read."""
        now = self._clock.now()
        stored = await self._store.offset(CONSUMER) or 0
        self.offset = self._stored_offset = max(stored, self._store.tail - 1)
        self._brake.remember((await self._store.commands(None, None, RECENT_COMMANDS)).items, now)
        for running in self.rules:
            if hasattr(running.rule, "began"):
                self._ask(running, running.rule.began, now, downtime)
        await self._show_again(now)
        for running in self.rules:
            self._look_at_fleet(running, now)

    async def _show_again(self, now: Moment) -> None:
        first = max(await self._store.seq_before(now.wall - WARM_UP), self.offset - WARM_UP_ENTRIES)
        after = min(first, self.offset)
        while after < self.offset:
            entries = await self._journal.read(after, min(BATCH, self.offset - after))
            if not entries:
                break
            for entry in entries:
                self._observe(entry, now, self._remember)
            after = entries[-1].seq
            await asyncio.sleep(0)

    def _look_at_fleet(self, running: Running, now: Moment) -> None:
        """Agents that have been silent since before the start need a wake too."""
        if not hasattr(running.rule, "watch"):
            return
        for agent in self._fleet:
            settings = self._enabled(running, agent)
            if settings is not None:
                self._ask(running, running.rule.watch, agent, settings, now)

    # -- steps

    async def work(self) -> None:
        """One round: at once when the journal grows, else when something falls due."""
        await self._journal.wait(self.offset, self.pause())
        await self.step()

    def pause(self) -> float:
        """Seconds until something falls due; at most a quarter."""
        wake_at = self._wakes.next_at
        if wake_at is None:
            return 0.25
        return min(0.25, max(0.0, (wake_at - self._clock.now().mono) / 1000))

    @property
    def next_wake(self) -> Millis | None:
        """When a rule has asked to be woken next, on the monotonic clock."""
        return self._wakes.next_at

    async def step(self) -> bool:
        """Read a batch, judge it, store what follows. Whether there may be more to read."""
        async with self._commands.lock, self._desk.lock:
            return await self._step()

    async def _step(self) -> bool:
        now = self._clock.now()
        entries = await self._journal.read(self.offset, BATCH)
        pace = Pace()
        for entry in entries:
            await pace.step()
            # First of all, lest what cannot be taken in be read again and again.
            self.offset = entry.seq
            self._take_in(entry, now)
        if not entries:
            self.offset = max(self.offset, self._store.tail - 1)  # pruned before it was read
        self._wake_due(now)
        if now.mono >= self._ticked_at + SECOND:
            self._ticked_at = now.mono
            self._tick(now)
        await self._store_step(now)
        return len(entries) == BATCH

    def _take_in(self, entry: Entry, now: Moment) -> None:
        self._gathered.move(self._commands.observe(entry, self._fleet.get(entry.agent_id)))
        if isinstance(entry.body, CommandChanged):
            self._gathered.outbox += self._desk.say_command(entry.body, now.wall)
        if isinstance(entry.body, ControlChanged) and entry.body.control is Control.RUN and entry.body.by != CORE.user:
            self._release_brake(entry, now)
        self._observe(entry, now, self._handle)

    def _observe(
        self, entry: Entry, now: Moment, handle: Callable[[Running, Iterable[Finding], int, Moment], None]
    ) -> None:
        if isinstance(entry.body, Removed):
            for running in self.rules:
                self._ask(running, running.rule.forget, entry.agent_id)
            return
        agent = self._fleet.get(entry.agent_id)
        if agent is None:
            return
        for running in self.rules:
            settings = self._enabled(running, agent)
            if settings is None:
                continue
            try:  # as ``safely`` does, which takes longer than most rules need to see that they find nothing
                found = running.rule.observe(entry, agent, settings, now)
            except Exception as error:
                running.failed(error, self._log)
                continue
            if found or running.failures:
                checked = running.checked(found, self._log)
                self._note_wakes(running, checked)
                handle(running, checked, entry.seq, now)

    def _ask(
        self, running: Running, judge: Callable[..., Iterable[Finding] | None], *arguments: Any
    ) -> list[Finding]:
        """What a rule finds; its wakes are noted."""
        found = running.safely(self._log, judge, *arguments)
        self._note_wakes(running, found)
        return found

    def _note_wakes(self, running: Running, found: Iterable[Finding]) -> None:
        for finding in found:
            if isinstance(finding, Wake) and not self._wakes.note(running, finding):
                running.switch_off("switched off: asks to be woken without end", self._log)
                break

    def _enabled(self, running: Running, agent: Agent) -> RuleSettings | None:
        if running.switched_off:
            return None
        settings: RuleSettings = self.settings_for(running.name, agent)
        return settings if settings.enabled else None

    def _wake_due(self, now: Moment) -> None:
        """Each wake that is due now; those that are asked for meanwhile come next time, be they due or not."""
        for running, wake in self._wakes.due(now.mono):
            agent = self._fleet.get(wake.agent_id) if wake.agent_id else FLEET_AGENT
            settings = None if agent is None else self._enabled(running, agent)
            if agent is not None and settings is not None:
                found = self._ask(running, running.rule.due, wake, agent, settings, now)
                self._handle(running, found, 0, now)

    # -- from findings to edges

    def _handle(self, running: Running, found: Iterable[Finding], seq: int, now: Moment) -> None:
        for finding in found:
            if isinstance(finding, Verdict):
                self._judge(running, finding, seq, now)
            elif isinstance(finding, Notice) and self._is_news(running, finding):
                self._gathered.outbox += self._desk.say_notice(finding, running.name, now.wall)

    def _remember(self, running: Running, found: Iterable[Finding], seq: int, now: Moment) -> None:
        """What a rule finds while it warms up has been told."""
        for finding in found:
            if isinstance(finding, Notice):
                self._is_news(running, finding)

    def _is_news(self, running: Running, notice: Notice) -> bool:
        key = (running.name, notice.key)
        if key in self._noticed:
            return False
        self._noticed[key] = None
        if len(self._noticed) > MAX_NOTICED:
            del self._noticed[next(iter(self._noticed))]
        return True

    def _judge(self, running: Running, verdict: Verdict, seq: int, now: Moment) -> None:
        policy: RuleSettings = self.settings_for(running.name, self._agent(verdict.agent_id))
        known = self._desk.open(fingerprint(running.name, verdict.agent_id, verdict.subject))
        cause = engine.Cause(running.name, running.alert_type, seq, now.wall)
        step = engine.transition(known, verdict, policy, cause, new_id("alert", now.wall))
        if step is not None:
            self._move(step, policy, now)

    def _move(self, step: engine.Step, policy: RuleSettings, now: Moment) -> None:
        agent_id = step.alert.agent_id
        braked = self._brake.consider(step, policy, self._agent(agent_id), now, self._gathered.planned(agent_id))
        self._gathered.edges += braked.edges
        self._gathered.launched += braked.launched
        self._keep(braked.step, now)
        if step.reason is Reason.FIRED and step.alert.says_silent:
            self._gathered.edges.append(Silenced(agent_id=agent_id))

    def _keep(self, step: engine.Step, now: Moment) -> None:
        alert = self._desk.routed(step.alert) if step.reason in engine.RINGS else step.alert
        if step.reason in LOGGED:
            self._log.info(
                f"alert.{step.reason}", alert=alert.id, rule=alert.rule, agent=alert.agent_id, severity=alert.severity
            )
        self._desk.keep(alert)
        self._gathered.edges.append(AlertChanged(alert=alert, reason=step.reason or Reason.UPDATED))
        if alert.says_silent and not alert.is_firing and self._is_silent_still(alert.agent_id):
            self._gathered.edges.append(Silenced(agent_id=alert.agent_id))
        if step.reason is not None:
            self._gathered.outbox += self._desk.say(alert, step.reason, now.wall)

    def _is_silent_still(self, agent_id: str) -> bool:
        """Another rule says so as well: the end of one alert does not make its agent be heard."""
        return any(other.says_silent for other in self._desk.firing_of(agent_id))

    def _agent(self, agent_id: str) -> Agent:
        return self._fleet.get(agent_id) or FLEET_AGENT

    def _tick(self, now: Moment) -> None:
        alerts = self._desk.alerts()
        self._ages.keep({alert.id for alert in alerts})
        for alert in alerts:
            policy = self._policy(alert)
            if policy is None:
                self._keep(engine.end(alert, now.wall), now)
                continue
            step = engine.tick(alert, policy, now.wall, partial(self._age, alert.id, now))
            if step is not None:
                self._move(step, policy, now)
        self._gathered.move(self._commands.expire(now.wall))

    def _age(self, alert_id: str, now: Moment, instant: Millis) -> Millis:
        return self._ages.of(alert_id, instant, now)

    def _policy(self, alert: Alert) -> RuleSettings | None:
        """None when the alert's rule is no longer in use, or not for this agent: nobody would ever resolve it."""
        if all(running.name != alert.rule for running in self.rules):
            return None
        settings: RuleSettings = self.settings_for(alert.rule, self._agent(alert.agent_id))
        return settings if settings.enabled else None

    def _release_brake(self, entry: Entry, now: Moment) -> None:
        """A human resumed the agent: for the episodes that are open the brake stays off."""
        for alert in self._desk.firing_of(entry.agent_id):
            policy = self._policy(alert)
            if policy is not None and policy.action != "none" and not alert.brake_released:
                released = replace(alert, brake_released=True, changed_at=now.wall, version=alert.version + 1)
                self._keep(engine.Step(released, None), now)

    # -- storing

    async def _store_step(self, now: Moment) -> None:
        gathered = self._gathered
        is_due = self.offset > self._stored_offset and now.mono >= self._stored_at + OFFSET_EVERY
        if not (gathered.edges or gathered.outbox or is_due):
            return
        unit = Unit(edges=tuple(gathered.edges), outbox=tuple(gathered.outbox), offsets={CONSUMER: self.offset})
        try:
            await self._store.commit(unit, now.wall)
        except StoreUnavailable as error:
            self._block(str(error))
            return
        self._gathered = Gathered()
        self.is_blocked = False
        self._stored_offset = self.offset
        self._stored_at = now.mono
        if unit.outbox:
            self._desk.poke(unit.outbox)
        for command in gathered.launched:
            self._commands.launch(command)

    def _block(self, why: str) -> None:
        if not self.is_blocked:
            self._log.error("rules.not_stored", edges=len(self._gathered.edges), error=why)
        self.is_blocked = True
        self._gathered.bound()
        self.on_blocked(why)


__all__ = ["Rules", "Running"]
