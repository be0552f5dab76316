"""The agents' files: read, merged into, and replaced whole, with a copy of what was there."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clawatch.connections.merging import Merged, merge
from clawatch.ports import ClaWatchError
from clawatch.ports.connecting import Merge

_NEW_MODE = 0o600
"""They hold a key."""
MAX_SIZE = 4 * 1024 * 1024
"""Bytes."""
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


class UnreadableError(ClaWatchError):
    """The file cannot be understood, so nothing is written to it."""


def text_of(path: Path) -> str:
    """What a file holds; empty when there is none. Raises UnreadableError."""
    try:
        return _read(path).decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from None


def _read(path: Path) -> bytes:
    """Never waits for a pipe's other end, nor reads a device without end. Raises OSError, UnreadableError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise UnreadableError(f"{path} is left as it is, since it is no ordinary file")
        content = opened.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise UnreadableError(f"{path} is left as it is, since no settings are larger than {MAX_SIZE} bytes")
    return content


def merged_text(text: str, wanted: Merge, ours: Callable[[Any], bool], replaces: bool) -> tuple[str, Merged]:
    """A file's content with what is wanted in it. Raises UnreadableError when it is not understood."""
    try:
        written, merged = _FORMATS[wanted.format](text, wanted.settings, ours, replaces)
        written.encode()
        return written, merged  # noqa: TRY300
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise UnreadableError(
            f"{wanted.path} is left as it is, since it is no plain {wanted.format.upper()} ({said}); add the settings "
            "by hand"
        ) from None


def shown(wanted: Merge) -> str:
    """What to add, as it would stand in a file of its own."""
    return _FORMATS[wanted.format]("", wanted.settings, lambda value: False, True)[0].rstrip("\n")


def _json(text: str, settings: dict[str, Any], ours: Callable[[Any], bool], replaces: bool) -> tuple[str, Merged]:
    known = json.loads(text, object_pairs_hook=_unique) if text.strip() else {}
    if not isinstance(known, dict):
        raise ValueError("it holds no object")  # noqa: TRY004
    merged = merge(known, settings, ours, replaces)
    indent = _INDENT.search(text)
    written = json.dumps(known, indent=indent[1] if indent else 2, ensure_ascii=False, allow_nan=False)
    return (written + "\n" if merged.changed else text), merged


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has a key twice")
    return found


def _toml(text: str, settings: dict[str, Any], ours: Callable[[Any], bool], replaces: bool) -> tuple[str, Merged]:
    import tomlkit

    document = tomlkit.parse(text)
    merged = merge(document, settings, ours, replaces)
    return (tomlkit.dumps(document) if merged.changed else text), merged


def _env(text: str, settings: dict[str, Any], ours: Callable[[Any], bool], replaces: bool) -> tuple[str, Merged]:
    lines = text.splitlines()
    known: MutableMapping[str, Any] = {}
    places: dict[str, int] = {}
    for at, line in enumerate(lines):
        assigned = _ASSIGNMENT.fullmatch(line)
        if assigned is not None:
            known[assigned[1]], places[assigned[1]] = assigned[2].strip("\"'"), at
    merged = merge(known, settings, ours, replaces)
    for key in merged.changed:
        line = f'{key}="{known[key]}"'
        if key in places:
            lines[places[key]] = line
        else:
            lines.append(line)
    return ("\n".join(lines) + "\n" if merged.changed else text), merged


_FORMATS: dict[str, Callable[..., tuple[str, Merged]]] = {"json": _json, "toml": _toml, "env": _env}


def replace(path: Path, before: str, after: str, stamp: str) -> Path | None:
    """Put ``after`` into the file, whole or not at all; the copy of what was there, named with ``stamp``.

    A link stays one: what it points to is replaced. Raises UnreadableError when the file has changed meanwhile, or
    cannot be written.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if text_of(path) != before:
            raise UnreadableError(f"{path} has just been changed by somebody else; try again")
        backup = _back_up(path, stamp) if path.exists() else None
        _write(path, after)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be written: {error.strerror}") from None
    return backup


def _back_up(path: Path, stamp: str) -> Path:
    names = (f"{path.name}.{stamp}{number}.bak" for number in ("", *(f"-{n}" for n in range(2, 100))))
    backup = next(one for one in map(path.with_name, names) if not one.exists())
    file = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_MODE)
    with os.fdopen(file, "wb") as opened:
        opened.write(path.read_bytes())
    return backup


def _write(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else _NEW_MODE
    file, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
