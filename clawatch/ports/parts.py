"""What plugins implement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec import Struct

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import AlertType
from clawatch.domain.commands import Command, CommandState, ControlKind
from clawatch.domain.deliveries import Notification, Outcome
from clawatch.domain.downtime import Downtime
from clawatch.domain.events import Event
from clawatch.domain.journal import Entry
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Wake
from clawatch.ports.store import StorePort

if TYPE_CHECKING:
    from clawatch.ports.core import Core

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Rule(Protocol):
    """Judges what agents do. Synchronous, bounded in memory, never does I/O, never reads a clock.

    It is called for every journal entry of an agent it is enabled for, in order, and again where it asked
    to be woken. ``settings`` are the rule's own, with this agent's overrides already applied. Verdicts are
    idempotent: the end of a condition (severity None) may be said of an alert that is not open.

    At start its factory opens it; it may read ``core.queries`` there, nothing new is accepted meanwhile. Then
    ``began`` is called, then ``observe`` for the last hour's entries that it has seen before: their verdicts
    and notices are dropped, their wakes are kept. Then ``watch`` for each known agent, and the rest of the
    journal with effects. ``now`` is the true present throughout, also while old entries are shown again.
    When the configuration is read again, all rules are closed and opened anew in the same way.

    Inherit from this class to leave ``began`` and ``watch`` out.
    """

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        """``agent`` is as it stands now, which may be some entries ahead."""
        ...

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]: ...

    def forget(self, agent_id: str) -> None:
        """The agent was removed; its alerts have ended with it."""
        ...

    def began(self, now: Moment, downtime: Downtime) -> None:
        """The daemon has just started, after ``downtime`` in which nobody could have been heard; for one agent it is
        ``downtime.since(its last sign)``, since there may have been more such times."""
        return

    def watch(self, agent: Agent, settings: Any, now: Moment) -> Iterable[Wake]:
        """An agent known before the start: ask for the wakes it needs, at once to review what is still open."""
        return ()


@dataclass(frozen=True)
class RuleType:
    """What ``register_rules`` returns: a rule under its name."""

    name: str
    alert_type: AlertType
    settings: type[Any]
    """A pydantic model that inherits ``clawatch.settings.RuleSettings``."""
    open: Factory[Rule]


@dataclass(frozen=True)
class StoreType:
    """What ``register_stores`` returns. There is no core before there is a store, so it gets a place only."""

    name: str
    settings: type[Any]
    open: Callable[[Any, Path], AbstractAsyncContextManager[StorePort]]
    """``open(settings, data_dir)``; makes or migrates the store, raises ClaWatchError with one clear line."""


class Notifier(Protocol):
    async def deliver(self, notification: Notification) -> Outcome:
        """Say it. May be called again with the same id. Errors are values; a raise counts as RetryLater."""
        ...


class Controller(Protocol):
    """Carries commands to agents."""

    def kind(self, agent: Agent) -> ControlKind | None:
        """What it can do for this agent; None: not one of mine. The first controller that says so has it."""
        ...

    def describe(self, agent: Agent) -> str:
        """The kind in words, with its conditions: ``native (while ClaWatch answers)``."""
        ...

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        """A new command. None: it will be fetched or reported later; else its state at once."""
        ...


class Condition(Struct, frozen=True, kw_only=True):
    """How a source does. ``state`` is public, a word or two, ``ok`` when all is well; ``detail`` is for the owner."""

    state: str = "ok"
    detail: str = ""


class Source(Protocol):
    """Fetches or tails by itself, in tasks of its own, and hands what it reads to ``core.ingest``.

    It need not have a ``report``. One that can reach its agents may be a ``Controller`` as well: it is asked before
    the others, since it knows its agents best.
    """

    def report(self) -> Condition:
        """How it does, asked whenever somebody looks; quick."""
        ...


class Enricher(Protocol):
    def enrich(self, event: Event) -> Event:
        """Complete what the event says (a price); return it unchanged otherwise. Synchronous and quick."""
        ...


class Vocabulary(Protocol):
    """Maps one client's OpenTelemetry names to events."""

    name: str

    def detects(self, resource: Mapping[str, Any], scope: str) -> bool:
        """Whether records with these resource attributes and this instrumentation scope are this client's."""
        ...

    def map(self, records: Sequence[Any], now: Millis) -> Iterable[Event | None]:
        """The events that records stand for: for each none, one or more. May be a generator.

        ``records`` are the ``clawatch.apis.telemetry`` records of one request that this vocabulary detects, in
        order; what it does not know, it ignores. ``Event.rank`` carries the signal's rank for usage, from 1; the
        highest that reported a session counts. A generator that works long before its next event yields None in
        between, so that others have their turn.

        Whose records they are is judged only afterwards: nothing may be remembered of them here.
        """
        ...

    def accepted(self, events: Sequence[Event]) -> None:
        """These of its events have been stored. A vocabulary that remembers nothing needs no such method."""
        ...


class GeneralVocabulary(Vocabulary, Protocol):
    """Of conventions that many clients follow."""

    def recognises(self, record: Any) -> bool:
        """Whether it knows this record of a client that no vocabulary detects, by its attributes."""
        ...


@dataclass(frozen=True)
class Contribution(Generic[T]):
    """A named part with its settings model (pydantic) and the factory that opens it."""

    name: str
    settings: type[Any]
    open: Factory[T]


class Factory(Protocol[T_co]):
    def __call__(self, settings: Any, core: Core, /) -> AbstractAsyncContextManager[T_co]:
        """Open the part. Must not touch the network; closed in reverse order of opening."""
        ...
