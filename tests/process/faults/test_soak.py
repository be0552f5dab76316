"""A long time under mixed load: nothing grows that need not."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter, deque
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from clawatch.domain.access import Principal, Scope
from clawatch.domain.commands import CommandType
from clawatch.domain.events import Activity, Event, EventType, Phase, Signal, Tool, Usage
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

OWNER = Principal(name="soak", user="soak", scopes=frozenset(Scope))
AGENTS = [f"a{n}" for n in range(12)]
STEP = MINUTE
BOUNDED = {".rules._noticed": 10_000, ".rules.rules[].rule._accounts[].spending._sums[]": 13 * (7 * 24 + 3 + 3)}
"""What goes on filling for longer than a day, up to a bound of its own: this."""


# -- a day, on a clock that is turned


class Day:
    """What twelve agents do: work, spend, fail, loop, fall silent, are paused, and come back."""

    def __init__(self, app: App, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.step = 0

    async def turn(self) -> None:
        """A minute."""
        self.step += 1
        events = [event for agent in AGENTS for event in self._of(agent)]
        await self.app.daemon.core.ingest.accept(events, OWNER)
        if self.step % 20 == 0:
            await self._intervene(AGENTS[self.step // 20 % len(AGENTS)])
        await self.app.settle()
        self.clock.advance(STEP)

    def _of(self, agent: str) -> Iterator[Event]:
        turn = self.step + 7 * AGENTS.index(agent)
        if turn % 60 < 8:
            return  # long enough to be stuck
        session, at = f"s{self.step // 10}", self.clock.now().wall
        yield Event(
            agent_id=agent, type=EventType.HEARTBEAT, at=at, activity=Activity.RUNNING, source="clawatch"
        )
        yield Event(
            agent_id=agent, type=EventType.TOOL_CALL, at=at, session_id=session, call_id=f"c{self.step}",
            phase=Phase.END, signal=Signal.LOG,
            tool=Tool(name="bash", args_hash="same" if turn % 200 < 12 else str(turn), ok=turn % 9 != 0),
        )
        spent = Usage(model="m", cost=1_000_000, input=100, output=10)
        yield Event(agent_id=agent, type=EventType.COST, at=at, session_id=session, usage=spent)
        for _ in range(5 if turn % 90 == 0 else 0):
            yield Event(agent_id=agent, type=EventType.ERROR, at=at, error="boom")

    async def _intervene(self, agent: str) -> None:
        deeds = self.app.daemon.core.commands
        for verb in (CommandType.PAUSE, CommandType.RESUME):
            await deeds.control(agent, verb, OWNER)
            await deeds.take(agent, OWNER)
        await deeds.silence(OWNER, 10 * MINUTE, "soak", agent=agent)
        await self.app.daemon.desk.lift_expired(self.clock.now().wall)


async def test_a_day_of_mixed_load_leaves_everything_as_large_as_it_was(
    tmp_path: Path, clock: FakeClock, hook: Any
) -> None:
    config = {
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}},
        "storage": {"use": "sqlite", "sqlite": {"durability": "normal"}},
        "retention": {"events": "1h"},
        "rules": {"loop": {"action": "pause"}},
    }
    async with run_app(tmp_path, config, clock) as app, aiohttp.ClientSession() as session:
        day = Day(app, clock)
        samples = []
        for hour in range(DAY // HOUR):
            for _ in range(HOUR // STEP):
                await day.turn()
            await visit(app, session)
            await tidy_up(app, clock)
            if hour >= 5:
                samples.append(Sample(app))
        early, late = samples[:6], samples[-6:]
        assert grown(early, late) == {}
        assert min(s.tasks for s in late) <= max(s.tasks for s in early)
        assert min(s.descriptors for s in late) <= max(s.descriptors for s in early)
        assert min(s.objects for s in late) <= 1.05 * max(s.objects for s in early)
        assert min(s.log for s in late) <= 1.2 * max(s.log for s in early) + 1_000_000
        assert len(hook.alerts()) == len(AGENTS)  # it was alive all the while


def grown(early: list[Any], late: list[Any]) -> dict[str, tuple[int, int]]:
    """What is larger at its smallest than it once was at its largest."""
    sizes = {
        name: (max(s.sizes[name] for s in early), min(s.sizes[name] for s in late)) for name in late[-1].sizes
    }
    return {
        name: (before, after) for name, (before, after) in sizes.items()
        if after > 1.2 * before + 16 and after > BOUNDED.get(name, 0)
    }


async def visit(app: App, session: aiohttp.ClientSession) -> None:
    """Somebody looks at the pages and the live stream."""
    headers = {"X-ClaWatch-Key": app.key}
    for path in ("/api/agents", "/api/alerts", "/api/costs", "/api/system", "/metrics", "/health"):
        async with session.get(app.url + path, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()
    async with session.ws_connect(f"{app.url}/ws", headers=headers) as ws:
        await ws.send_json({"type": "subscribe", "agents": ["*"]})
        await ws.receive(timeout=5)
    async with session.get(f"{app.url}/api/agents", headers={"X-ClaWatch-Key": f"wrong {time.time()}"}) as answer:
        assert answer.status == 401


async def tidy_up(app: App, clock: FakeClock) -> None:
    """What the calendar's job does every hour of its own time."""
    from clawatch.ports import RetentionPolicy

    policy = RetentionPolicy(events=HOUR, minutes=31 * DAY, hours=400 * DAY, alerts=400 * DAY)
    while await app.daemon.store.prune(policy, clock.now().wall, 2_000):
        pass

    async with asyncio.timeout(10):
        while await app.daemon.store.outbox_size():
            clock.advance(SECOND)
            await asyncio.sleep(0.01)


class Sample:
    """How large things are now."""

    def __init__(self, app: App) -> None:
        gc.collect()
        self.sizes = sizes(app.daemon)
        self.tasks = len(asyncio.all_tasks())
        self.descriptors = psutil.Process().num_fds()
        self.objects = len(gc.get_objects())
        self.log = sum(file.stat().st_size for file in Path(app.daemon.store._path).parent.glob("*-wal"))  # type: ignore[attr-defined]


def sizes(root: object) -> Counter[str]:
    """How many things each container holds that ours can be reached from ``root``, by where it is; of many alike
    the sum."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    queue: deque[tuple[str, object]] = deque([("", root)])
    while queue:
        where, thing = queue.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (dict, list, set, deque, tuple)):
            found[where] += len(thing)
            inside = thing.values() if isinstance(thing, dict) else thing
            queue.extend((f"{where}[]", one) for one in inside)
        elif type(thing).__module__.startswith("clawatch"):
            if isinstance(thing, Sized):
                found[where] += len(thing)
            queue.extend((f"{where}.{name}", value) for name, value in attributes(thing))
    return found


def attributes(thing: object) -> Iterator[tuple[str, object]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield name, getattr(thing, name)


# -- some time, on the true one


@pytest.mark.parametrize(
    "seconds", [15.0, pytest.param(600.0, marks=pytest.mark.nightly)], ids=["some seconds", "ten minutes"]
)
async def test_real_load_leaves_memory_descriptors_and_log_flat(
    launcher: Any, hook: Any, tmp_path: Path, seconds: float
) -> None:
    settled, every = seconds / 5, seconds / 60
    daemon = await launcher.start({
        "notifiers": {"hook": {"use": "webhook", "url": hook.url}},
        "rules": {"stuck": {"after": f"{seconds / 6:.0f}s"}},
    })
    measured = psutil.Process(daemon.child.pid)
    samples: list[tuple[int, int, int]] = []
    started = time.monotonic()
    async with aiohttp.ClientSession(headers={"X-ClaWatch-Key": daemon.key}) as session:
        n = 0
        while (passed := time.monotonic() - started) < seconds:
            n += 1
            await say(session, daemon, n)
            if n % 50 == 0:
                await look(session, daemon)
            if passed > settled and len(samples) < (passed - settled) // every:
                wal = sum(file.stat().st_size for file in (tmp_path / "data").glob("*-wal"))
                samples.append((measured.memory_info().rss, measured.num_fds(), wal))
            await asyncio.sleep(0.02)
    early, late = samples[:12], samples[-12:]
    assert min(rss for rss, _, _ in late) < 1.1 * max(rss for rss, _, _ in early) + 10_000_000
    assert min(fds for _, fds, _ in late) <= max(fds for _, fds, _ in early)
    assert max(wal for _, _, wal in late) < 80 * 1024 * 1024
    assert await daemon.stop() == 0


async def say(session: aiohttp.ClientSession, daemon: Any, n: int) -> None:
    batch = [
        {"agentId": f"a{k}", "type": kind, "data": data}
        for k in range(50) if (n // 1_500 + k) % 10  # now and then some fall silent
        for kind, data in (
            ("heartbeat", {}), ("tool_call", {"tool": "bash", "arguments": {"n": n}, "ok": True}),
            ("cost", {"costUsd": 0.0001, "inputTokens": 10, "outputTokens": 1, "model": "m"}),
            *([("error", {"error": "boom"})] if n % 97 == k else []),
        )
    ]
    async with session.post(f"{daemon.url}/api/events", json=batch) as answer:
        assert answer.status == 201, await answer.text()


async def look(session: aiohttp.ClientSession, daemon: Any) -> None:
    for path in ("/api/agents", "/api/alerts", "/metrics"):
        async with session.get(daemon.url + path) as answer:
            assert answer.status == 200
            await answer.read()
    async with session.ws_connect(f"{daemon.url}/ws") as ws:
        await ws.send_json({"type": "subscribe", "agents": ["*"]})
        await ws.receive(timeout=5)
