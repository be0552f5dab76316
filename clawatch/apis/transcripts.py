"""What session files of agents have in common: lines of JSON that others wrote, read without trust. Public.

See ``clawatch.apis.tailing`` for following the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from clawatch.apis.attributes import MAX_TEXT
from clawatch.domain.access import CORE
from clawatch.domain.time import LATEST, Millis, parse_iso
from clawatch.ports import Core, NotFound

Entry = Mapping[str, Any]
RANK = -1
"""``Event.rank`` of usage that a transcript tells: it counts where the session's telemetry tells none."""
MAX_ERROR = 300
"""Characters of a failed call's error; what it printed may follow, and that is nobody's business."""
_NOTHING: Entry = {}
_LONGEST_INSTANT = 40
_SECONDS = 100_000_000_000
"""An instant below this is told in seconds: in milliseconds it would lie in the first years after 1970."""

S = TypeVar("S", bound=msgspec.Struct)


def entry_of(line: bytes) -> Entry:
    """The JSON object of a line. Raises ValueError when it is none."""
    try:
        value = msgspec.json.decode(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 (every line that is not understood raises the same)
    return value


def instant(entry: Entry, *keys: str) -> Millis:
    """The first moment under one of the keys, in ISO 8601 or as a number; 0 when there is none."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and len(value) <= _LONGEST_INSTANT:
            try:
                return parse_iso(value)
            except (ValueError, OverflowError):
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LATEST:
            return round(value * 1000 if value < _SECONDS else value)
    return 0


def table(entry: Entry, key: str) -> Entry:
    """The object under a key; an empty one when there is none."""
    value = entry.get(key)
    return value if isinstance(value, dict) else _NOTHING


def tables(entry: Entry, key: str) -> list[Entry]:
    """The objects of the list under a key."""
    value = entry.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def plain_text(content: Any) -> str:
    """What a message says: its content is a text, or parts of which some hold text. Cut at MAX_TEXT."""
    if isinstance(content, str):
        return content[:MAX_TEXT]
    parts = content if isinstance(content, list) else []
    texts = (part if isinstance(part, str) else part.get("text") for part in parts if isinstance(part, str | dict))
    return "\n".join(text for text in texts if isinstance(text, str))[:MAX_TEXT]


def length_of(content: Any) -> int:
    """How many characters a message has."""
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return sum(len(text) for text in texts if isinstance(text, str))


def known_from(note: str, type: type[S]) -> S:
    """What a reader noted of its file; a blank one at its beginning, or where another version wrote the note."""
    try:
        return msgspec.json.decode(note, type=type) if note else type()
    except (msgspec.DecodeError, ValueError):
        return type()


def note_of(known: msgspec.Struct) -> str:
    return msgspec.json.encode(known).decode()


def sources_of(core: Core) -> Callable[[str], tuple[str, ...]]:
    """Which doors and sources have spoken for an agent; none, for one that is not known. Quick, in any thread."""

    def sources(agent_id: str) -> tuple[str, ...]:
        try:
            return core.queries.agent(agent_id, CORE).sources
        except NotFound:
            return ()

    return sources
