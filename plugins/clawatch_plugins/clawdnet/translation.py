"""What happens to agents, as frames for dashboards: a bot's own frames as they came, and those of every other door."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clawatch.apis.fanout import News
from clawatch.apis.statuses import Statuses
from clawatch.domain.events import Event, EventType, Origin
from clawatch.domain.journal import Entry
from clawatch.domain.time import iso
from clawatch.ports import QueriesPort
from clawatch_plugins.clawdnet.reading import Said
from clawatch_plugins.clawdnet.wire import Frame, StatusFrame
from clawatch_plugins.clawdnet.words import GONE, WORD_OF

MOST_UNDER_WAY = 10_000


@dataclass(frozen=True)
class Sent:
    """A frame of a bot that is being stored. ``client`` is the connection it came by."""

    client: str
    type: str
    timestamp: str


class UnderWay:
    """Frames between their arrival and their telling, by the ids of their events; bounded."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, Sent] = OrderedDict()

    def put(self, client: str, said: Said) -> None:
        assert said.event.id is not None
        self._sent[said.event.id] = Sent(client, said.type, said.timestamp)
        if len(self._sent) > MOST_UNDER_WAY:
            self._sent.popitem(last=False)

    def take(self, event_id: str | None) -> Sent | None:
        return None if event_id is None else self._sent.pop(event_id, None)


class Translation:
    """``News.topic`` names the connection whose own frame it is and which is not told of it, if it is one's."""

    def __init__(self, queries: QueriesPort, under_way: UnderWay) -> None:
        self._statuses = Statuses(queries)
        self._under_way = under_way

    def __call__(self, entry: Entry) -> Iterable[News]:
        event = entry.body if isinstance(entry.body, Event) else None
        sent = None if event is None else self._under_way.take(event.id)
        topic = "" if sent is None else sent.client
        if event is not None and event.origin is not Origin.HISTORY and not event.is_hidden:
            frame = _sent_frame(event, sent) if sent is not None else _frame(event)
            if frame is not None:
                yield News(topic, event.agent_id, frame)
        word = self._changed(entry, sent)
        if word is not None:
            yield News(topic, entry.agent_id, StatusFrame(entry.agent_id, word, iso(entry.at)))

    def _changed(self, entry: Entry, sent: Sent | None) -> str | None:
        """The agent's new status, unless a frame of its own has just told it, or that it exists at all."""
        change = self._statuses.change(entry)
        if change is None or (sent is not None and (change.old is None or sent.type == "status")):
            return None
        return GONE if change.new is None else WORD_OF[change.new]


def _sent_frame(event: Event, sent: Sent) -> Frame | StatusFrame:
    if sent.type == "status":
        return StatusFrame(event.agent_id, event.data["status"], sent.timestamp)
    return Frame(sent.type, event.agent_id, sent.timestamp, event.data)  # type: ignore[arg-type]


def _frame(event: Event) -> Frame | None:
    """An event that came by another door; None where ClawdNet has no word for it."""
    if event.type is EventType.METRICS and event.gauges:
        return Frame("metrics", event.agent_id, iso(event.at), {name: _plain(v) for name, v in event.gauges.items()})
    if not event.is_error:
        return None
    data: dict[str, Any] = {"error_type": "skill_failure" if event.is_failed_tool else "error"}
    if event.tool is not None:
        data["skill"] = event.tool.name
    return Frame("error", event.agent_id, iso(event.at), {**data, "message": event.error or "failed"})


def _plain(value: float) -> float:
    return int(value) if value.is_integer() else value
