"""Files are followed: every complete line once, whatever happens to the files, and to us."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.apis.tailing import Batch, Folder, Followed, Line, Tail
from clawatch.domain.events import Event, EventType, Origin, Turn
from clawatch.domain.time import DAY, MINUTE, Millis

NOW: Millis = time.time_ns() // 1_000_000
"""Files are stamped by the real clock."""


class Words:
    """Every line is an event of its own words; the note counts them."""

    def __init__(self, path: str, note: str) -> None:
        self.path, self.count = path, int(note or 0)

    def read(self, line: Line) -> Iterable[Event]:
        text = line.data.decode()
        if text.startswith("{"):
            raise ValueError("no line of ours")
        self.count += 1
        said, _, at = text.partition("@")
        turn = Turn(said.removeprefix("turn ")) if said.startswith("turn ") else None
        return [Event(
            agent_id="a", type=EventType.MESSAGE, at=int(at or 0), id=said, data={"n": self.count, "in": self.path},
            turn=turn,
        )]  # fmt: skip

    @property
    def note(self) -> str:
        return str(self.count)


class Reading:
    """Follows a folder, with marks that outlive it."""

    def __init__(self, root: Path, chunk: int = 64, longest: int = 200, **followed: object) -> None:
        values: dict[str, object] = {"patterns": ["**/*.log"], "exclude": [], "since": 7 * DAY, **followed}
        self.folder = Folder(root, values.pop("patterns"), values.pop("exclude"))  # type: ignore[arg-type]
        self.followed = Followed("words", self.folder, Words, **values)  # type: ignore[arg-type]
        self.marks: dict[str, str] = {}
        self.events: list[Event] = []
        self.now = NOW
        self._sizes = (chunk, longest)
        self.tail: Tail
        self.start()

    def start(self) -> None:
        """As after a crash: only the marks are left."""
        self.tail = Tail(self.followed, self.marks, self.now, *self._sizes)

    def take(self, batch: Batch, is_marked: bool = True) -> None:
        self.events += batch.events
        if is_marked:
            self.marks |= {name: mark for name, mark in batch.marks.items() if mark is not None}
            for name, mark in batch.marks.items():
                if mark is None:
                    self.marks.pop(name, None)

    def read(self, *touched: str) -> list[str]:
        """Look, and read everything; what it said."""
        before = len(self.events)
        if not touched:
            self.tail.look(self.now)
        while (batch := self.tail.batch(self.now, touched)) is not None:
            self.take(batch)
            touched = ()
        return [event.id or "" for event in self.events[before:] if not event.is_inferred]

    @property
    def said(self) -> list[str]:
        return [event.id or "" for event in self.events if not event.is_inferred]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(text)


def test_what_is_appended_is_read_once(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\ntwo\n")
    assert reading.read() == ["one", "two"]
    assert reading.read() == []
    write(root / "a.log", "three\n")
    assert reading.read() == ["three"]


def test_a_line_is_read_once_it_is_complete(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\ntw")
    assert reading.read() == ["one"]
    write(root / "a.log", "o\r\n")
    assert reading.read() == ["two"]


def test_a_restart_goes_on_where_it_was_with_what_the_reader_knew(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\ntwo\n")
    reading.read()
    reading.start()
    write(root / "a.log", "three\n")
    assert reading.read() == ["three"]
    assert reading.events[-1].data["n"] == 3


def test_what_was_not_marked_is_read_again(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.tail.look(NOW)
    batch = reading.tail.batch(NOW)
    assert batch is not None
    reading.take(batch, is_marked=False)
    reading.start()
    assert reading.read() == ["one"]


@pytest.mark.parametrize("again", ["new\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"], ids=["shorter", "longer"])
def test_a_file_that_was_cut_off_is_read_from_its_beginning(root: Path, again: str) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\ntwo\n")
    reading.read()
    (root / "a.log").write_text(again)
    assert reading.read() == again.split()
    assert reading.tail.counts.restarted == 1


def test_a_file_that_was_rewritten_in_its_middle_is_read_again(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "".join(f"line {n}\n" for n in range(100)))
    reading.read()
    kept = "".join(f"line {n}\n" for n in range(60))
    (root / "a.log").write_text(kept + "".join(f"other {n}\n" for n in range(60)))
    assert len(reading.read()) == 120


def test_a_rewriting_that_keeps_what_was_read_goes_on(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    (root / "new").write_text("one\ntwo\n")
    (root / "new").replace(root / "a.log")
    assert reading.read() == ["two"]


@pytest.mark.parametrize("name", ["a.1.log", "a.log.1"], ids=["followed too", "fits no pattern"])
@pytest.mark.parametrize("is_told", [False, True])
def test_the_rest_of_a_rotated_file_is_read(root: Path, name: str, is_told: bool) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    write(root / "a.log", "two\n")
    (root / "a.log").rename(root / name)
    write(root / "a.log", "three\n")
    read = reading.read("a.log") if is_told else []
    assert sorted(read + reading.read()) == ["three", "two"]
    write(root / name, "four\n")
    assert reading.read() == ["four"]


def test_a_file_renamed_without_a_new_one_is_read_on(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    (root / "a.log").rename(root / "b.log")
    write(root / "b.log", "two\n")
    assert reading.read() == ["two"]
    assert set(reading.marks) == {"//began", "b.log"}


def test_a_renamed_file_is_left_at_last(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    (root / "a.log").rename(root / "a.old")
    reading.read()
    reading.now += MINUTE
    reading.read()
    write(root / "a.old", "two\n")
    assert reading.read() == []
    assert set(reading.marks) == {"//began"}


def test_a_new_file_that_got_an_old_inode_is_a_new_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    (root / "a.log").unlink()
    write(root / "b.log", "different\n")
    position = reading.tail.files["a.log"].position
    other = (root / "b.log").stat().st_ino
    reading.tail.files["a.log"].position = type(position)(  # as file systems give inodes out again
        device=position.device, inode=other, offset=position.offset, head=position.head, tail=position.tail
    )
    assert reading.read() == ["different"]


def test_a_deleted_file_is_forgotten_and_a_missing_folder_is_not(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n")
    reading.read()
    root.rename(root.with_name("away"))
    reading.read()
    reading.read()
    assert "a.log" in reading.marks
    root.with_name("away").rename(root)
    assert reading.read() == []
    (root / "a.log").unlink()
    reading.read()
    reading.read()
    assert set(reading.marks) == {"//began"}
    write(root / "a.log", "one\n")
    assert reading.read() == ["one"]


def test_a_line_that_is_too_long_is_skipped_and_counted(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", "one\n" + "x" * 1000)
    assert reading.read() == ["one"]
    reading.start()
    write(root / "a.log", "y" * 1000 + "\ntwo\n")
    assert reading.read() == ["two"]
    assert reading.tail.counts.too_long == 0, "it was counted when it began"


def test_a_long_line_that_comes_in_pieces_is_one(root: Path) -> None:
    reading = Reading(root)
    for _ in range(15):
        write(root / "a.log", "x" * 10)
        assert reading.read() == []
    write(root / "a.log", "\ntwo\n")
    assert reading.read() == ["x" * 150, "two"]


def test_a_broken_line_does_not_stop_the_next(root: Path) -> None:
    reading = Reading(root)
    (root / "a.log").write_bytes(b"one\n{broken\n\xff\xfe\n\x00\ntwo\n")
    assert reading.read() == ["one", "\x00", "two"]
    assert reading.tail.counts.broken == 2


def test_only_lines_that_hold_a_wanted_word_are_read(root: Path) -> None:
    reading = Reading(root, wants=(b"yes", b"ja"))
    write(root / "a.log", "one\nyes 1\nno\nja 2\n")
    assert reading.read() == ["yes 1", "ja 2"]
    assert reading.tail.counts.read == 2


# -- where it reads


def test_only_what_fits_the_patterns_is_read(root: Path) -> None:
    for name in ("a.log", "b/c/d.log", "a.txt", "b/x.trace.log", "log"):
        write(root / name, f"{name}\n")
    assert sorted(Reading(root, exclude=["**/*.trace.log"]).read()) == ["a.log", "b/c/d.log"]
    assert Reading(root, patterns=["*.log"]).read() == ["a.log"]
    assert Reading(root, patterns=["*/?/d.*"]).read() == ["b/c/d.log"]


def test_no_link_no_pipe_and_no_device_is_opened(root: Path) -> None:
    outside = root.parent / "outside"
    write(outside / "secret.log", "secret\n")
    (root / "file.log").symlink_to(outside / "secret.log")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.log")
    reading = Reading(root)
    assert reading.read() == []
    outward = ("file.log", "folder/secret.log", "pipe.log", "../outside/secret.log", "/etc/passwd", "folder/../a.log")
    for path in outward:
        assert reading.folder.open(path) is None
        assert reading.read(path) == []


def test_a_folder_that_becomes_a_link_is_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    write(outside / "a.log", "secret\n")
    write(root / "in/a.log", "one\n")
    reading = Reading(root)
    reading.read()
    shutil.rmtree(root / "in")
    (root / "in").symlink_to(outside)
    assert reading.read("in/a.log") == []
    assert reading.read() == []


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    write(root / "a.log", "one\n")
    link = root.parent / "link"
    link.symlink_to(root)
    assert Reading(link).read() == ["one"]


def test_files_are_only_read(root: Path) -> None:
    write(root / "a.log", "one\n")
    (root / "a.log").chmod(0o400)
    root.chmod(0o500)
    try:
        before = (root / "a.log").stat()
        assert Reading(root).read() == ["one"]
        after = (root / "a.log").stat()
    finally:
        root.chmod(0o700)
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def test_a_name_that_is_no_text_is_left_alone(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.log")).write_text("one\n")
    assert Reading(root).read() == []


# -- how fresh it is


def origins(reading: Reading) -> dict[str, Origin]:
    return {event.id or "": event.origin for event in reading.events if not event.is_inferred}


def test_what_stands_there_at_the_first_start_is_history(root: Path) -> None:
    write(root / "a.log", f"old@{NOW - MINUTE}\n")
    reading = Reading(root)
    reading.read()
    write(root / "a.log", f"new@{NOW}\n")
    reading.read()
    assert origins(reading) == {"old": Origin.HISTORY, "new": Origin.LIVE}


def test_history_stays_history_over_a_restart(root: Path) -> None:
    write(root / "a.log", f"1@{NOW}\n" + "".join(f"{n}@{NOW}\n" for n in range(2, 40)))
    reading = Reading(root)
    reading.tail.look(NOW)
    batch = reading.tail.batch(NOW)
    assert batch is not None
    reading.take(batch)
    reading.start()
    reading.read()
    assert set(origins(reading).values()) == {Origin.HISTORY}


def test_history_beyond_its_limit_is_left_out(root: Path) -> None:
    write(root / "a.log", f"ancient@{NOW - 8 * DAY}\nold@{NOW - 6 * DAY}\n")
    assert Reading(root).read() == ["old"]


def test_a_file_of_long_ago_is_read_only_when_it_goes_on(root: Path) -> None:
    write(root / "a.log", f"ancient@{NOW - 9 * DAY}\nyoung@{NOW - DAY}\n")
    os.utime(root / "a.log", times=((NOW - 8 * DAY) / 1000,) * 2)
    reading = Reading(root)
    assert reading.read() == []
    reading.start()
    assert reading.read() == []
    write(root / "a.log", f"new@{NOW}\n")
    os.utime(root / "a.log", times=(NOW / 1000,) * 2)
    assert reading.read() == ["young", "new"]
    assert origins(reading) == {"young": Origin.HISTORY, "new": Origin.LIVE}


def test_what_was_written_while_nobody_listened_is_late(root: Path) -> None:
    reading = Reading(root)
    reading.read()
    write(root / "a.log", f"one@{NOW}\n")
    reading.read()
    write(root / "a.log", f"away@{NOW + MINUTE}\n")
    reading.now += 10 * MINUTE
    write(root / "a.log", f"just now@{reading.now}\n")
    reading.start()
    reading.read()
    assert origins(reading) == {"one": Origin.LIVE, "away": Origin.LATE, "just now": Origin.LIVE}


def test_an_old_file_that_appears_later_is_history_and_one_of_meanwhile_late(root: Path) -> None:
    reading = Reading(root)
    reading.read()
    reading.now += 30 * MINUTE
    write(root / "b.log", f"before@{NOW - DAY}\nmeanwhile@{NOW + MINUTE}\n")
    reading.read()
    assert origins(reading) == {"before": Origin.HISTORY, "meanwhile": Origin.LATE}


def test_a_turn_that_ended_while_nobody_listened_is_concluded(root: Path) -> None:
    reading = Reading(root)
    write(root / "a.log", f"turn open@{NOW}\n")
    reading.read()
    write(root / "a.log", f"turn closed@{NOW + MINUTE}\n")
    reading.now += 60 * MINUTE
    reading.start()
    reading.read()
    last = reading.events[-1]
    assert (last.turn, last.is_inferred, last.origin, last.at) == (Turn.CLOSED, True, Origin.LIVE, NOW + MINUTE)


@pytest.mark.parametrize(("turn", "concluded"), [("open", []), ("closed", [Turn.CLOSED])])
def test_of_history_only_rest_is_concluded(root: Path, turn: str, concluded: list[Turn]) -> None:
    write(root / "a.log", f"turn {turn}@{NOW - MINUTE}\n")
    reading = Reading(root)
    reading.read()
    assert [event.turn for event in reading.events if event.is_inferred] == concluded


# -- whatever happens

MOVES = ["append", "append", "append", "part", "finish", "truncate", "rewrite", "rotate", "rename", "delete", "restart",
         "look", "crash"]  # fmt: skip


class Writer:
    """A program that writes numbered lines, and what a reader must have seen of them."""

    def __init__(self, root: Path, reading: Reading) -> None:
        self.root, self.reading = root, reading
        self.number = 0
        self.partial: dict[str, str] = {}
        self.complete: set[str] = set()

    def line(self) -> str:
        self.number += 1
        return f"line number {self.number} " + "x" * (self.number * 7 % 90)

    def append(self, name: str) -> None:
        self.finish(name)
        line = self.line()
        self.complete.add(line)
        write(self.root / name, line + "\n")

    def part(self, name: str) -> None:
        if not self.partial.get(name):
            self.partial[name] = self.line()
            write(self.root / name, self.partial[name])

    def finish(self, name: str) -> None:
        line = self.partial.pop(name, "")
        if line and (self.root / name).exists():
            self.complete.add(line)
            write(self.root / name, "\n")

    def truncate(self, name: str) -> None:
        self.seen()
        self.partial.pop(name, None)
        if (self.root / name).exists():
            os.truncate(self.root / name, 0)

    def rewrite(self, name: str) -> None:
        self.seen()
        self.partial.pop(name, None)
        lines = [self.line() for _ in range(3)]
        self.complete.update(lines)
        (self.root / "temporary").write_text("\n".join(lines) + "\n")
        (self.root / "temporary").replace(self.root / name)

    def rotate(self, name: str) -> None:
        self.partial.pop(name, None)
        if (self.root / name).exists():
            (self.root / name).rename(self.root / f"{name[:-4]}-{self.number}.log")
        self.append(name)

    def rename(self, name: str) -> None:
        if (self.root / name).exists():
            self.partial.pop(name, None)
            (self.root / name).rename(self.root / f"{name[:-4]}-r{self.number}.log")

    def delete(self, name: str) -> None:
        self.seen()
        self.partial.pop(name, None)
        (self.root / name).unlink(missing_ok=True)

    def look(self, name: str) -> None:
        self.seen()

    def restart(self, name: str) -> None:
        self.reading.start()

    def crash(self, name: str) -> None:
        """Between the storing of a batch and the marking."""
        self.reading.tail.look(NOW)
        batch = self.reading.tail.batch(NOW)
        if batch is not None:
            self.reading.take(batch, is_marked=False)
        self.reading.start()

    def seen(self) -> None:
        """What is about to be destroyed has been looked at."""
        names = [path.name for path in self.root.glob("*.log")]
        self.reading.read()
        if names:
            self.reading.read(*names)


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(["a.log", "b.log"])), max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_complete_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, str]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    reading = Reading(root)
    writer = Writer(root, reading)
    for move, name in moves:
        act: Callable[[str], None] = getattr(writer, move)
        act(name)
    writer.seen()
    known = [said for said in reading.said if said in writer.complete]
    assert set(known) == writer.complete
    is_crashed = any(move == "crash" for move, _ in moves)
    assert is_crashed or len(known) == len(set(known)), "read twice"
