"""A store that keeps everything in memory, bounded: for tests, and for trying ClaWatch without a disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from clawatch.domain.access import Key, matches
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, Silence
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event
from clawatch.domain.gauges import Gauge
from clawatch.domain.journal import ZERO, Appended, Committed, Entry, EntryKind, Measures, Unit
from clawatch.domain.ledger import Posting, counts, measures_of
from clawatch.domain.pages import Place, parse_number, parse_place
from clawatch.domain.runs import Run, RunStatus, RunTotal
from clawatch.domain.sketches import Sketch
from clawatch.domain.spans import Range, cover
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import (
    AlertFilter,
    Conflict,
    CostLine,
    Costs,
    EventFilter,
    GaugePoint,
    Invalid,
    LatencyPoint,
    Page,
    Point,
    RetentionPolicy,
    StoreHealth,
)
from clawatch.testing.memory_books import MOST, MemoryBooks, Row
from clawatch.testing.memory_pruning import prune
from clawatch.testing.memory_recordings import MemoryRecordings

T = TypeVar("T")


class MemoryStore:
    """The whole ``StorePort``. ``size`` is how many entries, and rollup rows of each grain, are kept."""

    def __init__(self, size: int = 100_000) -> None:
        self._id = secrets.token_hex(6)
        self._books = MemoryBooks(size)
        self._listeners: list[Callable[[Committed], None]] = []
        self.recordings = MemoryRecordings()

    @property
    def id(self) -> str:
        return self._id

    @property
    def head(self) -> int:
        return self._books.head

    @property
    def tail(self) -> int:
        return self._books.tail

    def listen(self, listener: Callable[[Committed], None]) -> None:
        self._listeners.append(listener)

    def put_agents(self, agents: Iterable[Agent]) -> None:
        """Before anything is stored: agents known from elsewhere."""
        self._books.agents.update({agent.id: replace(agent, first_seq=0) for agent in agents})

    # -- the journal

    async def append(self, batch: Sequence[Event], now: Millis, owner: str = "") -> list[Appended]:
        posting = Posting(self._books, self.head + 1, now)
        try:
            appended = [posting.event(event, owner) for event in batch]
        except ValueError as error:
            raise Invalid(f"this cannot be stored: {error}") from error
        self._commit(posting)
        return appended

    async def commit(self, unit: Unit, now: Millis) -> list[Entry]:
        posting = Posting(self._books, self.head + 1, now)
        moved_on = posting.moved_on(unit.expected)
        if moved_on is not None:
            raise Conflict(f"the alert {moved_on} has changed meanwhile")
        entries = posting.unit(unit)
        self._commit(posting)
        return entries

    def _commit(self, posting: Posting) -> None:
        self._books.take_over(posting)
        if posting.entries:
            committed = Committed(tuple(posting.entries), posting.agents)
            for listener in self._listeners:
                listener(committed)

    async def read(self, after: int, limit: int) -> list[Entry]:
        journal = self._books.journal
        first = max(after + 1, self.tail)
        return [journal[seq] for seq in range(first, min(first + limit, self.head + 1))]

    async def seq_before(self, instant: Millis) -> int:
        newest = (seq for seq, entry in reversed(self._books.journal.items()) if entry.at < instant)
        return next(newest, self.tail - 1)

    async def offset(self, consumer: str) -> int | None:
        return self._books.offsets.get(consumer)

    async def agents(self) -> list[Agent]:
        return list(self._books.agents.values())

    async def events(self, where: EventFilter, cursor: str | None, limit: int) -> Page[Entry]:
        before = self.head + 1 if cursor is None else _parsed(parse_number, cursor)
        found = [entry for entry in self._events_before(before) if _fits(entry, where)]
        more = str(found[limit - 1].seq) if len(found) > limit else None
        return Page(tuple(found[:limit]), more)

    def _events_before(self, seq: int) -> Iterator[Entry]:
        for entry in reversed(self._books.journal.values()):
            if entry.seq < seq and entry.kind is EntryKind.EVENT:
                done = self._books.completed.get(entry.seq)
                yield entry if done is None else replace(entry, body=done)

    # -- alerts, commands, runs

    async def alert(self, alert_id: str) -> Alert | None:
        return self._books.alerts.get(alert_id)

    async def alerts(self, where: AlertFilter, cursor: str | None, limit: int) -> Page[Alert]:
        found = [
            alert
            for alert in self._books.alerts.values()
            if alert.fired_at
            and matches(where.agents, alert.agent_id)
            and where.agent_id in (None, alert.agent_id)
            and where.state in (None, alert.state)
        ]
        return _page(found, lambda alert: Place(alert.fired_at, alert.id), cursor, limit)

    async def open_alerts(self) -> list[Alert]:
        return [alert for alert in self._books.alerts.values() if alert.state is not AlertState.RESOLVED]

    async def command(self, command_id: str) -> Command | None:
        return self._books.commands.get(command_id)

    async def commands(
        self, agent_id: str | None, cursor: str | None, limit: int, agents: tuple[str, ...] = ("*",)
    ) -> Page[Command]:
        found = [
            command
            for command in self._books.commands.values()
            if agent_id in (None, command.agent_id) and matches(agents, command.agent_id)
        ]
        return _page(found, lambda command: Place(command.requested_at, command.id), cursor, limit)

    async def open_commands(self) -> list[Command]:
        return [command for command in self._books.commands.values() if command.is_open]

    async def run(self, run_id: str, agents: tuple[str, ...]) -> Run | None:
        found = (run for run in self._books.runs.values() if run.id == run_id and matches(agents, run.agent_id))
        return max(found, key=lambda run: (bool(run.by), run.place), default=None)

    async def runs(
        self, agents: tuple[str, ...], cursor: str | None, limit: int, agent_id: str | None = None,
        kind: str | None = None, statuses: tuple[RunStatus, ...] = (),
    ) -> Page[Run]:
        found = [
            run
            for run in self._books.runs.values()
            if agent_id in (None, run.agent_id)
            and matches(agents, run.agent_id)
            and kind in (None, run.kind)
            and (not statuses or run.status in statuses)
        ]
        return _page(found, lambda run: run.place, cursor, limit)

    async def open_runs(self) -> list[Run]:
        return sorted((run for run in self._books.runs.values() if run.by and run.is_open), key=lambda run: run.place)

    async def run_totals(self) -> list[RunTotal]:
        totals: dict[tuple[str, str, RunStatus], tuple[int, Millis]] = {}
        for run in self._books.runs.values():
            key = (run.agent_id, run.kind, run.status)
            count, duration = totals.get(key, (0, 0))
            totals[key] = count + 1, duration + max(0, run.ended_at - run.started_at)
        return [RunTotal(*key, count, duration) for key, (count, duration) in totals.items()]

    # -- sums

    async def costs(self, since: Millis | None, until: Millis | None, agents: tuple[str, ...]) -> Costs:
        spans = cover(since, until, self._books.kept)
        sums: dict[tuple[str, str], Measures] = {}
        for grain, ranges in ((MINUTE, spans.minutes), (HOUR, spans.hours), (DAY, spans.days)):
            for (bucket, agent_id, model), measures in self._books.rollups[grain].items():
                if _within(bucket, ranges) and matches(agents, agent_id):
                    sums[agent_id, model] = sums.get((agent_id, model), ZERO) + measures
        for event in self._spending(spans.events):
            if event.usage is not None and matches(agents, event.agent_id):
                key = (event.agent_id, event.usage.model)
                sums[key] = sums.get(key, ZERO) + measures_of(event.usage)
        lines = [CostLine(*key, m.cost, m.tokens, m.unpriced) for key, m in sums.items()]
        lines = [line for line in lines if line.cost or line.tokens or line.unpriced]
        return Costs(tuple(sorted(lines, key=lambda line: (-line.cost, line.agent_id, line.model))), spans.resolution)

    def _spending(self, ranges: tuple[Range, ...]) -> Iterator[Event]:
        for entry in self._events_before(self.head + 1):
            event = entry.body
            if isinstance(event, Event) and _within(event.at, ranges) and counts(event, self._books.session_rank):
                yield event

    async def series(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[Point]:
        if by not in ("agent", "model", ""):
            raise Invalid("a series is grouped by agent, model or nothing")
        sums: dict[tuple[Millis, str], Measures] = {}
        for (bucket, agent_id, model), measures in self._books.rollups[_grain_of(step)].items():
            at = bucket - bucket % step
            if since <= at < until and matches(agents, agent_id):
                key = (at, {"agent": agent_id, "model": model}.get(by, ""))
                sums[key] = sums.get(key, ZERO) + measures
        return [Point(at, group, sums[at, group]) for at, group in sorted(sums)]

    async def latencies(
        self, since: Millis, until: Millis, step: Millis, by: str, agents: tuple[str, ...]
    ) -> list[LatencyPoint]:
        if by not in ("agent", ""):
            raise Invalid("latencies are grouped by agent or nothing")
        sketches: dict[tuple[Millis, str], Sketch] = {}
        for (bucket, agent_id), sketch in self._books.latencies[_grain_of(step)].items():
            at = bucket - bucket % step
            if since <= at < until and matches(agents, agent_id):
                sketches.setdefault((at, agent_id if by else ""), Sketch()).merge(sketch)
        return [LatencyPoint(*key, sketches[key]) for key in sorted(sketches)]

    async def gauges(
        self, since: Millis, until: Millis, step: Millis, agents: tuple[str, ...], names: tuple[str, ...] = ("*",)
    ) -> list[GaugePoint]:
        found: dict[tuple[Millis, str, str], Gauge] = {}
        for (bucket, agent_id, name), gauge in sorted(self._books.gauges[_grain_of(step)].items()):
            key = (bucket - bucket % step, agent_id, name)
            if since <= key[0] < until and matches(agents, agent_id) and matches(names, name):
                found[key] = found[key] + gauge if key in found else gauge
        return [GaugePoint(*key, found[key]) for key in sorted(found)]

    # -- the outbox

    async def claim(self, notifier: str, now: Millis, limit: int, until: Millis, holder: str) -> list[Outgoing]:
        claimed: list[Outgoing] = []
        threads: set[str] = set()
        for row in self._books.outbox.values():
            if row.outgoing.notifier != notifier or row.outgoing.thread in threads or len(claimed) == limit:
                continue
            threads.add(row.outgoing.thread)
            if row.next_at <= now and (row.holder in ("", holder) or row.until <= now):
                row.holder, row.until, row.attempts = holder, until, row.attempts + 1
                claimed.append(replace(row.outgoing, next_at=row.next_at, attempts=row.attempts))
        return claimed

    async def settle(self, outgoing_id: str, now: Millis, next_at: Millis | None, ref: str | None) -> None:
        row = self._books.outbox.get(outgoing_id)
        if row is None:
            return
        if ref is not None:
            self._books.refs[row.outgoing.notifier, row.outgoing.thread] = ref
        if row.holder:
            self._release(row, next_at)

    def _release(self, row: Row, next_at: Millis | None) -> None:
        if next_at is None:
            del self._books.outbox[row.outgoing.id]
        else:
            row.holder, row.next_at = "", next_at

    async def ref(self, notifier: str, thread: str) -> str | None:
        return self._books.refs.get((notifier, thread))

    async def outbox_size(self) -> int:
        return len(self._books.outbox)

    async def outbox_oldest(self) -> Millis | None:
        return min((row.outgoing.created_at for row in self._books.outbox.values()), default=None)

    # -- silences, keys, secrets, marks, logins

    async def silences(self) -> list[Silence]:
        return list(self._books.silences.values())

    async def put_silence(self, silence: Silence) -> None:
        self._books.silences[silence.id] = silence

    async def delete_silence(self, silence_id: str) -> bool:
        return self._books.silences.pop(silence_id, None) is not None

    async def keys(self) -> list[Key]:
        return list(self._books.keys.values())

    async def put_key(self, key: Key) -> None:
        if key.name in self._books.keys:
            raise Conflict(f"there is a key named {key.name!r} already")
        self._books.keys[key.name] = key

    async def delete_key(self, name: str) -> bool:
        return self._books.keys.pop(name, None) is not None

    async def secret(self, name: str) -> str | None:
        return self._books.secrets.get(name)

    async def put_secret(self, name: str, value: str) -> None:
        self._books.secrets[name] = value

    async def marks(self, source: str) -> dict[str, str]:
        return dict(self._books.marks.get(source, {}))

    async def put_marks(self, source: str, changes: Mapping[str, str | None]) -> None:
        marks = {**self._books.marks.get(source, {}), **changes}
        self._books.marks[source] = {name: value for name, value in marks.items() if value is not None}

    async def put_login(self, code_hash: str, expires_at: Millis) -> None:
        logins = self._books.logins
        logins[code_hash] = expires_at
        if len(logins) > MOST:
            del logins[next(iter(logins))]

    async def take_login(self, code_hash: str, now: Millis) -> bool:
        return self._books.logins.pop(code_hash, 0) > now

    async def end_login(self, login_id: str, expires_at: Millis) -> None:
        self._books.ended_logins[login_id] = expires_at

    async def ended_logins(self) -> set[str]:
        return set(self._books.ended_logins)

    # -- upkeep

    async def prune(self, policy: RetentionPolicy, now: Millis, budget: int) -> int:
        return prune(self._books, policy, now, budget)

    async def backup(self, target: Path) -> None:
        """The journal as lines of JSON; there is no way to load them again."""
        lines = msgspec.json.Encoder().encode_lines(list(self._books.journal.values()))
        try:
            with target.open("xb") as file:
                file.write(lines or b"\n")
        except FileExistsError:
            raise Invalid(f"{target} exists; name a new file") from None

    async def health(self) -> StoreHealth:
        return StoreHealth(ok=True, detail="in memory; gone when the daemon stops")


def _fits(entry: Entry, where: EventFilter) -> bool:
    event = entry.body
    return (
        isinstance(event, Event)
        and not event.is_hidden
        and where.agent_id in (None, event.agent_id)
        and matches(where.agents, event.agent_id)
        and (not where.types or event.type in where.types)
        and entry.seq >= where.from_seq
        and (where.since is None or event.at >= where.since)
        and (where.until is None or event.at <= where.until)
    )


def _grain_of(step: Millis) -> Millis:
    if step <= 0 or step % MINUTE:
        raise Invalid("a series has steps of whole minutes")
    return next(grain for grain in (DAY, HOUR, MINUTE) if step % grain == 0)


def _within(instant: Millis, ranges: tuple[Range, ...]) -> bool:
    return any(start <= instant < end for start, end in ranges)


def _page(found: list[T], place: Callable[[T], Place], cursor: str | None, limit: int) -> Page[T]:
    """Newest first, behind the place the cursor names."""
    found.sort(key=place, reverse=True)
    if cursor is not None:
        last = _parsed(parse_place, cursor)
        found = [one for one in found if place(one) < last]
    more = str(place(found[limit - 1])) if len(found) > limit else None
    return Page(tuple(found[:limit]), more)


def _parsed(parse: Callable[[str], T], cursor: str) -> T:
    try:
        return parse(cursor)
    except ValueError as error:
        raise Invalid(str(error)) from None


__all__ = ["MemoryStore"]
