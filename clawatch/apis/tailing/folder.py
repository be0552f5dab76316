"""The files of a folder: found by pattern, opened without ever leaving it.

Who writes there may plant links, devices and pipes. None is followed or opened: a path is walked one name at a time,
each opened as a directory and no link, and only a regular file is read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

MAX_DEPTH = 16
MAX_FILES = 50_000
"""Files that are followed in one folder; what a walk meets beyond is left out, and ``Folder.is_full`` says so."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Seen(Struct, frozen=True):
    """A file as a look found it."""

    device: int
    inode: int
    size: int
    mtime: int
    """Nanoseconds."""


def seen(found: os.stat_result) -> Seen:
    return Seen(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Folder:
    """Files below ``root`` whose path from there matches one of ``patterns`` and none of ``exclude``.

    In patterns ``*`` and ``?`` stand for anything but a slash, and ``**`` for any number of folders. The root itself
    may be a link: whoever configured it has chosen it.
    """

    def __init__(self, root: Path, patterns: Sequence[str], exclude: Sequence[str] = ()) -> None:
        self.root = root
        self.is_full = False
        """Whether the newest walk met more files than are followed."""
        self._matches = _any_of(patterns)
        self._excludes = _any_of(exclude)
        self._depth = MAX_DEPTH if any("**" in one for one in patterns) else max(p.count("/") for p in patterns)

    def has(self, path: str) -> bool:
        """Whether a path from the root is one of the folder's, were it a file."""
        return bool(self._matches(path)) and not self._excludes(path)

    def walk(self) -> tuple[dict[str, Seen], list[str]]:
        """Its files by their paths from the root, and the folders that were looked through (the root is ``.``)."""
        files: dict[str, Seen] = {}
        folders: list[str] = []
        self.is_full = False
        with suppress(OSError):
            top = os.open(self.root, _ROOT)
            try:
                self._walk(top, "", 0, files, folders)
            finally:
                os.close(top)
        return files, folders

    def _walk(self, folder: int, path: str, depth: int, files: dict[str, Seen], folders: list[str]) -> None:
        folders.append(path.rstrip("/") or ".")
        below: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif self.has(path + entry.name) and entry.is_file(follow_symlinks=False) and _is_text(entry.name):
                    if len(files) >= MAX_FILES:
                        self.is_full = True
                        return
                    with suppress(OSError):
                        files[path + entry.name] = seen(entry.stat(follow_symlinks=False))
        if depth < self._depth:
            for name in filter(_is_text, below):
                with suppress(OSError):
                    self._enter(folder, name, path, depth, files, folders)

    def _enter(
        self, folder: int, name: str, path: str, depth: int, files: dict[str, Seen], folders: list[str]
    ) -> None:
        inner = os.open(name, _DIRECTORY, dir_fd=folder)
        try:
            self._walk(inner, f"{path}{name}/", depth + 1, files, folders)
        finally:
            os.close(inner)

    def open(self, path: str) -> int | None:
        """A descriptor for reading; None when there is no such regular file, or something on the way is a link."""
        *folders, name = path.split("/")
        if name in ("", ".", "..") or any(one in ("", ".", "..") for one in folders):
            return None
        try:
            holder = self._open_folder(folders)
        except OSError:
            return None
        try:
            file = os.open(name, _FILE, dir_fd=holder)
        except OSError:
            return None
        finally:
            os.close(holder)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        return None

    def _open_folder(self, names: Sequence[str]) -> int:
        folder = os.open(self.root, _ROOT)
        for name in names:
            try:
                inner = os.open(name, _DIRECTORY, dir_fd=folder)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def neighbours(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        """The regular files beside a path, whatever they are called, by their paths from the root."""
        *folders, _ = path.split("/")
        try:
            holder = self._open_folder(folders)
        except OSError:
            return
        try:
            with os.scandir(holder) as entries:
                for entry in entries:
                    if _is_text(entry.name) and entry.is_file(follow_symlinks=False):
                        with suppress(OSError):
                            yield "/".join([*folders, entry.name]), entry.stat(follow_symlinks=False)
        finally:
            os.close(holder)


def _is_text(name: str) -> bool:
    """Names that are no UTF-8 cannot be kept as text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _any_of(patterns: Sequence[str]) -> Callable[[str], object]:
    """Matches a path that one of the patterns fits; none fits nothing."""
    return re.compile("|".join(map(_expression, patterns)) or r"(?!)").fullmatch


def _expression(pattern: str) -> str:
    *folders, name = pattern.split("/")
    before = ["(?:[^/]+/)*" if folder == "**" else f"{_one(folder)}/" for folder in folders]
    return "".join(before) + _one(name)


def _one(name: str) -> str:
    return re.escape(name).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
