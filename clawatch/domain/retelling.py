"""Retelling: how agents stood in the past, out of the journal. The same fold that the ledger makes, row by row."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from clawatch.domain.agents import Agent, enrol, fold, with_control
from clawatch.domain.events import Event
from clawatch.domain.journal import (
    AlertChanged,
    CommandChanged,
    ControlChanged,
    Counted,
    Entry,
    Fill,
    Removed,
    Silenced,
)
from clawatch.domain.ledger import confirmed_activity, with_totals


def agent_after(agent: Agent | None, entry: Entry) -> Agent | None:
    """The agent after a row of the journal that is about it; None: there is none (any more).

    As it stood then in everything but its owner, which the journal does not hold.
    """
    if isinstance(entry.body, Event):
        known = agent or enrol(entry.body, entry.at, "", entry.seq)
        return with_totals(fold(known, entry.body), entry.body.session_id, entry.counted)
    if agent is None or isinstance(entry.body, Removed):
        return None
    match entry.body:
        case Fill():
            return _filled(agent, entry.body, entry.counted)
        case ControlChanged(control=control):
            return with_control(agent, control, entry.at)
        case Silenced():
            return replace(agent, is_silent=True)
        case CommandChanged(command=command):
            activity = confirmed_activity(command)
            return agent if activity is None else replace(agent, activity=activity)
        case AlertChanged(alert=alert) if alert.says_silent and not alert.is_firing:
            return replace(agent, is_silent=False)
    return agent


def _filled(agent: Agent, body: Fill, counted: tuple[Counted, ...]) -> Agent:
    if body.of < agent.first_seq:
        return agent
    said = agent if body.event.is_moved else fold(agent, body.said or body.event)
    return with_totals(said, body.event.session_id, counted)


class Past:
    """The fleet as it stood behind the row ``seq``."""

    def __init__(self, agents: Iterable[Agent] = (), seq: int = 0) -> None:
        self.agents = {agent.id: agent for agent in agents}
        self.seq = seq

    def copy(self) -> Past:
        return Past(self.agents.values(), self.seq)

    def take(self, entry: Entry) -> tuple[Agent | None, Agent | None]:
        """Go on by one row; the agent that it is about, before and after."""
        self.seq = entry.seq
        before = self.agents.get(entry.agent_id)
        after = agent_after(before, entry) if entry.agent_id else None
        if after is not None:
            self.agents[entry.agent_id] = after
        elif before is not None:
            del self.agents[entry.agent_id]
        return before, after
