"""The writer: one thread, one connection, and as many callers' work in a transaction as is waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Protocol, TypeVar

from clawatch.domain.events import Event, Ident, asked_for, idents
from clawatch.domain.journal import Appended, Committed, Entry, Unit
from clawatch.domain.time import Millis
from clawatch.ports import ClaWatchError, Conflict, Invalid, StoreUnavailable
from clawatch_plugins.sqlite.books import SqliteBooks
from clawatch_plugins.sqlite.gathering import Gathering
from clawatch_plugins.sqlite.opening import WriterLock
from clawatch_plugins.sqlite.transaction import Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
LARGEST_TRANSACTION = 4_000
"""Events; what waits beyond goes into the next one."""
MOST_WAITING = 100_000
"""Events that may wait while the disk is slow; what comes then is refused."""


class Work(Protocol[T_co]):
    """Something to do within a transaction."""

    size: int

    def names(self) -> Sequence[Ident]:
        """Idents to look up beforehand."""
        ...

    def __call__(self, tx: Transaction) -> T_co:
        """Raises a ClaWatchError only before it has changed anything."""
        ...


@dataclass
class Append:
    events: Sequence[Event]
    now: Millis
    owner: str

    def __post_init__(self) -> None:
        self.size = len(self.events)
        self._names: list[tuple[Ident, ...]] = []

    def names(self) -> Sequence[Ident]:
        self._names = [() if e.id is None and e.call_id is None else idents(e) for e in self.events]
        moved = (asked_for(e)[-1:] for e in self.events if e.instead_of is not None)
        return [*chain.from_iterable(self._names), *chain.from_iterable(moved)]

    def __call__(self, tx: Transaction) -> list[Appended]:
        posting = tx.posting
        posting.now = self.now
        return [posting.event(e, self.owner, names) for e, names in zip(self.events, self._names, strict=True)]


@dataclass
class Commit:
    unit: Unit
    now: Millis

    def __post_init__(self) -> None:
        self.size = len(self.unit.edges) + len(self.unit.outbox)

    def names(self) -> Sequence[Ident]:
        return ()

    def __call__(self, tx: Transaction) -> list[Entry]:
        moved_on = tx.posting.moved_on(self.unit.expected)
        if moved_on is not None:
            raise Conflict(f"the alert {moved_on} has changed meanwhile")
        tx.posting.now = self.now
        return tx.posting.unit(self.unit)


@dataclass
class Call(Work[T]):
    """Any other statements; they are executed at once, before what is posted is written."""

    function: Callable[..., T]
    arguments: tuple[Any, ...]
    size: int = 1

    def names(self) -> Sequence[Ident]:
        return ()

    def __call__(self, tx: Transaction) -> T:
        return self.function(tx, *self.arguments)


Job = tuple[Work[Any], "asyncio.Future[Any]"]
Outcome = tuple["asyncio.Future[Any]", Any]


class Writer:
    """``release`` is called on the loop after each transaction, in order, before its callers go on."""

    def __init__(
        self,
        con: sqlite3.Connection,
        books: SqliteBooks,
        lock: WriterLock,
        loop: asyncio.AbstractEventLoop,
        release: Callable[[Committed | None, int, int], None],
    ) -> None:
        self._con = con
        self._books = books
        self._lock = lock
        self._loop = loop
        self._release = release
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._gathering: Gathering[Job] = Gathering(loop, self._queue.put)
        self._waiting = 0
        self._is_closed = False
        self.trouble = ""
        """Why nothing can be written; empty once something has been again."""
        self.commits = 0
        self.commit_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="clawatch-store", daemon=True)
        self._thread.start()

    async def do(self, work: Work[T]) -> T:
        """Have it done; durable when this returns. Raises StoreUnavailable when nothing was written."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= MOST_WAITING:
            raise StoreUnavailable("the disk is too slow: too much is waiting to be written")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += work.size
        self._gathering.add((work, future))
        try:
            return await future
        finally:
            self._waiting -= work.size

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._is_closed = True
        self._gathering.hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    # -- on the thread

    def _run(self) -> None:
        is_last = False
        while not is_last:
            jobs, is_last = self._gather()
            if jobs:
                self._serve(jobs)

    def _gather(self) -> tuple[list[Job], bool]:
        """Everything that is waiting, at least one job; and whether it is the last."""
        jobs: list[Job] = []
        size = 0
        try:
            job = self._queue.get()
            while job is not None:
                jobs.append(job)
                size += job[0].size
                if size >= LARGEST_TRANSACTION:
                    return jobs, False
                job = self._queue.get_nowait()
        except Empty:
            return jobs, False
        return jobs, True

    def _serve(self, jobs: list[Job]) -> None:
        changes, began = self._con.total_changes, perf_counter()
        try:
            committed, outcomes = self._transact(jobs)
            self.commits += 1
            self.commit_seconds += perf_counter() - began
            if self._con.total_changes != changes:  # on a full disk, what changes nothing still succeeds
                self.trouble = ""
        except StoreUnavailable as error:
            self.trouble = str(error)
            committed, outcomes = None, [(future, error) for _, future in jobs]
        except Exception as error:
            if len(jobs) > 1:  # somebody's work cannot be written: each one for itself, so that only that fails
                for job in jobs:
                    self._serve([job])
                return
            committed, outcomes = None, [(jobs[0][1], _refusal(error))]
        with suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(self._finish, committed, outcomes, self._books.head, self._books.tail)

    def _transact(self, jobs: list[Job]) -> tuple[Committed | None, list[Outcome]]:
        tx = Transaction(self._con, self._books)
        names = [name for work, _ in jobs for name in work.names()]
        try:
            self._con.execute("BEGIN IMMEDIATE")
            self._books.look_up(names)
            outcomes = [(future, _attempt(work, tx)) for work, future in jobs]
            if tx.posting.entries:
                self._lock.take()
            tx.write()
            self._con.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            tx.forsake()
            if _is_trouble(error):
                raise StoreUnavailable(f"the store cannot be written: {error}") from error
            raise
        tx.adopt()
        entries = tx.posting.entries
        return (Committed(tuple(entries), tx.posting.agents) if entries else None), outcomes

    def _roll_back(self) -> None:
        try:
            if self._con.in_transaction:
                self._con.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.trouble = str(error)

    # -- back on the loop

    def _finish(self, committed: Committed | None, outcomes: list[Outcome], head: int, tail: int) -> None:
        self._release(committed, head, tail)
        for future, outcome in outcomes:
            if future.done():
                continue  # its caller has been cancelled; what it asked for is done all the same
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _attempt(work: Work[Any], tx: Transaction) -> Any:
    try:
        return work(tx)
    except ClaWatchError as error:
        return error


def _is_trouble(error: BaseException) -> bool:
    """Whether the disk or another process is to blame, rather than what was to be written."""
    is_bug = isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return not is_bug and type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError, sqlite3.InternalError)


def _refusal(error: Exception) -> Exception:
    """Values that JSON or SQLite cannot hold are the sender's fault; anything else comes out as it is."""
    if isinstance(error, (ValueError, TypeError, OverflowError, RecursionError, sqlite3.DataError)):
        return Invalid(f"this cannot be stored: {error}")
    return error
