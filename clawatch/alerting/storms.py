"""Storms: many new alerts of one rule at once become one message, edited as it grows."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from msgspec.structs import replace

from clawatch.domain.alerts import Reason
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.ids import new_id
from clawatch.domain.time import SECOND, Millis, Moment

NEW = frozenset({Reason.FIRED, Reason.REPEATED, Reason.NOTICE})
"""What a storm is made of."""
STORM_SIZE = 10
"""More than this within STORM_WINDOW become one summary."""
STORM_WINDOW: Millis = 30 * SECOND
NAMED = 5
"""How many of the agents a summary names."""
MAX_REMEMBERED = 1_000

Source = tuple[str, str]
"""The rule, and whose agents it speaks of: one owner's storm hides nobody else's alert."""


@dataclass
class Storm:
    thread: str
    count: int = 0
    last_at: Millis = 0
    """Monotonic."""
    next_at: Millis = 0
    """When the summary is to be said next; what comes until then goes into the same edit."""
    agents: list[str] = field(default_factory=list)


class Storms:
    """One notifier's storms."""

    def __init__(self, notifier: str) -> None:
        self._notifier = notifier
        self._rung: OrderedDict[Source, deque[Moment]] = OrderedDict()
        """When the latest came about, on the wall clock, and when they were said, on the monotonic one."""
        self._storms: OrderedDict[Source, Storm] = OrderedDict()

    def is_one(self, row: Outgoing, owner: str, now: Moment) -> bool:
        """Whether this row is to be summed up rather than said by itself. The daemon's own words never are."""
        rung = self._rung.get((row.rule, owner)) if row.rule and row.reason in NEW else None
        if rung is None or len(rung) < STORM_SIZE:
            return False
        # Said at once, as after an outage, or come about at once, however long it takes to get through them.
        is_said_at_once = now.mono - rung[0].mono <= STORM_WINDOW
        return is_said_at_once or abs(row.created_at - rung[0].wall) <= STORM_WINDOW

    def rang(self, row: Outgoing, owner: str, now: Moment) -> None:
        """A row was said by itself."""
        if row.reason in NEW:
            self._rung.setdefault((row.rule, owner), deque(maxlen=STORM_SIZE)).append(
                Moment(row.created_at, now.mono)
            )
            _bound(self._rung)

    def absorb(self, row: Outgoing, owner: str, now: Moment) -> Outgoing:
        """The summary that speaks for this row too; a row of the outbox like any other, under one id as it grows."""
        storm = self._storms.get((row.rule, owner))
        if storm is None or now.mono - storm.last_at > STORM_WINDOW:
            storm = self._storms[row.rule, owner] = Storm(new_id("storm", now.wall))
            _bound(self._storms)
        storm.count += 1
        storm.last_at = now.mono
        if not now.wall < storm.next_at <= now.wall + SECOND:
            storm.next_at = now.wall + SECOND
        if len(storm.agents) < NAMED and row.agent_id not in storm.agents:
            storm.agents.append(row.agent_id)
        return self._summary(storm, row, now.wall)

    def _summary(self, storm: Storm, row: Outgoing, now: Millis) -> Outgoing:
        others = storm.count - len(storm.agents)
        more = f" and {others} more" if others > 0 else ""
        return replace(
            row,
            id=f"{storm.thread}:{self._notifier}",
            thread=storm.thread,
            reason=Reason.SUMMARY,
            alert_id=None,
            agent_id="",
            created_at=now,
            next_at=storm.next_at,
            attempts=0,
            text=f"{storm.count} more alerts of {row.rule}: {', '.join(storm.agents)}{more}",
            data={"count": storm.count, "rule": row.rule},
        )


def _bound(remembered: OrderedDict[Source, deque[Moment]] | OrderedDict[Source, Storm]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)
