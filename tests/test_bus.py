from __future__ import annotations

import asyncio

from clawatch.bus import Bus
from clawatch.domain.agents import Control
from clawatch.domain.journal import ControlChanged, Entry, EntryKind


def entry(seq: int) -> Entry:
    body = ControlChanged(agent_id="a", control=Control.RUN, by="me")
    return Entry(seq=seq, at=0, kind=EntryKind.AGENT, agent_id="a", body=body)


async def test_subscribers_see_what_is_published_in_order() -> None:
    bus = Bus()
    async with bus.subscribe() as subscription:
        bus.publish([entry(1), entry(2)])
        bus.publish([entry(3)])
        bus.close()
        assert [e.seq async for e in subscription] == [1, 2, 3]
    assert not subscription.is_dropped


async def test_a_reader_that_is_too_slow_is_dropped_and_the_others_go_on() -> None:
    bus = Bus()
    async with bus.subscribe(size=2) as slow, bus.subscribe(size=10) as quick:
        bus.publish([entry(1), entry(2), entry(3)])
        bus.close()
        assert slow.is_dropped
        assert [e.seq async for e in slow] == []
        assert [e.seq async for e in quick] == [1, 2, 3]


async def test_a_waiting_reader_is_woken() -> None:
    bus = Bus()
    async with bus.subscribe() as subscription:
        reader = asyncio.ensure_future(anext(aiter(subscription)))
        await asyncio.sleep(0)
        bus.publish([entry(9)])
        assert (await reader).seq == 9
