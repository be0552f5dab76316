"""Transcripts in files, as OpenClaw wrote them to 2026.7.1: one for each session, one entry a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from clawatch.apis.tailing import Folder, Followed, Line
from clawatch.apis.transcripts import entry_of, known_from, note_of
from clawatch.domain.events import Event
from clawatch.domain.time import Millis
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.identity import Where
from clawatch_plugins.openclaw.places import Home
from clawatch_plugins.openclaw.reading import decode, instant, table, word

PATTERNS = ("agents/*/sessions/*.jsonl",)
EXCLUDED = ("agents/*/sessions/*.*.jsonl",)
"""Checkpoints, trajectories and what was reset: copies, or something else."""
WANTED = (b'"message"', b'"session"', b'"compaction"')
_MAX_INDEX = 64_000_000


class Index:
    """Which sessions go by which keys: ``sessions.json`` beside the transcripts, read again when it has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[int, dict[str, str]]] = {}

    def key_of(self, agent: str, session_id: str) -> str:
        """Empty when it is not told. Called in a thread."""
        path = self._root / "agents" / agent / "sessions" / "sessions.json"
        try:
            status = path.stat()
        except OSError:
            return ""
        known = self._known.get(agent)
        if known is None or known[0] != status.st_mtime_ns:
            keys = _keys(path) if status.st_size <= _MAX_INDEX else {}
            known = self._known[agent] = (status.st_mtime_ns, keys)
        return known[1].get(session_id, "")


def _keys(path: Path) -> dict[str, str]:
    try:
        told = decode(path.read_bytes()) or {}
    except OSError:
        return {}
    return {word(entry, "sessionId"): key[:500] for key, entry in told.items() if isinstance(entry, dict)}


class Note(Struct, omit_defaults=True):
    session_id: str = ""
    model: str = ""
    copied: Millis = 0


class Transcript:
    """Reads one file's lines; see ``tailing.Reader``."""

    def __init__(self, path: str, note: str, gateway: str, index: Index, keep_text: bool) -> None:
        self._agent = path.split("/")[1]
        self._gateway = gateway
        self._index = index
        self._file_name = path.rpartition("/")[2].removesuffix(".jsonl")
        self._note = known_from(note, Note)
        self._transcripts = Transcripts(keep_text, self._note.copied)

    @property
    def note(self) -> str:
        return note_of(self._note)

    def read(self, line: Line) -> Iterable[Event]:
        entry = entry_of(line.data)
        kind = entry.get("type")
        if kind == "session":
            self._note.session_id = word(entry, "id") or self._note.session_id
            if entry.get("parentSession"):
                self._note.copied = instant(entry, "timestamp")
        elif kind == "model_change":
            self._note.model = word(entry, "modelId")
        return self._transcripts.map(self._where(), entry, _written(entry))

    def _where(self) -> Where:
        session_id = self._note.session_id or self._file_name[:200]
        return Where(
            gateway=self._gateway, agent=self._agent, session_id=session_id,
            session_key=self._index.key_of(self._agent, session_id), model=self._note.model,
        )


def _written(entry: Any) -> Millis:
    """0: its time is that of the file."""
    return instant(table(entry, "message"), "timestamp")


def followed(home: Home, since: Millis, keep_text: bool) -> Followed:
    """A home's transcripts, to be followed."""
    index = Index(home.path)
    return Followed(
        name=f"{home.marks}:files",
        folder=Folder(home.path, PATTERNS, EXCLUDED),
        open=lambda path, note: Transcript(path, note, home.name, index, keep_text),
        wants=WANTED,
        since=since,
    )
