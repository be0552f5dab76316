"""What people and models say: prompts, answers, arguments and results of tools. Public.

A vocabulary puts it into an event's ``data`` under these keys and no others; the OpenTelemetry door drops it there
unless its settings ask for it. What loops are found by, hashes and lengths, is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from clawatch.domain.events import Event
from clawatch.domain.hashing import hash_value

CONTENT = frozenset({"prompt", "response", "arguments", "result"})
MAX_CONTENT = 8_000
"""Characters kept of each."""


def content(attributes: Mapping[str, Any], **keys: str) -> dict[str, Any]:
    """What attributes hold of it: ``content(told, prompt="prompt")``."""
    found: dict[str, Any] = {}
    for name, key in keys.items():
        value = attributes.get(key)
        if isinstance(value, str) and value:
            found[name] = value[:MAX_CONTENT]
    return found


def without_content(event: Event) -> Event:
    """The event as it is stored unless content is asked for."""
    if CONTENT.isdisjoint(event.data):
        return event
    return replace(event, data={key: value for key, value in event.data.items() if key not in CONTENT})


def args_hash(arguments: Any) -> str | None:
    """Of arguments as they are or as JSON in a string, so that all reports of a call agree."""
    if arguments is None or arguments == "":
        return None
    if not isinstance(arguments, str):
        return hash_value(arguments)
    try:
        return hash_value(msgspec.json.decode(arguments))
    except (ValueError, RecursionError):
        return hash_value(arguments)
