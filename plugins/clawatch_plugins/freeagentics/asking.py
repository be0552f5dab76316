"""What clients send: decoded, checked, and refused in words for their senders."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from clawatch.apis.bodies import decode_json
from clawatch.ports import ClaWatchError, Invalid

MOST_EVENTS = 100
MOST_AGENTS = 1_000
"""That one connection may name."""

Name = Annotated[str, Meta(max_length=200)]
Names = Annotated[list[Name], Meta(max_length=MOST_AGENTS)]
T = TypeVar("T")


class Asked(Struct, frozen=True):
    """A message: its type, and its data, an object in any case."""

    type: str
    data: dict[str, Any]
    request_id: Any = None


class Malformed(Struct, frozen=True):
    """One that makes no sense. It counts as a message all the same."""

    why: str


class Filters(Struct, frozen=True):
    """Of alerts. Empty: all."""

    severity: Annotated[list[Name], Meta(max_length=MOST_EVENTS)] = []
    components: Annotated[list[Name], Meta(max_length=MOST_EVENTS)] = []


class Subscribe(Struct, frozen=True):
    events: Annotated[list[Name], Meta(max_length=MOST_EVENTS)]
    agents: Names | None = None
    filters: Filters | None = None
    """None leaves those there are."""


class Unsubscribe(Struct, frozen=True):
    events: Annotated[list[Name], Meta(max_length=MOST_EVENTS)] = []
    """Empty: all."""
    agents: Names | None = None


class Configure(Struct, frozen=True, forbid_unknown_fields=True):
    metrics_interval: Annotated[int, Meta(ge=100, le=3_600_000)] | None = None
    """Milliseconds."""
    buffer_size: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """Messages that may wait for a slow reader."""
    compression: bool | None = None


class Command(Struct, frozen=True):
    agent_id: Name
    command: Name
    parameters: dict[str, Any] | None = None


def decode(message: str | bytes) -> Asked | Malformed:
    try:
        value = decode_json(message)
    except ClaWatchError as error:
        return Malformed(str(error).replace("the body", "the message"))
    if not isinstance(value, dict):
        return Malformed("a message is an object with a type")
    kind, data = value.get("type"), value.get("data")
    if not isinstance(kind, str):
        return Malformed("a message needs a type, a text")
    if data is not None and not isinstance(data, dict):
        return Malformed("data must be an object")
    return Asked(kind, data or {}, value.get("request_id"))


def read(data: dict[str, Any], type: type[T]) -> T:
    """Raises Invalid."""
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError as error:
        raise Invalid(f"data: {error}".replace(" - at `$.", " - at `data.")) from None
