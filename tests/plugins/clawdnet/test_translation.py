from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.clawdnet.reading import Said
from clawatch_plugins.clawdnet.translation import MOST_UNDER_WAY, Translation, UnderWay

from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import Entry, EntryKind
from clawatch.ports import NotFound


class Nobody:
    """Queries of a daemon that knows no agents."""

    def agents(self, principal: Any) -> list[Any]:
        return []

    def agent(self, agent_id: str, principal: Any) -> Any:
        raise NotFound("Agent not found")


def event(id: str | None = None, **fields: Any) -> Event:
    return Event(agent_id="a", type=EventType.METRICS, at=1, id=id, gauges={"cpu": 1.0}, **fields)


def told(translation: Translation, event: Event) -> list[Any]:
    return list(translation(Entry(seq=1, at=1, kind=EntryKind.EVENT, agent_id="a", body=event)))


@pytest.mark.parametrize(("fields", "frames"), [
    ({}, 1), ({"origin": Origin.LATE}, 1), ({"origin": Origin.HISTORY}, 0), ({"is_hidden": True}, 0),
])  # fmt: skip
def test_the_past_and_what_is_hidden_are_not_told(fields: Any, frames: int) -> None:
    assert len(told(Translation(Nobody(), UnderWay()), event(**fields))) == frames  # type: ignore[arg-type]


def test_a_frame_under_way_is_told_as_it_came_and_forgotten() -> None:
    under_way = UnderWay()
    said = Said("metrics", event("e1"), "2026-01-30T12:00:00Z")
    under_way.put("client", said)
    translation = Translation(Nobody(), under_way)  # type: ignore[arg-type]
    [news] = told(translation, said.event)
    assert (news.topic, news.message.timestamp) == ("client", "2026-01-30T12:00:00Z")
    [again] = told(translation, said.event)
    assert (again.topic, again.message.timestamp) == ("", "1970-01-01T00:00:00.001Z")


def test_frames_that_nobody_is_told_of_do_not_pile_up() -> None:
    under_way = UnderWay()
    for n in range(MOST_UNDER_WAY + 10):
        under_way.put("client", Said("metrics", event(f"e{n}"), ""))
    assert [under_way.take(f"e{n}") is None for n in (0, 9, 10)] == [True, True, False]
