"""Processes: whose metrics count, and whose do not because their calls are told one by one.

Metrics of the conventions name no agent, so they are the process's. Where calls are told of the process itself, one
claim ends the counting of its metrics for good. Where calls name agents, it does so once the process's metrics have
been heard of: a process that is known by its agents alone shall not appear as one more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from clawatch.apis.claims import METRICS_SESSION, claim
from clawatch.apis.genai import model_of, provider_of
from clawatch.apis.identity import Who, identify
from clawatch.apis.recent import Recent
from clawatch.apis.steps import SOURCE, Told
from clawatch.apis.tally import Used, tally, tell_usage
from clawatch.apis.telemetry import MetricPoint
from clawatch.domain.events import Event, Signal
from clawatch.domain.time import Millis
from clawatch_plugins.genai.metrics import CALL_RANK, NEW_RANK, OLD_RANK, measures_of

_TRACED = ("pydantic-ai",)
"""Scopes whose metrics always come beside spans, and those name the agents."""
_MAX_PENDING = 10_000


class Processes:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.metered: Recent[str] = Recent()
        """Their metrics have told usage."""
        self.told: Recent[str] = Recent()
        """Their calls are told one by one."""
        self.claimed: Recent[str] = Recent()
        """Their metrics count no longer."""
        self.pending: OrderedDict[int, tuple[Event, str]] = OrderedDict()
        """Calls that have not been stored yet, and their processes."""

    def calls(self) -> Calls:
        """For the calls of one request."""
        return Calls(self)

    def who(self, resource: dict[str, Any]) -> Who:
        """The process itself."""
        return identify(resource, {}, self._kind)

    def usage(self, points: Sequence[MetricPoint], now: Millis) -> Iterator[Event]:
        """What metrics tell, as far as it counts."""
        found: dict[int, list[Used]] = {OLD_RANK: [], NEW_RANK: []}
        owed: dict[str, Millis] = {}
        for point in points:
            measures, rank = measures_of(point)
            if not measures or not tell_usage(point) or point.scope.startswith(_TRACED):
                continue
            who = self.who(point.resource)
            if who.agent_id in self.told and who.agent_id not in self.metered:
                continue
            if who.agent_id in self.told and who.agent_id not in self.claimed:
                owed[who.agent_id] = point.at or now
            found[rank].append(Used(
                point, measures, who.agent_id, METRICS_SESSION, who.facts, model_of(point.attributes),
                provider_of(point.attributes),
            ))
        for process, at in owed.items():
            yield claim(process, at, CALL_RANK, SOURCE)
        for rank, used in found.items():
            yield from tally(used, SOURCE, rank, opens=True)

    def accepted(self, events: Sequence[Event]) -> None:
        """See ``ports.Vocabulary``."""
        for event in events:
            if event.session_id == METRICS_SESSION:
                (self.claimed if event.signal is Signal.API else self.metered).add(event.agent_id)
                continue
            call, process = self.pending.pop(id(event), (None, ""))
            if call is event:
                self.told.add(process)


class Calls:
    """The calls that one request tells."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._claims: dict[str, Millis] = {}
        self._known: dict[int, str] = {}

    def note(self, record: Told, event: Event) -> None:
        """Note a call that tells usage."""
        known, processes = self._known, self._processes
        process = known.get(id(record.resource))
        if process is None:
            process = known[id(record.resource)] = processes.who(record.resource).agent_id
        if process in processes.claimed:
            return
        if process == event.agent_id or process in processes.metered:
            self._claims.setdefault(process, event.at)
        elif process not in processes.told:
            processes.pending[id(event)] = (event, process)
            if len(processes.pending) > _MAX_PENDING:
                processes.pending.popitem(last=False)

    def claims(self) -> list[Event]:
        """For the processes whose metrics count no longer."""
        return [claim(process, at, CALL_RANK, SOURCE) for process, at in self._claims.items()]
