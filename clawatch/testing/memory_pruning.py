"""Pruning of the memory store."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from clawatch.domain.alerts import AlertState
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import RetentionPolicy
from clawatch.testing.memory_books import MemoryBooks


def prune(books: MemoryBooks, policy: RetentionPolicy, now: Millis, budget: int) -> int:
    """Delete at most ``budget`` rows that are too old; how many went."""
    gone = _prune_journal(books, now - policy.events, budget)
    gone += _prune_rollups(books, policy, now, budget - gone)
    for table, old in _outdated(books, policy, now):
        victims = list(islice(old, budget - gone))
        for key in victims:
            del table[key]
        gone += len(victims)
    return gone


def _prune_journal(books: MemoryBooks, cutoff: Millis, budget: int) -> int:
    gone = 0
    while gone < budget and books.journal and books.journal[books.tail].at < cutoff:
        books.forget_oldest()
        gone += 1
    return gone


def _prune_rollups(books: MemoryBooks, policy: RetentionPolicy, now: Millis, budget: int) -> int:
    gone = 0
    for grain, age in ((MINUTE, policy.minutes), (HOUR, policy.hours)):
        old = sorted(key for key in books.rollups[grain] if key[0] < now - age)[: budget - gone]
        books.forget_rollups(grain, old)
        gone += len(old)
        for table in (books.latencies[grain], books.gauges[grain]):
            gone += _prune_table(table, now - age, budget - gone)
    return gone


def _prune_table(table: dict[Any, Any], cutoff: Millis, budget: int) -> int:
    old = sorted(key for key in table if key[0] < cutoff)[: max(budget, 0)]
    for key in old:
        del table[key]
    return len(old)


def _outdated(
    books: MemoryBooks, policy: RetentionPolicy, now: Millis
) -> Iterable[tuple[dict[Any, Any], Iterable[Any]]]:
    """What is too old beside journal and rollups: (table, keys)."""
    alerts, events = now - policy.alerts, now - policy.events
    resolved = (a for a in books.alerts.values() if a.state is AlertState.RESOLVED)
    yield books.alerts, (a.id for a in resolved if a.resolved_at < alerts)
    yield books.commands, (c.id for c in books.commands.values() if not c.is_open and c.changed_at < alerts)
    yield books.runs, (r.key for r in books.runs.values() if r.updated_at < alerts)
    yield books.sessions, (key for key, s in books.sessions.items() if s.touched < events)
    yield books.counters, (series for series, (_, touched) in books.counters.items() if touched < events)
    yield books.silences, (s.id for s in books.silences.values() if s.expires_at < now - DAY)
    yield books.ended_logins, (login for login, expires_at in books.ended_logins.items() if expires_at < now)
    yield books.logins, (code for code, expires_at in books.logins.items() if expires_at < now)
