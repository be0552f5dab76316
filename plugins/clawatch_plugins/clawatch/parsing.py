"""Posted bodies: one event, an array of events, or NDJSON; each item is taken or refused by itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from clawatch.apis.bodies import decode_json
from clawatch.apis.envelopes import Refused
from clawatch.apis.pace import Pace
from clawatch.domain.events import Event, Origin
from clawatch.domain.time import Millis
from clawatch_plugins.clawatch.items import Item, event_of
from clawatch_plugins.clawatch.words import say

MAX_ITEMS = 1_000

_ITEM = msgspec.json.Decoder(Item)
_ITEMS = msgspec.json.Decoder(list[Item])
_RAWS = msgspec.json.Decoder(list[Raw])
_BLANK = b" \t\r\n"
_UNREADABLE = (ValueError, RecursionError, OverflowError)
"""What decoding hostile text may raise; msgspec's and Unicode's errors are ValueErrors."""

Parcel = Item | str
"""An item as it was read, or why it could not be."""


class Batch:
    """What a body held: events with their places in it, and the refusals."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.places: list[int] = []
        self.refusals: list[tuple[int, str]] = []


    def take(self, place: int, parcel: Parcel, now: Millis, origin: Origin) -> None:
        try:
            if isinstance(parcel, str):
                raise ValueError(parcel)  # noqa: TRY004 - a refusal on its way, not a wrong type
            self.events.append(event_of(parcel, now, origin))
            self.places.append(place)
        except _UNREADABLE as error:
            self.refusals.append((place, say(error)))


def parse(body: bytes | bytearray, is_lines: bool, now: Millis, origin: Origin) -> Batch:
    """Read a body. Raises Refused where nothing in it can be read (400) or it holds too many items (413)."""
    batch = Batch()
    for place, parcel in enumerate(_unpack(bytes(body), is_lines)):
        batch.take(place, parcel, now, origin)
    return batch


async def parse_in_turns(body: bytes | bytearray, is_lines: bool, now: Millis, origin: Origin) -> Batch:
    """As ``parse``; gives way to others in between, since a large body takes long."""
    batch, pace = Batch(), Pace()
    for place, parcel in enumerate(_unpack(bytes(body), is_lines)):
        await pace.step()
        batch.take(place, parcel, now, origin)
    return batch


def _unpack(body: bytes, is_lines: bool) -> Sequence[Parcel]:
    start = body[:1] if body[:1] not in _BLANK else body.lstrip(_BLANK)[:1]
    if not start:
        raise Refused(400, "the body is empty; send an event, an array of events or NDJSON", "invalid_json")
    if is_lines or _is_lines(body, start):
        return _unpack_lines(body)
    if start == b"[":
        return _unpack_array(body)
    return [_read(body)] if start == b"{" else _not_events(body)


def _not_events(body: bytes) -> Sequence[Parcel]:
    decode_json(body)  # says what is wrong, when it is no JSON at all
    raise Refused(400, "send an event as a JSON object, an array of events, or NDJSON", "invalid")


def _is_lines(body: bytes, start: bytes) -> bool:
    """By shape: an object that ends with the first line, and something after it."""
    if start != b"{":
        return False
    first, newline, rest = body.strip(_BLANK).partition(b"\n")
    if not newline or not rest or not first.rstrip(_BLANK).endswith(b"}"):
        return False
    try:
        _RAW.decode(first)
    except _UNREADABLE:
        return False
    return True


_RAW = msgspec.json.Decoder(Raw)


def _unpack_lines(body: bytes) -> Sequence[Parcel]:
    lines = [line for line in body.split(b"\n", 2 * MAX_ITEMS) if line.strip(_BLANK)]
    _check_number(len(lines))
    if not lines:
        raise Refused(400, "the body is empty; send one event a line", "invalid_json")
    return [_read_line(line) for line in lines]


def _unpack_array(body: bytes) -> Sequence[Parcel]:
    try:
        items = _ITEMS.decode(body)
    except _UNREADABLE:
        return [_read_line(bytes(raw)) for raw in _raws(body)]
    _check_number(len(items))
    return items


def _raws(body: bytes) -> list[Raw]:
    try:
        raws = _RAWS.decode(body)
    except _UNREADABLE:
        decode_json(body)
        raise
    _check_number(len(raws))
    return raws


def _check_number(items: int) -> None:
    if items > MAX_ITEMS:
        raise Refused(413, f"more than {MAX_ITEMS} events in one request", "too_large")


def _read(body: bytes) -> Parcel:
    """The one event of a body. Text that is no JSON refuses the request."""
    try:
        return _ITEM.decode(body)
    except msgspec.ValidationError as error:
        return say(error)
    except _UNREADABLE:
        decode_json(body)
        raise


def _read_line(line: bytes) -> Parcel:
    try:
        return _ITEM.decode(line)
    except _UNREADABLE as error:
        return say(error)
