"""Turns of several sessions at once: an agent rests only when none of its sessions is at work."""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from clawatch.domain.events import Event, Turn
from clawatch.domain.time import HOUR, Millis

FORGOTTEN_AFTER: Millis = HOUR
"""A session that has been open and quiet for so long keeps its agent at work no more."""
_AGENTS, _SESSIONS = 4_096, 256


class Turns:
    def __init__(self) -> None:
        self._open: OrderedDict[str, OrderedDict[str, Millis]] = OrderedDict()
        """By agent: its sessions with an open turn, and when each was last heard of."""

    def settle(self, event: Event) -> Event:
        """The event with the turn as its agent's: the end of one session's is none while another is open."""
        if event.turn is None or event.session_id is None:
            return event
        mine = self._open.setdefault(event.agent_id, OrderedDict())
        self._open.move_to_end(event.agent_id)
        if event.turn is Turn.CLOSED:
            mine.pop(event.session_id, None)
        else:
            mine[event.session_id] = event.at
            mine.move_to_end(event.session_id)
        self._bound(mine)
        if event.turn is Turn.CLOSED and any(at > event.at - FORGOTTEN_AFTER for at in mine.values()):
            return replace(event, turn=None)
        return event

    def open_since(self, agent_id: str) -> dict[str, Millis]:
        return dict(self._open.get(agent_id, {}))

    @property
    def agents(self) -> list[str]:
        return [agent_id for agent_id, mine in self._open.items() if mine]

    def _bound(self, mine: OrderedDict[str, Millis]) -> None:
        if len(mine) > _SESSIONS:
            mine.popitem(last=False)
        if len(self._open) > _AGENTS:
            self._open.popitem(last=False)
