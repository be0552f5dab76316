"""Tool calls between their start and their end, remembered for what only the start tells. Bounded."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from clawatch.domain.time import Millis

CAPACITY = 4_096


class Call(Struct, frozen=True):
    call_id: str
    """By which it is known here; OpenClaw's own, unless that was used before in its session."""
    entry: str
    """The transcript's entry that it began in."""
    name: str
    args_hash: str | None
    at: Millis


class Calls:
    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._calls: OrderedDict[tuple[str, str, str], Call] = OrderedDict()

    def begin(
        self, agent_id: str, session_id: str, call_id: str, entry: str, name: str, args_hash: str | None, at: Millis
    ) -> Call:
        """The call, under an id of its own: some models count from 0 again with every answer."""
        key = (agent_id, session_id, call_id)
        known = self._calls.get(key)
        if known is not None and known.entry and entry and known.entry != entry:
            call_id = f"{call_id}#{entry}"
        call = self._calls[key] = Call(call_id, entry or (known.entry if known else ""), name, args_hash, at)
        self._calls.move_to_end(key)
        if len(self._calls) > self._capacity:
            self._calls.popitem(last=False)
        return call

    def find(self, agent_id: str, session_id: str, call_id: str) -> Call | None:
        """The latest of this id."""
        return self._calls.get((agent_id, session_id, call_id))
