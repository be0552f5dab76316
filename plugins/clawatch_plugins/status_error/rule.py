"""The rule: follows each agent entry by entry, since the agent it is shown may be some entries ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from clawatch.domain.agents import Agent, Status, enrol, fold
from clawatch.domain.alerts import Alert
from clawatch.domain.events import Activity, Event
from clawatch.domain.journal import AlertChanged, Entry
from clawatch.domain.time import HOUR, Millis, Moment
from clawatch.domain.verdicts import Finding, Notice, Wake
from clawatch.domain.words import one_line
from clawatch.ports import Rule

EVERY: Millis = HOUR
"""At most one notice per agent in so long."""


class StatusError(Rule):
    def __init__(self, firing: Iterable[Alert] = ()) -> None:
        self._agents: dict[str, Agent] = {}
        """Each agent as of the entry last seen."""
        self._firing: dict[str, set[str]] = {}
        """The ids of the alerts that fire, by agent."""
        self._told: dict[str, Millis] = {}
        """When an agent's error was last told of, on the monotonic clock."""
        for alert in firing:
            self._firing.setdefault(alert.agent_id, set()).add(alert.id)

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        body = entry.body
        if isinstance(body, AlertChanged):
            self._follow(body.alert)
        if not isinstance(body, Event):
            self._agents[agent.id] = agent
            return ()
        before = self._agents.get(agent.id) or _before(agent, body, entry)
        after = self._agents[agent.id] = fold(before, body)
        if after.status is not Status.ERROR or before.status is not Status.RUNNING:
            return ()
        return self._tell(agent, body, now)

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        return ()

    def watch(self, agent: Agent, settings: Any, now: Moment) -> Iterable[Wake]:
        """Those that the last hour tells nothing of stand as they do."""
        self._agents.setdefault(agent.id, agent)
        return ()

    def forget(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)
        self._firing.pop(agent_id, None)
        self._told.pop(agent_id, None)

    def _follow(self, alert: Alert) -> None:
        ids = self._firing.setdefault(alert.agent_id, set())
        if alert.is_firing:
            ids.add(alert.id)
        else:
            ids.discard(alert.id)
        if not ids:
            del self._firing[alert.agent_id]

    def _tell(self, agent: Agent, event: Event, now: Moment) -> Iterable[Finding]:
        told_at = self._told.get(agent.id)
        heard_at = now.mono_at(event.received_at)
        if agent.id in self._firing or (told_at is not None and heard_at < told_at + EVERY):
            return ()
        self._told[agent.id] = heard_at
        said = one_line(event.error or "", 200)
        message = "Agent went from running to error" + (f" — {said}" if said else "")
        return [Notice(agent_id=agent.id, key=f"{agent.id}:{event.received_at // HOUR}", message=message)]


def _before(agent: Agent, event: Event, entry: Entry) -> Agent:
    """How an agent stood before the first entry seen of it: new, or at work as far as anybody knows."""
    if agent.created_at == entry.at:
        return enrol(event, entry.at, agent.owner)
    return replace(agent, activity=Activity.RUNNING, is_silent=False, newest_at=0, progress_at=0, state_at=0)
