"""Guards: a plugin's part that raises harms nobody else, is reported, and is switched off when it goes on.

Rules have theirs in ``rules``, since what they find is theirs alone. Notifiers and doors are never switched
off: what they owe is tried again, and who calls them is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, ControlKind
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch.ports import Controller, Enricher, PartReport, Vocabulary

MAX_FAILURES = 5
"""Raises in a row after which a part is switched off until the daemon restarts."""


@dataclass
class Guard:
    """How a part has done lately."""

    section: str
    name: str
    log: FilteringBoundLogger
    failures: int = 0
    """In a row."""
    last: str = ""

    @property
    def is_off(self) -> bool:
        return self.failures >= MAX_FAILURES

    def failed(self, error: Exception) -> None:
        self.failures += 1
        self.last = type(error).__name__  # its words may quote an agent's
        self.log.error("part.failed", section=self.section, part=self.name, failures=self.failures, exc_info=error)
        if self.is_off:
            self.log.error("part.switched_off", section=self.section, part=self.name)

    def report(self) -> PartReport:
        if self.is_off:
            state, detail = "switched off", f"switched off after {MAX_FAILURES} failures: {self.last}"
        elif self.failures:
            state, detail = "failing", f"failed {self.failures} times in a row: {self.last}"
        else:
            state, detail = "ok", ""
        return PartReport(section=self.section, name=self.name, state=state, detail=detail)


class GuardedEnricher:
    """An event that cannot be enriched is stored as it came."""

    def __init__(self, enricher: Enricher, guard: Guard) -> None:
        self.guard = guard
        self._enricher = enricher

    def enrich(self, event: Event) -> Event:
        if self.guard.is_off:
            return event
        try:
            enriched = _event(self._enricher.enrich(event))
        except Exception as error:
            self.guard.failed(error)
            return event
        self.guard.failures = 0
        return enriched


class GuardedVocabulary:
    """One that cannot tell whether a client is its own is taken to say no."""

    def __init__(self, vocabulary: Vocabulary, guard: Guard) -> None:
        self.guard = guard
        self.name = vocabulary.name
        self.vocabulary = vocabulary
        """What is guarded; the plugin that brought it may have parts that share its memory."""

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        if self.guard.is_off:
            return False
        try:
            return bool(self.vocabulary.detects(resource, scope))
        except Exception as error:
            self.guard.failed(error)
            return False

    def recognises(self, record: Any) -> bool:
        """Whether it knows a record of a client that nobody detects; most vocabularies have no such method."""
        recognise = getattr(self.vocabulary, "recognises", None)
        if recognise is None or self.guard.is_off:
            return False
        try:
            return bool(recognise(record))
        except Exception as error:
            self.guard.failed(error)
            return False

    def map(self, records: Sequence[Any], now: Millis) -> Iterator[Event | None]:
        """What it raises goes on to the door, which tells the client how many records were lost."""
        try:
            for event in self.vocabulary.map(records, now):
                yield event if event is None else _event(event)
        except Exception as error:
            self.guard.failed(error)
            raise
        self.guard.failures = 0

    def accepted(self, events: Sequence[Event]) -> None:
        remember = getattr(self.vocabulary, "accepted", None)
        if remember is None:
            return
        try:
            remember(events)
        except Exception as error:
            self.guard.failed(error)


class GuardedController:
    """One that cannot tell whether an agent is its own leaves it to the others."""

    def __init__(self, controller: Controller, guard: Guard) -> None:
        self.guard = guard
        self._controller = controller

    def kind(self, agent: Agent) -> ControlKind | None:
        if self.guard.is_off:
            return None
        try:
            found = self._controller.kind(agent)
            return None if found is None else ControlKind(found)
        except Exception as error:
            self.guard.failed(error)
            return None

    def describe(self, agent: Agent) -> str:
        try:
            return str(self._controller.describe(agent))
        except Exception as error:
            self.guard.failed(error)
            return "its controller fails"

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        """What it raises goes on to whoever asked: the command has failed."""
        try:
            state = await self._controller.carry(command, agent)
        except Exception as error:
            self.guard.failed(error)
            raise
        self.guard.failures = 0
        return state


def _event(value: object) -> Event:
    if not isinstance(value, Event):
        raise TypeError(f"gave {type(value).__name__} instead of an Event")
    return value
