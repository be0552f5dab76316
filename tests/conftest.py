"""What most tests need: a clock to turn, a store in memory, and the core put together around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from clawatch.alerting.desk import Desk
from clawatch.alerting.outbox import Worker
from clawatch.alerting.routing import Route
from clawatch.bus import Bus
from clawatch.census import Census
from clawatch.commands import Commands
from clawatch.domain.access import Principal, Scope
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import AlertType
from clawatch.domain.commands import Command, CommandState, ControlKind
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event, EventType
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Wake
from clawatch.fleet import Fleet
from clawatch.ingest import Ingest
from clawatch.journal import Journal
from clawatch.ports import Rule, StorePort
from clawatch.rules import Rules, Running
from clawatch.settings import RuleSettings
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore
from clawatch.testing.notifier import RecordingNotifier

OWNER = Principal(name="owner", user="olga", scopes=frozenset(Scope))


@dataclass
class ScriptedRule:
    """Says what a function makes of each event."""

    judge: Callable[[Event, Moment], Iterable[Finding]]
    on_due: Callable[[Wake, Moment], Iterable[Finding]] = lambda wake, now: ()
    seen: list[int] = field(default_factory=list)

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        self.seen.append(entry.seq)
        return self.judge(entry.body, now) if isinstance(entry.body, Event) else ()

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        return self.on_due(wake, now)

    def forget(self, agent_id: str) -> None:
        self.seen.clear()


@dataclass
class FakeController:
    """Takes every agent, as the kind it is told, and answers what it is told."""

    is_kind: ControlKind = ControlKind.COOPERATIVE
    answer: CommandState | None = None
    carried: list[Command] = field(default_factory=list)

    def kind(self, agent: Agent) -> ControlKind | None:
        return self.is_kind

    def describe(self, agent: Agent) -> str:
        return f"{self.is_kind} (a test's)"

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        self.carried.append(command)
        return self.answer


@dataclass
class Bench:
    """The core around a store, with nothing running by itself: tests call ``turn``."""

    clock: FakeClock
    store: StorePort
    journal: Journal
    fleet: Fleet
    bus: Bus
    desk: Desk
    commands: Commands
    controller: FakeController
    ingest: Ingest
    rules: Rules
    workers: list[Worker]

    async def say(self, agent_id: str = "a", type: EventType = EventType.HEARTBEAT, **fields: Any) -> None:
        event = Event(agent_id=agent_id, type=type, at=fields.pop("at", self.clock.now().wall), **fields)
        receipt = await self.ingest.accept([event], OWNER)
        assert not receipt.rejected

    async def turn(self, by: Millis = 0) -> None:
        """Let time pass, the rules read everything, and the notifiers hear of it."""
        self.clock.advance(by)
        while await self.rules.step():
            pass
        await self.rules.step()
        await self.commands.carried()
        for worker in self.workers:
            while await worker.step():
                pass


BenchMaker = Callable[..., Any]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bench_with(clock: FakeClock) -> BenchMaker:
    """Makes a bench: ``await bench_with(rules, policy, notifiers, store=…)``."""

    async def make(
        judge: Callable[[Event, Moment], Iterable[Finding]] | Rule | None = None,
        policy: RuleSettings | None = None,
        notifiers: Sequence[RecordingNotifier] = (),
        *,
        store: StorePort | None = None,
        routes: Sequence[Route] = (),
        alert_type: AlertType = AlertType.ERROR,
        downtime: Millis = 0,
        most_agents: int = 10_000,
    ) -> Bench:
        store = store or MemoryStore()
        log = structlog.get_logger()
        journal, bus, fleet = Journal(store), Bus(), Fleet(await store.agents())
        names = [f"n{i}" for i in range(len(notifiers))]
        controller = FakeController()
        desk = Desk(store, clock, routes, names)
        commands = Commands(store, fleet, clock, [controller])
        await desk.load()
        await commands.load()
        for listener in (journal.apply, fleet.apply, commands.apply, desk.apply):
            store.listen(listener)
        store.listen(lambda committed: bus.publish(committed.entries))
        rule = ScriptedRule(judge) if callable(judge) else judge
        running = [Running("test", alert_type, rule)] if rule is not None else []
        rules = Rules(
            store, journal, fleet, desk, commands, running, lambda name, agent: policy or RuleSettings(), clock, log
        )
        await rules.warm_up(Downtime(downtime))
        workers = [
            Worker(name, notifier, store, fleet, desk, commands, clock, log)
            for name, notifier in zip(names, notifiers, strict=True)
        ]
        ingest = Ingest(store, clock, (), lambda event: event, census=Census(fleet, most_agents))
        return Bench(clock, store, journal, fleet, bus, desk, commands, controller, ingest, rules, workers)

    return make


@pytest.fixture
def owner() -> Principal:
    return OWNER
