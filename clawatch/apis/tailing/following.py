"""Following the files of one folder: what changed is read on, a bounded part at a time, from where it was left.

Plain and synchronous: it is worked in a thread, by one caller at a time. Nothing here waits, sleeps or reads a clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from clawatch.apis.tailing.files import Batch, Counts, File, Followed, Reader
from clawatch.apis.tailing.folder import Seen, seen
from clawatch.apis.tailing.origins import Origins
from clawatch.apis.tailing.positions import Position, decode, encode, fingerprint, goes_on, is_same_file
from clawatch.apis.tailing.reading import CHUNK, LONGEST, Line, lines_of, read_part
from clawatch.domain.time import SECOND, Millis

BEGAN = "//began"
"""The mark of a source's first start: milliseconds. No path is like it."""
MOST_EVENTS = 1_000
"""About so many events make a batch, or so many bytes read."""
MOST_BYTES = 4 * CHUNK
MOST_READERS = 256
"""Readers kept in memory; one that is needed again starts from its note."""
MOVED_FOR: Millis = 30 * SECOND
"""A file renamed to what no pattern fits is still read for so long: its writer may not have noticed."""


class Tail:
    """``marks`` are those that earlier batches have told to write."""

    def __init__(
        self, followed: Followed, marks: Mapping[str, str], now: Millis, chunk: int = CHUNK, longest: int = LONGEST
    ) -> None:
        self._followed = followed
        self._chunk, self._longest = chunk, longest
        self._folder = followed.folder
        self._is_first_look = True
        self._is_first_start = BEGAN not in marks
        self._origins = Origins(began=_began(marks, now), since=followed.since, source=followed.source or followed.name)
        self._files = {path: File(position) for path, position in _positions(marks)}
        self._urgent: dict[str, None] = {}
        self._queue: dict[str, None] = {}
        self._readers: dict[str, Reader] = {}
        self._marks: dict[str, str | None] = {BEGAN: str(now)} if self._is_first_start else {}
        self.folders: list[str] = []
        """What the newest look went through."""
        self.counts = Counts()

    @property
    def files(self) -> Mapping[str, File]:
        return self._files

    # -- finding

    def look(self, now: Millis) -> None:
        """Walk through the folder: what is new or has changed is to be read."""
        found, self.folders = self._folder.walk()
        if not self.folders:
            return  # the folder is not there, or not now
        self._carry_moved(found)
        for path, one in found.items():
            file = self._files.get(path)
            if file is None:
                self._enrol(path, one, now)
                continue
            file.missed, file.leaves_at = 0, None
            if self._is_first_look:
                file.late_until = one.size
                file.seen = one if self._is_dormant(file, one, now) else None
            if file.seen != one:
                self._queue[path] = None
        self._forget_missing(found, now)
        self._is_first_look = False

    def touch(self, path: str, now: Millis) -> bool:
        """A file has changed: read it before others. False for a path that is none of ours."""
        if path not in self._files:
            if not self._folder.has(path):
                return False
            one = self._stat(path)
            if one is None:
                return True
            self._enrol(path, one, now)
        self._queue.pop(path, None)
        self._urgent[path] = None
        return True

    def _stat(self, path: str) -> Seen | None:
        file = self._folder.open(path)
        if file is None:
            return None
        try:
            return seen(os.fstat(file))
        finally:
            os.close(file)

    def glance(self, now: Millis, within: Millis) -> None:
        """Look at the files that were written of late, without a walk."""
        since = (now - within) * 1_000_000
        for path, file in list(self._files.items()):
            if file.seen is not None and file.seen.mtime >= since and self._stat(path) != file.seen:
                self._queue[path] = None

    def _enrol(self, path: str, one: Seen, now: Millis) -> None:
        is_past = self._is_first_start and self._is_first_look
        past = one.size if is_past else 0
        file = File(Position(device=one.device, inode=one.inode, past=past), late_until=one.size)
        self._files[path] = file
        self._mark(path, file)
        if self._is_dormant(file, one, now):
            file.seen = one
        else:
            self._queue[path] = None

    def _is_dormant(self, file: File, one: Seen, now: Millis) -> bool:
        """All of it is history, and nothing in it is young enough to count: it is read if it ever goes on."""
        is_unread = file.position.offset == 0 and file.position.past == one.size
        return is_unread and one.mtime < (now - self._followed.since) * 1_000_000

    def _carry_moved(self, found: Mapping[str, Seen]) -> None:
        """A file under a new name is where it was."""
        moved = {
            (file.position.device, file.position.inode): path
            for path, file in self._files.items()
            if path not in found or not is_same_file(file.position, found[path])
        }
        if not moved:
            return
        for path, one in found.items():
            old = moved.get((one.device, one.inode)) if path not in self._files else None
            if old is not None:
                self._move(old, path)

    def _move(self, old: str, path: str) -> bool:
        """Whether the file at ``path`` is the one that was read as ``old``."""
        file = self._files.get(old)
        opened = None if file is None else self._folder.open(path)
        if file is None or opened is None:
            return False
        try:
            if not goes_on(opened, os.fstat(opened).st_size, file.position):
                return False
        finally:
            os.close(opened)
        self._drop(old)
        self._files[path] = file
        self._queue[path] = None
        self._mark(path, file)
        return True

    def _forget_missing(self, found: Mapping[str, Seen], now: Millis) -> None:
        """What is not there any more, twice in a row. It may have been renamed to what no pattern fits."""
        for path in [path for path in self._files if path not in found]:
            file = self._files[path]
            file.missed += 1
            if file.leaves_at is not None:
                if now >= file.leaves_at:
                    self._drop(path)
                else:
                    self._queue[path] = None
            elif not self._seek(path, file, now) and file.missed > 1:
                self._drop(path)

    def _seek(self, path: str, file: File, now: Millis) -> bool:
        """Look for a file beside where it was; whether it was found and is read on there."""
        position = file.position
        for other, one in self._folder.neighbours(path):
            if (one.st_dev, one.st_ino) == (position.device, position.inode) and other not in self._files:
                if not self._move(path, other):
                    return False
                file.leaves_at = None if self._folder.has(other) else now + MOVED_FOR
                return True
        return False

    def _drop(self, path: str) -> None:
        self._files.pop(path, None)
        self._queue.pop(path, None)
        self._urgent.pop(path, None)
        self._readers.pop(path, None)
        self._marks[path] = None

    def _mark(self, path: str, file: File) -> None:
        self._marks[path] = encode(file.position)

    # -- reading

    def batch(self, now: Millis, touched: Iterable[str] = ()) -> Batch | None:
        """What comes next; None when everything is read."""
        for path in touched:
            self.touch(path, now)
        batch = Batch()
        while len(batch.events) < MOST_EVENTS and batch.size < MOST_BYTES and (self._urgent or self._queue):
            queue = self._urgent or self._queue
            path = next(iter(queue))
            del queue[path]
            if self._read_some(path, batch, now):
                queue[path] = None
        batch.marks, self._marks = self._marks, {}
        return batch if batch.events or batch.marks or batch.size else None

    def _read_some(self, path: str, batch: Batch, now: Millis) -> bool:
        """Read a part of a file; whether there may be more."""
        file = self._files.get(path)
        opened = None if file is None else self._folder.open(path)
        if file is None or opened is None:
            return False
        try:
            one = seen(os.fstat(opened))
            if not goes_on(opened, one.size, file.position):
                file = self._restart(path, file, one, now)
            elif not is_same_file(file.position, one):
                file.position = replace(file.position, device=one.device, inode=one.inode)
            return self._read_open(path, file, opened, one, batch, now)
        finally:
            os.close(opened)

    def _restart(self, path: str, file: File, one: Seen, now: Millis) -> File:
        """Another file, or another content, from its beginning."""
        self.counts.restarted += 1
        if is_same_file(file.position, one) or not self._seek(path, file, now):
            self._drop(path)
        file = self._files[path] = File(Position(device=one.device, inode=one.inode), late_until=one.size)
        self._mark(path, file)
        return file

    def _read_open(self, path: str, file: File, opened: int, one: Seen, batch: Batch, now: Millis) -> bool:
        known = file.position
        scanned = file.scanned if file.scanned <= one.size else 0
        part = read_part(opened, known.offset, scanned, known.is_skipping, self._chunk, self._longest)
        file.scanned = part.scanned
        batch.size += max(len(part.data), part.offset - known.offset)
        self.counts.too_long += part.skipped
        note = known.note
        if part.data:
            note = self._read_lines(path, file, lines_of(part, self._followed.wants, self._longest), one, batch, now)
        if part.offset != known.offset or part.is_skipping is not known.is_skipping:
            head, tail = fingerprint(opened, part.offset)
            file.position = replace(
                known, offset=part.offset, head=head, tail=tail, is_skipping=part.is_skipping, note=note
            )
            self._mark(path, file)
        if not part.has_more:
            file.seen = one
            batch.events.extend(self._origins.through(file))
        return part.has_more

    def _read_lines(
        self, path: str, file: File, lines: Iterator[Line], one: Seen, batch: Batch, now: Millis
    ) -> str:
        reader = self._reader(path, file)
        written = one.mtime // 1_000_000
        for line in lines:
            self.counts.read += 1
            try:
                for event in reader.read(line):
                    batch.events.extend(self._origins.settle(event, file, line.offset, written, now))
            except Exception:  # hostile or from a newer version: the next line may be fine
                self.counts.broken += 1
        return reader.note

    def _reader(self, path: str, file: File) -> Reader:
        reader = self._readers.pop(path, None) or self._followed.open(path, file.position.note)
        self._readers[path] = reader
        if len(self._readers) > MOST_READERS:
            del self._readers[next(iter(self._readers))]
        return reader


def _positions(marks: Mapping[str, str]) -> Iterator[tuple[str, Position]]:
    for path, mark in marks.items():
        position = decode(mark) if path != BEGAN else None
        if position is not None:
            yield path, position


def _began(marks: Mapping[str, str], now: Millis) -> Millis:
    mark = marks.get(BEGAN, "")
    return int(mark) if mark.isascii() and mark.isdigit() else now


__all__ = ["BEGAN", "LONGEST", "Tail"]
