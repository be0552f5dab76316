"""Plugins that raise, hang or give nonsense: isolated, reported, and switched off when they go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from clawatch.domain.time import MINUTE
from clawatch.ports import ClaWatchError
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

Until = Callable[..., Awaitable[Any]]

PLUGIN = '''
"""Everything in here goes wrong."""

import asyncio
from contextlib import asynccontextmanager

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Scope
from clawatch.domain.alerts import AlertType
from clawatch.domain.verdicts import Wake
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution, RuleType
from clawatch.settings import RuleSettings, Settings


class Rule:
    def observe(self, entry, agent, settings, now):
        raise LookupError("this rule is no good")

    def due(self, wake, agent, settings, now):
        raise LookupError

    def forget(self, agent_id):
        raise LookupError


class Restless(Rule):
    """Asks to be woken at once, again and again."""

    def observe(self, entry, agent, settings, now):
        return [Wake(mono=now.mono, agent_id=agent.id)]

    def due(self, wake, agent, settings, now):
        return [Wake(mono=now.mono, agent_id=agent.id)] * 2

    def forget(self, agent_id):
        pass


class Endless(Rule):
    """Has more to say than anybody can store."""

    def observe(self, entry, agent, settings, now):
        while True:
            yield Wake(mono=now.mono, agent_id=agent.id)


class Enricher:
    def enrich(self, event):
        if event.data.get("hurts") == "none":
            return None
        raise LookupError("this enricher is no good")


class Controller:
    def kind(self, agent):
        raise LookupError

    def describe(self, agent):
        raise LookupError

    async def carry(self, command, agent):
        raise LookupError


class Hanging:
    async def deliver(self, notification):
        await asyncio.sleep(3600)


class Raising:
    async def deliver(self, notification):
        raise LookupError("this notifier is no good")


class Nonsense:
    async def deliver(self, notification):
        return "done"


class Vocabulary:
    name = "bad"

    def detects(self, resource, scope):
        if resource.get("service.name") == "detected":
            return True
        raise LookupError

    def map(self, records, now):
        raise LookupError


async def fail(request, principal):
    raise LookupError("this handler is no good")


def opening(part):
    @asynccontextmanager
    async def open(settings, core):
        yield part() if isinstance(part, type) else part

    return open


@hookimpl
def register_rules():
    return [
        RuleType(name, AlertType.ERROR, RuleSettings, opening(rule))
        for name, rule in (("bad", Rule), ("restless", Restless), ("endless", Endless))
    ]


@hookimpl
def register_enrichers():
    return [Contribution("bad", Settings, opening(Enricher))]


@hookimpl
def register_controllers():
    return [Contribution("bad", Settings, opening(Controller))]


@hookimpl
def register_notifiers():
    kinds = (("hanging", Hanging), ("raising", Raising), ("nonsense", Nonsense))
    return [Contribution(name, Settings, opening(notifier)) for name, notifier in kinds]


@hookimpl
def register_vocabularies():
    return [Vocabulary()]


@hookimpl
def register_apis():
    api = Api((Route("GET", "/bad", fail, Scope.READ, ""),), clawatch_envelope)
    return [Contribution("bad", Settings, opening(api))]
'''


STUCK = '''
import asyncio
from contextlib import asynccontextmanager

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution
from clawatch.settings import Settings


@asynccontextmanager
async def open(settings, core):
    await asyncio.sleep(3600)
    yield


@hookimpl
def register_controllers():
    return [Contribution("stuck_at_the_start", Settings, open)]
'''


FLOOD = '''
import asyncio
from contextlib import asynccontextmanager

from clawatch.domain.access import CORE
from clawatch.domain.events import Event, EventType
from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution
from clawatch.settings import Settings


async def pour(core):
    batch = [Event(agent_id="flood", type=EventType.ERROR, at=0, error="x" * 100) for _ in range(1000)]
    while True:
        await core.ingest.accept(batch, CORE)


@asynccontextmanager
async def open(settings, core):
    pouring = [asyncio.create_task(pour(core)) for _ in range(4)]
    yield
    for task in pouring:
        task.cancel()


@hookimpl
def register_sources():
    return [Contribution("flood", Settings, open)]
'''


SHUT = '''
from contextlib import asynccontextmanager

from clawatch.hookspecs import hookimpl
from clawatch.ports import Contribution
from clawatch.settings import Settings


@asynccontextmanager
async def open(settings, core):
    raise LookupError("no key for this door")
    yield


@hookimpl
def register_enrichers():
    return [Contribution("shut", Settings, open)]
'''


@pytest.fixture
async def app(tmp_path: Path, hook: Any, clock: FakeClock) -> AsyncIterator[App]:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "bad.py").write_text(PLUGIN)
    config = {
        "plugins": {"directory": str(plugins), "disabled": ["mailbox"]},  # else nobody asks the bad controller
        "rules": {"bad": {}, "restless": {}, "endless": {}},
        "notifiers": {"hanging": {}, "raising": {}, "nonsense": {}, "hook": {"use": "webhook", "url": hook.url}},
    }
    async with run_app(tmp_path, config, clock) as app:
        yield app


@pytest.fixture
async def teller(app: App, teller_of: Any) -> Any:
    return teller_of(app)


async def part(teller: Any, section: str, name: str) -> Any:
    _, report = await teller.get("/api/system")
    return next(part for part in report["parts"] if (part["section"], part["name"]) == (section, name))


async def test_rules_that_raise_or_run_wild_are_switched_off_and_the_others_go_on(
    app: App, teller: Any, hook: Any, until: Until
) -> None:
    for _ in range(5):
        await teller.tell("a")
    await app.settle()
    await teller.fail("b")
    await app.settle()
    await until(lambda: heard(hook, "b"))
    for name in ("bad", "endless"):
        assert (await part(teller, "rules", name))["state"] == "switched off"
    assert (await teller.get("/health"))[1]["status"] == "degraded"
    app.clock.advance(6 * MINUTE)  # type: ignore[attr-defined]
    await app.settle()
    await until(lambda: heard(hook, "a"))  # stuck


async def test_an_enricher_that_raises_loses_no_event(app: App, teller: Any) -> None:
    for n in range(3):
        assert (await teller.tell("a", id=str(n))).status == 201
    assert (await part(teller, "enrichers", "bad"))["state"] == "failing"
    assert (await teller.tell("a", id="3", data={"hurts": "none"})).status == 201
    for n in range(4, 8):
        assert (await teller.tell("a", id=str(n))).status == 201
    assert len(await teller.ids("a")) == 8
    assert (await part(teller, "enrichers", "bad"))["state"] == "switched off"
    assert (await part(teller, "enrichers", "prices"))["state"] == "ok"


async def test_a_controller_that_raises_has_no_agents(app: App, teller: Any) -> None:
    for n in range(6):
        await teller.tell(f"a{n}")
        status, agent = await teller.get(f"/api/agents/a{n}")
        assert (status, agent["control"]["kind"]) == (200, "none")
    async with teller.session.post(f"{app.url}/api/agents/a0/pause") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "paused")
    assert (await part(teller, "controllers", "bad"))["state"] == "switched off"
    assert (await part(teller, "controllers", "claude_code"))["state"] == "ok"


async def test_notifiers_that_hang_raise_or_talk_nonsense_hold_up_no_other_and_lose_nothing(
    app: App, teller: Any, hook: Any, until: Until
) -> None:
    await teller.fail("a")
    await app.settle()
    await until(lambda: heard(hook, "a"))
    for name in ("raising", "nonsense"):
        await until(lambda name=name: is_in(teller, name, "retrying"))
    assert (await teller.get("/api/system"))[1]["outbox"] == 3  # they will be told when they can hear


async def is_in(teller: Any, notifier: str, state: str) -> bool:
    return bool((await part(teller, "notifiers", notifier))["state"] == state)


async def heard(hook: Any, agent: str) -> bool:
    return agent in hook.alerts()


async def test_a_door_that_raises_is_reported_until_it_answers_again_and_the_others_go_on(
    app: App, teller: Any
) -> None:
    for _ in range(7):
        status, body = await teller.get("/bad")
        assert (status, set(body)) == (500, {"error"})
        assert "no good" not in str(body)
    bad = await part(teller, "apis", "bad")
    assert bad["state"] == "failing"
    assert "7" in bad["detail"]
    assert (await part(teller, "apis", "clawatch"))["state"] == "ok"


async def test_a_vocabulary_that_raises_costs_its_own_records_only(app: App, teller: Any) -> None:
    def logs(service: str) -> dict[str, Any]:
        attributes = [{"key": "service.name", "value": {"stringValue": service}}]
        record = {"timeUnixNano": "1", "body": {"stringValue": "x"}}
        return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": [record]}]}]}

    for service in ("somebody", "detected", "detected", "claude-code", "somebody", "detected", "somebody"):
        async with teller.session.post(f"{app.url}/v1/logs", json=logs(service)) as answer:
            assert answer.status == 200
            await answer.read()
    assert {p["name"]: p["state"] for p in (await teller.get("/api/system"))[1]["parts"]
            if p["section"] == "vocabularies"}["bad"] == "switched off"


async def test_a_part_that_cannot_be_opened_is_done_without_unless_the_configuration_names_it(
    tmp_path: Path, clock: FakeClock, teller_of: Any
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "shut.py").write_text(SHUT)
    config = {"plugins": {"directory": str(plugins)}}
    async with run_app(tmp_path, config, clock) as app:
        teller = teller_of(app)
        assert (await teller.tell("a")).status == 201
        assert (await part(teller, "enrichers", "shut"))["state"] == "broken"
        assert (await teller.get("/health"))[1]["status"] == "degraded"
    with pytest.raises(ClaWatchError, match="the enricher shut of the plugin shut cannot be opened: LookupError"):
        async with run_app(tmp_path, config | {"enrichers": {"shut": {}}}, clock):
            raise AssertionError("it opened")


async def test_a_part_that_hangs_while_it_opens_holds_up_the_start_for_a_while_only(
    tmp_path: Path, clock: FakeClock, teller_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawatch.assembly.OPEN_WITHIN", 0.1)
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "stuck_at_the_start.py").write_text(STUCK)
    async with run_app(tmp_path, {"plugins": {"directory": str(plugins)}}, clock) as app:
        teller = teller_of(app)
        assert (await teller.tell("a")).status == 201
        found = await part(teller, "controllers", "stuck_at_the_start")
        assert (found["state"], "TimeoutError" in found["detail"]) == ("broken", True)


async def test_a_source_that_floods_is_held_back_so_that_others_are_judged_in_time(
    tmp_path: Path, hook: Any, until: Until, teller_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawatch.assembly.MOST_AHEAD", 2_000)
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o700)
    (plugins / "flood.py").write_text(FLOOD)
    config = {
        "plugins": {"directory": str(plugins)}, "sources": {"flood": {}},
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}}, "storage": {"use": "sqlite"},
    }
    async with run_app(tmp_path, config) as app:
        teller = teller_of(app)
        await until(lambda: heard(hook, "flood"))
        before = psutil.Process().memory_info().rss
        await teller.fail("other")
        await until(lambda: heard(hook, "other"), 20.0)
        assert psutil.Process().memory_info().rss - before < 60 * 1024 * 1024
        assert app.daemon.store.head - app.daemon.rules.offset < 2_000 + 4 * 1_000 + 100
