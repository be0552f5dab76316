"""Whose spans are that do not say so: their nearest ancestor's that does. Public; see ``steps``.

Spans are told when they end, so a run's steps come before the run itself, perhaps minutes before. Such a step is
stored at once, for its process; when the run comes, the step is reported again as the agent's, ``instead_of`` the
process's (see ``Event``), which moves what it counted. So nothing waits that was acknowledged. What is kept for that
is bounded, and lost at a restart: then such steps stay with their process, and no sum changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct, field

from clawatch.domain.events import Event
from clawatch.domain.time import Millis

MAX_TRACES = 2_000
MAX_WAITING = 5_000
"""Events, of all traces together."""
MAX_PARENTS = 50_000
"""Spans whose parents are remembered, of all traces together."""
MAX_RUNS = 200
"""Of one trace."""
_MAX_DEPTH = 100


class Place(NamedTuple):
    """Where a step stands in its trace: below which span, and when it was done."""

    parent_id: str
    started: Millis
    ended: Millis


class Run(NamedTuple):
    """A span that names an agent."""

    agent: str
    started: Millis
    ended: Millis


class Waiting(Struct, frozen=True, gc=False):
    """A step that is stored for its process, until its agent is known."""

    place: Place
    resource: Mapping[str, Any]
    event: Event


class Trace(Struct):
    """What is known of a trace."""

    parents: dict[str, str] = field(default_factory=dict)
    """Each span's parent; kept while something waits."""
    runs: dict[str, Run] = field(default_factory=dict)
    """By their spans."""
    waiting: list[Waiting] = field(default_factory=list)


class Lineage:
    """Where a step belongs, by several views of its trace."""

    def __init__(self, *traces: Trace) -> None:
        self._traces = traces

    def agent_of(self, place: Place) -> tuple[str | None, bool]:
        """The name of the nearest agent upwards; and whether one may still come to be known.

        Spans in between may be nobody's business here and so be missing: then it is the shortest run in which the
        step was done.
        """
        span_id = place.parent_id
        for _ in range(_MAX_DEPTH):
            if not span_id:
                return None, False
            for trace in self._traces:
                if span_id in trace.runs:
                    return trace.runs[span_id].agent, False
            parent = next((trace.parents[span_id] for trace in self._traces if span_id in trace.parents), None)
            if parent is None:
                agent = self._around(place)
                return agent, agent is None
            span_id = parent
        return None, False

    def _around(self, place: Place) -> str | None:
        around = [
            (run.ended - run.started, run.agent)
            for trace in self._traces for run in trace.runs.values()
            if run.started <= place.started and place.ended <= run.ended
        ]  # fmt: skip
        return min(around)[1] if around else None


_EMPTY = Trace()


class Traces:
    """The traces that are remembered, the one last heard of at the end."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._waiting = 0
        self._parents = 0

    def get(self, trace_id: str) -> Trace:
        """What is known of it; not to be changed."""
        return self._traces.get(trace_id, _EMPTY)

    def learn(self, trace_id: str, seen: Trace, is_waiting: bool) -> None:
        """Remember what has been seen of a trace; its spans' parents only where steps wait for their agent."""
        trace = self._traces.setdefault(trace_id, Trace())
        self._traces.move_to_end(trace_id)
        if len(trace.runs) < MAX_RUNS:
            trace.runs.update(seen.runs)
        if is_waiting or trace.waiting:
            self._parents -= len(trace.parents)
            trace.parents.update(seen.parents)
            self._parents += len(trace.parents)
        self._forget()

    def wait(self, trace_id: str, waiting: Waiting) -> None:
        """Remember a step without its agent."""
        trace = self._traces.setdefault(trace_id, Trace())
        trace.waiting.append(waiting)
        self._waiting += 1
        self._forget()

    def settled(self, trace_id: str, waiting: Waiting) -> None:
        """The step has found its agent."""
        trace = self.get(trace_id)
        if not any(one is waiting for one in trace.waiting):
            return
        trace.waiting = [one for one in trace.waiting if one is not waiting]
        self._waiting -= 1
        if not trace.waiting:
            self._parents -= len(trace.parents)
            trace.parents = {}

    def _forget(self) -> None:
        while self._traces and (
            len(self._traces) > MAX_TRACES or self._waiting > MAX_WAITING or self._parents > MAX_PARENTS
        ):
            _, oldest = self._traces.popitem(last=False)
            self._waiting -= len(oldest.waiting)
            self._parents -= len(oldest.parents)
