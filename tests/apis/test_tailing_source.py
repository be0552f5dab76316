"""A source that follows files, over a core: what is written becomes events, and positions are marked behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from clawatch.apis.tailing import Folder, Followed, Line, follow
from clawatch.apis.tailing import running as running_module
from clawatch.clock import SystemClock
from clawatch.domain.access import Principal
from clawatch.domain.events import Event, EventType, Origin
from clawatch.ports import Core, Invalid, PassingMarks, Receipt, StoreUnavailable


class Words:
    note = ""

    def __init__(self, path: str, note: str) -> None:
        pass

    def read(self, line: Line) -> Iterable[Event]:
        return [Event(agent_id="a", type=EventType.MESSAGE, at=0, id=line.data.decode())]


class Ingest:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_down = False
        self.tried = asyncio.Event()

    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        self.tried.set()
        if self.is_down:
            raise StoreUnavailable("the disk is full")
        if any(event.id == "poison" for event in events):
            raise Invalid("this cannot be stored")
        self.events += events
        return Receipt(accepted=len(events), duplicates=0)

    @property
    def said(self) -> list[str]:
        return [event.id or "" for event in self.events]


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.ingest, self.marks = Ingest(), PassingMarks()
        self.core = Core(
            ingest=self.ingest, queries=None, commands=None, access=None, bus=None, clock=SystemClock(),
            scheduler=None, http=None, log=structlog.get_logger(), marks=self.marks,
        )  # type: ignore[arg-type]

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as opened:
            opened.write(text)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        async with follow(self.core, Followed("words", Folder(self.root, ["**/*.log"]), Words)):
            yield

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "root").mkdir()
    return World(tmp_path / "root")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_module, "RETRY", 0.01)
    monkeypatch.setattr(running_module, "LOOK_EVERY", 0.05)


async def test_what_is_appended_becomes_an_event(world: World) -> None:
    world.write("a.log", "old\n")
    async with world.following():
        await world.until(lambda: world.ingest.said == ["old"])
        world.write("a.log", "new\n")
        await world.until(lambda: world.ingest.said == ["old", "new"])
        world.write("deep/down/b.log", "other\n")
        await world.until(lambda: len(world.ingest.said) == 3)
    assert [event.origin for event in world.ingest.events] == [Origin.HISTORY, Origin.LIVE, Origin.LIVE]


async def test_the_next_time_goes_on_from_the_marks(world: World) -> None:
    world.write("a.log", "one\n")
    async with world.following():
        await world.until(lambda: world.ingest.said == ["one"])
    world.write("a.log", "two\n")
    async with world.following():
        await world.until(lambda: world.ingest.said == ["one", "two"])


async def test_a_folder_that_comes_later_is_found(world: World, quick: None) -> None:
    world.root.rmdir()
    async with world.following():
        await asyncio.sleep(0)
        world.write("a.log", "one\n")
        await world.until(lambda: world.ingest.said == ["one"])


async def test_while_the_store_takes_nothing_nothing_is_marked_and_nothing_lost(world: World, quick: None) -> None:
    world.ingest.is_down = True
    world.write("a.log", "one\n")
    async with world.following():
        await world.ingest.tried.wait()
        assert await world.marks.read("words") == {}
        world.ingest.is_down = False
        await world.until(lambda: world.ingest.said == ["one"])
    assert "a.log" in await world.marks.read("words")


async def test_an_event_that_cannot_be_stored_is_left_out_alone(world: World) -> None:
    world.write("a.log", "one\npoison\ntwo\n")
    async with world.following():
        await world.until(lambda: world.ingest.said == ["one", "two"])


async def test_without_word_from_the_system_looking_remains(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchfiles.awatch", _deaf)
    async with world.following():
        world.write("a.log", "one\n")
        await world.until(lambda: world.ingest.said == ["one"])
        world.write("a.log", "two\n")
        await world.until(lambda: world.ingest.said == ["one", "two"])


def _deaf(*folders: Path, **options: object) -> None:
    raise OSError("no space left on device: too many watches")
