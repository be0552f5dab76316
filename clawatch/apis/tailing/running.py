"""A source that follows files: looking, reading, storing, and marking how far it has come, in this order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from clawatch.apis.tailing.files import Batch, Followed
from clawatch.apis.tailing.following import Tail
from clawatch.apis.tailing.watching import Watch
from clawatch.domain.access import CORE
from clawatch.domain.events import Event
from clawatch.domain.time import MINUTE
from clawatch.ports import ClaWatchError, Condition, Core, StoreUnavailable

LOOK_EVERY = 10.0
"""Seconds between walks through the whole folder."""
GLANCE_EVERY = 1.0
"""Seconds between looks at the files written of late; a tenth where the system does not tell of changes."""
LATELY = 10 * MINUTE
MARK_EVERY = 1.0
RETRY = 1.0
AGAIN = 30.0
"""Seconds until it begins anew after something nobody foresaw."""
MOST_AT_ONCE = 2_000
MOST_TOUCHED = 1_000
"""Changed files to remember by name; with more, the whole folder is looked through."""


class Following:
    """Follows one source's files until it is cancelled."""

    def __init__(self, core: Core, followed: Followed) -> None:
        self._core = core
        self._followed = followed
        self._log = core.log.bind(source=followed.name)
        self._woken = asyncio.Event()
        self._touched: set[str] = set()
        self._must_look = False
        self._folders: frozenset[str] = frozenset()
        self._looked = self._glanced = self._marked = float("-inf")
        self._marks: dict[str, str | None] = {}
        self._watch = Watch(followed.folder.root, self._tell)
        self._lines = core.metrics.counter(
            "clawatch_tail_lines", "Lines of followed files that were read", ("source", "outcome")
        )
        self._told = (0, 0, 0)
        self._files = 0
        self._trouble = ""

    def report(self) -> Condition:
        read, broken, too_long = self._told
        root = self._followed.folder.root
        if not self._folders:
            return Condition(state="waiting", detail=f"{root} is not there, or may not be read")
        said = f"{root}: {self._files} files, {read} lines read since the start"
        unread = broken + too_long
        said += f", {unread} of them not understood" if unread else ""
        return Condition(state=self._trouble or "ok", detail=said)

    async def run(self) -> None:
        watching = asyncio.create_task(self._watch.run())
        try:
            while True:
                try:
                    await self._run()
                except Exception:
                    self._trouble = "failing"
                    self._log.exception("tail.failed")
                await asyncio.sleep(AGAIN)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            with suppress(ClaWatchError):
                await self._write_marks()

    async def _run(self) -> None:
        self._marks, self._looked, self._told = {}, float("-inf"), (0, 0, 0)
        marks = await self._core.marks.read(self._followed.name)
        tail = Tail(self._followed, marks, self._now())
        ahead: asyncio.Task[Batch | None] | None = None
        try:
            while True:
                batch = await (ahead or asyncio.ensure_future(self._next(tail)))
                ahead = None
                self._count(tail)
                if batch is None:
                    await self._rest(tail)
                    continue
                ahead = asyncio.ensure_future(self._next(tail))
                await self._store(batch)
        finally:
            if ahead is not None:
                await asyncio.gather(ahead, return_exceptions=True)

    # -- reading, in a thread

    async def _next(self, tail: Tail) -> Batch | None:
        now, mono = self._now(), asyncio.get_running_loop().time()
        touched, self._touched = self._touched, set()
        must_look, self._must_look = self._must_look, False
        if must_look or mono - self._looked >= LOOK_EVERY:
            await asyncio.to_thread(tail.look, now)
            self._looked = self._glanced = mono
            self._folders = frozenset((*tail.folders, "")) if tail.folders else frozenset()
            if self._watch.over(tail.folders):
                # What comes into a new folder before it is watched tells nobody.
                self._must_look, self._looked = True, mono - LOOK_EVERY + GLANCE_EVERY
        elif mono - self._glanced >= self._glance_every:
            await asyncio.to_thread(tail.glance, now, LATELY)
            self._glanced = mono
        return await asyncio.to_thread(tail.batch, now, touched)

    @property
    def _glance_every(self) -> float:
        return GLANCE_EVERY if self._watch.is_hearing else GLANCE_EVERY / 10

    def _now(self) -> int:
        return self._core.clock.now().wall

    def _tell(self, paths: Iterable[str]) -> None:
        for path in paths:
            if not self._followed.folder.has(path):
                self._must_look = self._must_look or self._is_new_folder(path)
            elif len(self._touched) < MOST_TOUCHED:
                self._touched.add(path)
            else:
                self._must_look = True
        self._woken.set()

    def _is_new_folder(self, path: str) -> bool:
        at = self._followed.folder.root / path
        return path not in self._folders and at.is_dir() and not at.is_symlink()

    async def _rest(self, tail: Tail) -> None:
        """Everything is read: until something changes, or it is time to look."""
        await self._write_marks()
        self._woken.clear()
        if self._touched:
            return
        pause = 0.05 if self._must_look else self._glance_every
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._woken.wait()

    # -- storing

    async def _store(self, batch: Batch) -> None:
        for start in range(0, len(batch.events), MOST_AT_ONCE):
            await self._accept(batch.events[start : start + MOST_AT_ONCE])
        self._marks.update(batch.marks)
        mono = asyncio.get_running_loop().time()
        if mono - self._marked >= MARK_EVERY:
            self._marked = mono
            await self._write_marks()

    async def _accept(self, events: Sequence[Event]) -> None:
        """Until they are stored; what cannot be, ever, is left out."""
        while True:
            try:
                receipt = await self._core.ingest.accept(events, CORE)
            except StoreUnavailable as error:
                self._trouble = "waits for the store"
                self._log.warning("tail.waits_for_store", why=str(error))
                await asyncio.sleep(RETRY)
                continue
            except ClaWatchError as error:
                if len(events) == 1:
                    self._log.warning("tail.event_refused", why=str(error))
                    return
                for event in events:
                    await self._accept([event])
                return
            self._trouble = ""
            if receipt.rejected:
                self._log.warning("tail.events_rejected", count=len(receipt.rejected), why=receipt.rejected[0][1])
            return

    async def _write_marks(self) -> None:
        while self._marks:
            marks, self._marks = self._marks, {}
            try:
                await self._core.marks.write(self._followed.name, marks)
            except StoreUnavailable as error:
                self._marks = {**marks, **self._marks}
                self._log.warning("tail.waits_for_store", why=str(error))
                await asyncio.sleep(RETRY)
            except BaseException:
                self._marks = {**marks, **self._marks}
                raise

    def _count(self, tail: Tail) -> None:
        counts = tail.counts
        new = (counts.read, counts.broken, counts.too_long)
        for outcome, now, before in zip(("read", "broken", "too_long"), new, self._told, strict=True):
            if now != before:
                self._lines.add(self._followed.source or self._followed.name, outcome, by=now - before)
        self._told, self._files = new, len(tail.files)


class Followings:
    """What one source follows; a ``ports.Source``."""

    def __init__(self, followings: Sequence[Following]) -> None:
        self._followings = followings

    def report(self) -> Condition:
        """See ``ports.Source``: the first of them that is not well speaks for all."""
        conditions = [following.report() for following in self._followings]
        unwell = [condition for condition in conditions if condition.state != "ok"]
        state = unwell[0].state if unwell else "ok"
        return Condition(state=state, detail="; ".join(condition.detail for condition in conditions))


@asynccontextmanager
async def follow(core: Core, *followed: Followed) -> AsyncIterator[Followings]:
    """Follow these files while the block runs. Nothing is lost when it ends: the next time goes on from the marks."""
    followings = [Following(core, one) for one in followed]
    tasks = [asyncio.create_task(one.run()) for one in followings]
    try:
        yield Followings(followings)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
