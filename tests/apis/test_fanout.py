"""The fan-out over a real core: what is committed reaches those who want it, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from clawatch.apis.fanout import Fanout, News, Translate
from clawatch.apis.outbound import Frame
from clawatch.apis.sessions import Session
from clawatch.apis.socket_limits import Codec
from clawatch.apis.statuses import StatusChange, Statuses
from clawatch.domain.access import CORE
from clawatch.domain.agents import Status
from clawatch.domain.commands import CommandType
from clawatch.domain.events import Activity, Event, EventType
from clawatch.domain.journal import Entry
from clawatch.testing.app import App, run_app

WAIT = 5.0


class Reader:
    """Stands where a connection would: keeps the frames it is handed."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.closed: int | None = None
        self._more = asyncio.Event()

    def send_frame(self, frame: Frame) -> None:
        self.frames.append(frame.payload.decode())
        self._more.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = code
        self._more.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not holds():
                self._more.clear()
                await self._more.wait()

    @property
    def session(self) -> Session:
        return cast(Session, self)


class Encoder:
    def __init__(self) -> None:
        self.encoded = 0

    def __call__(self, message: Any) -> str:
        self.encoded += 1
        return str(message)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path) as app:
        yield app


def _names() -> Translate:
    def translate(entry: Entry) -> Iterable[News]:
        if isinstance(entry.body, Event):
            yield News("event", entry.agent_id, entry.body.data["n"])

    return translate


def _wants_all(news: News) -> bool:
    return True


async def _say(app: App, agent_id: str, n: object, activity: Activity | None = None) -> None:
    event = Event(
        agent_id=agent_id, type=EventType.HEARTBEAT, at=app.clock.now().wall, data={"n": n}, activity=activity
    )
    await app.daemon.core.ingest.accept([event], CORE)


async def test_each_member_gets_what_it_wants_in_order_and_each_frame_is_encoded_once(app: App) -> None:
    encoder = Encoder()
    fanout = Fanout(app.daemon.core, Codec(encode=encoder), _names)
    all_of_it, only_a = Reader(), Reader()
    async with (
        fanout.joined(all_of_it.session, _wants_all),
        fanout.joined(only_a.session, lambda news: news.agent_id == "a"),
    ):
        for n in range(20):
            await _say(app, "ab"[n % 2], n)
        await all_of_it.until(lambda: len(all_of_it.frames) == 20)
    assert all_of_it.frames == [str(n) for n in range(20)]
    assert only_a.frames == [str(n) for n in range(0, 20, 2)]
    assert encoder.encoded == 20


async def test_what_nobody_wants_is_not_encoded(app: App) -> None:
    encoder = Encoder()
    fanout = Fanout(app.daemon.core, Codec(encode=encoder), _names)
    reader = Reader()
    async with fanout.joined(reader.session, lambda news: news.agent_id == "b"):
        await _say(app, "a", 1)
        await _say(app, "b", 2)
        await reader.until(lambda: reader.frames == ["2"])
    assert encoder.encoded == 1


async def test_a_member_hears_nothing_of_what_was_there_before_it_came(app: App) -> None:
    fanout = Fanout(app.daemon.core, Codec(encode=str), _names)
    first, second = Reader(), Reader()
    async with fanout.joined(first.session, _wants_all):
        await _say(app, "a", "early")
        async with fanout.joined(second.session, _wants_all):
            await _say(app, "a", "late")
            await second.until(lambda: bool(second.frames))
        await first.until(lambda: first.frames == ["early", "late"])
    assert second.frames == ["late"]


async def test_who_has_left_hears_no_more_and_the_last_one_ends_the_pump(app: App) -> None:
    begun: list[int] = []

    def begin() -> Translate:
        begun.append(1)
        return _names()

    fanout = Fanout(app.daemon.core, Codec(encode=str), begin)
    reader = Reader()
    async with fanout.joined(reader.session, _wants_all):
        pass
    await _say(app, "a", 1)
    assert (reader.frames, fanout.sessions) == ([], [])
    async with fanout.joined(reader.session, _wants_all):
        await _say(app, "a", 2)
        await reader.until(lambda: reader.frames == ["2"])
    assert len(begun) == 2


async def test_a_burst_beyond_the_queue_of_the_bus_is_read_from_the_journal(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawatch.apis.fanout.QUEUE", 5)
    fanout = Fanout(app.daemon.core, Codec(encode=str), _names)
    reader = Reader()
    events = [
        Event(agent_id="a", type=EventType.HEARTBEAT, at=app.clock.now().wall, data={"n": n}) for n in range(1000)
    ]
    async with fanout.joined(reader.session, _wants_all):
        await app.daemon.core.ingest.accept(events, CORE)
        await reader.until(lambda: len(reader.frames) == 1000)
    assert reader.frames == [str(n) for n in range(1000)]


@pytest.mark.parametrize("fails_at", ["translating", "encoding"])
async def test_an_entry_that_a_door_cannot_tell_is_left_out_and_the_next_one_told(app: App, fails_at: str) -> None:
    def translate(entry: Entry) -> Iterable[News]:
        if entry.agent_id == "bad" and fails_at == "translating":
            raise OverflowError("int too large to convert to float")
        yield News("event", entry.agent_id, entry.agent_id)

    def encode(message: Any) -> str:
        if message == "bad":
            raise RecursionError
        return str(message)

    fanout = Fanout(app.daemon.core, Codec(encode=encode), lambda: translate)
    reader = Reader()
    async with fanout.joined(reader.session, _wants_all):
        await _say(app, "bad", 1)
        await _say(app, "good", 2)
        await reader.until(lambda: "good" in reader.frames)
    assert (set(reader.frames), reader.closed) == ({"good"}, None)


async def test_a_pump_that_fails_closes_the_members_instead_of_leaving_them_waiting(app: App) -> None:
    def broken(news: News) -> bool:
        raise RuntimeError("broken")

    fanout = Fanout(app.daemon.core, Codec(encode=str), _names)
    reader = Reader()
    async with fanout.joined(reader.session, broken):
        await _say(app, "a", 1)
        await reader.until(lambda: reader.closed is not None)
    assert reader.closed == 1011


async def test_what_comes_from_elsewhere_goes_to_those_who_want_it(app: App) -> None:
    fanout = Fanout(app.daemon.core, Codec(encode=str), _names)
    reader, other = Reader(), Reader()
    async with (
        fanout.joined(reader.session, lambda news: news.topic == "metrics"),
        fanout.joined(other.session, lambda news: news.topic == "event"),
    ):
        fanout.tell(News("metrics", "", 42))
    assert (reader.frames, other.frames) == (["42"], [])


async def test_a_status_change_is_told_once_with_what_it_was_and_is(app: App) -> None:
    await _say(app, "a", 0, Activity.RUNNING)
    statuses = Statuses(app.daemon.core.queries)
    changes: list[StatusChange] = []

    async def look() -> None:
        entry = (await app.daemon.store.read(app.daemon.store.head - 1, 1))[0]
        if (change := statuses.change(entry)) is not None:
            changes.append(change)

    await _say(app, "a", 1, Activity.RUNNING)
    await look()
    await app.daemon.core.commands.control("a", CommandType.PAUSE, CORE)
    await look()
    await _say(app, "b", 2, Activity.IDLE)
    await look()
    await app.daemon.core.commands.remove_agent("a", CORE)
    await look()
    assert [(c.agent_id, c.old, c.new) for c in changes] == [
        ("a", Status.RUNNING, Status.PAUSED),
        ("b", None, Status.IDLE),
        ("a", Status.PAUSED, None),
    ]
