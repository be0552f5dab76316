"""Ingest: the one way in. Checks rights, settles time and origin, enriches, redacts, stores durably."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import perf_counter

from msgspec.structs import replace

from clawatch.apis.pace import Pace
from clawatch.census import Census
from clawatch.domain.access import Principal, Scope, check_agent_id
from clawatch.domain.events import Event, Facts, RunReport
from clawatch.domain.hashing import hash_value
from clawatch.domain.metrics import Metrics
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError, Clock, Enricher, Receipt, StorePort, StoreUnavailable

MAX_TEXT = 200
"""Characters kept of a name, host, kind or group an agent gives itself."""

ACCEPTED, DUPLICATE, REJECTED, FAILED = "accepted", "duplicate", "rejected", "not_stored"

HELD_FOR = 5.0
"""Seconds that a batch waits at most for the rules; after that it is taken all the same."""
LOOK_EVERY = 0.05

Redact = Callable[[Event], Event]


class Ingest:
    def __init__(
        self, store: StorePort, clock: Clock, enrichers: Sequence[Enricher], redact: Redact,
        metrics: Metrics | None = None, census: Census | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self._seconds = metrics.histogram("clawatch_ingest_seconds", "From a batch's arrival to the end of its commit")
        self._events = metrics.counter("clawatch_events", "Events that came in", ("source", "outcome"))
        self._store = store
        self._clock = clock
        self.enrichers = enrichers
        self._redact = redact
        self._census = census or Census()
        self.on_refused: Callable[[Sequence[Event]], None] = lambda events: None
        """Called with what the store could not take."""
        self.gives_away: Callable[[str], bool] = lambda agent_id: False
        """Whether an id holds a secret. It names its agent everywhere, so it cannot be masked, only refused."""

        self.is_ahead: Callable[[], bool] = lambda: False
        """Whether the rules are so far behind that what comes in should wait for them."""
        self._held = metrics.counter("clawatch_ingest_held", "Batches that had to wait for the rules")

    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        """See ``ports.IngestPort.accept``."""
        began = perf_counter()
        if self.is_ahead():
            await self._hold()
        admitted: list[str] = []
        try:
            receipt = await self._take(events, principal, admitted)
        finally:
            if admitted:
                self._census.settle(admitted)
        self._seconds.observe(perf_counter() - began)
        return receipt

    async def _hold(self) -> None:
        """More can be stored than judged: a flood of one sender's would make everybody's alerts late for ever."""
        self._held.add()
        until = perf_counter() + HELD_FOR
        while self.is_ahead() and perf_counter() < until:  # noqa: ASYNC110 - the rules tell nobody when they have
            await asyncio.sleep(LOOK_EVERY)

    async def _take(self, events: Sequence[Event], principal: Principal, admitted: list[str]) -> Receipt:
        now = self._clock.now().wall
        settled: list[Event] = []
        rejected: list[tuple[int, str]] = []
        forbidden = 0
        pace = Pace()
        for index, event in enumerate(events):
            if index:
                await pace.step()
            refusal = self._refusal(event, principal)
            full = None if refusal else self._census.admit(event.agent_id, principal.user, admitted)
            if refusal is None and full is None:
                settled.append(self._settle(event, now, principal))
            else:
                rejected.append((index, refusal[0] if refusal else str(full)))
                forbidden += refusal is not None and refusal[1]
                self._events.add(event.source, REJECTED)
        duplicates = await self._append(settled, now, principal) if settled else 0
        return Receipt(
            accepted=len(settled) - duplicates,
            duplicates=duplicates,
            rejected=tuple(rejected),
            forbidden=bool(rejected) and forbidden == len(rejected),
        )

    async def _append(self, settled: list[Event], now: Millis, principal: Principal) -> int:
        """Store them; how many were known already."""
        try:
            appended = await self._store.append(settled, now, principal.user)
        except ClaWatchError as error:
            for event in settled:
                self._events.add(event.source, FAILED)
            if isinstance(error, StoreUnavailable):
                self.on_refused(settled)
            raise
        duplicates = 0
        for event, one in zip(settled, appended, strict=True):
            duplicates += not one.is_new
            self._events.add(event.source, ACCEPTED if one.is_new else DUPLICATE)
        return duplicates

    def _refusal(self, event: Event, principal: Principal) -> tuple[str, bool] | None:
        """Why an event is not taken, and whether for lack of rights."""
        try:
            check_agent_id(event.agent_id)
        except ValueError as error:
            return str(error), False
        if not principal.may(Scope.INGEST):
            return f"the key {principal.name!r} lacks the scope ingest", True
        if self.gives_away(event.agent_id):
            return "an agent's id must not hold a key or token; name it otherwise", False
        if not principal.sees(event.agent_id):
            return f"the key {principal.name!r} may not write for the agent {event.agent_id!r}", True
        return None

    def _settle(self, event: Event, now: Millis, principal: Principal) -> Event:
        event = replace(event, received_at=now, at=min(event.at, now), facts=_cut(event.facts, principal))
        if event.instead_of is not None and not principal.sees(event.instead_of):
            event = replace(event, instead_of=None)
        for enricher in self.enrichers:
            event = enricher.enrich(event)
        return self._redact(event)


def _cut(facts: Facts | None, principal: Principal) -> Facts | None:
    if facts is None:
        return None
    if facts.claims_group and principal.sees_all:
        facts = replace(facts, claims_group=False)
    long: dict[str, str] = {
        field: value[:MAX_TEXT]
        for field in ("name", "host", "kind", "group")
        if (value := getattr(facts, field)) is not None and len(value) > MAX_TEXT
    }
    return replace(facts, **long) if long else facts


def redact_with(text: Callable[[str], str], value: Callable[[object], object]) -> Redact:
    """A redaction of everything in an event that an agent wrote freely; its agent's id alone stays, to address it."""

    name = lru_cache(maxsize=4_096)(text)  # the same few again and again

    def redact_id(ident: str) -> str:
        """A secret in it goes, and what was different stays so."""
        masked = text(ident)
        return ident if masked == ident else f"{masked}#{hash_value(ident)[:16]}"

    def redact_facts(facts: Facts) -> Facts:
        return replace(
            facts,
            name=facts.name and name(facts.name),
            host=facts.host and name(facts.host),
            kind=facts.kind and name(facts.kind),
            group=facts.group and name(facts.group),
            labels=facts.labels and value(facts.labels),
            capabilities=facts.capabilities and tuple(map(name, facts.capabilities)),
        )

    def redact_run(run: RunReport) -> RunReport:
        return replace(
            run,
            run_id=redact_id(run.run_id),
            parent_run_id=run.parent_run_id and redact_id(run.parent_run_id),
            kind=run.kind and text(run.kind),
            stage=run.stage and text(run.stage),
            input=value(run.input),
            result=value(run.result),
            error=run.error and text(run.error),
        )

    def redact(event: Event) -> Event:
        changes: dict[str, object] = {}
        for field in ("id", "session_id", "call_id"):
            ident = getattr(event, field)
            if ident is not None and (masked := redact_id(ident)) is not ident:
                changes[field] = masked
        if event.data:
            data = value(event.data)
            if data is not event.data:
                changes["data"] = data
        if event.error is not None:
            changes["error"] = text(event.error)
        if event.facts is not None:
            changes["facts"] = redact_facts(event.facts)
        if event.tool is not None and (masked := name(event.tool.name)) != event.tool.name:
            changes["tool"] = replace(event.tool, name=masked)
        if event.usage is not None and (masked := name(event.usage.model)) != event.usage.model:
            changes["usage"] = replace(event.usage, model=masked)
        if event.run is not None:
            changes["run"] = redact_run(event.run)
        if event.gauges and any(name(key) != key for key in event.gauges):
            changes["gauges"] = {name(key): reading for key, reading in event.gauges.items()}
        return replace(event, **changes) if changes else event

    return redact
