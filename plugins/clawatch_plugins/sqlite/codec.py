"""Values as the tables hold them."""

from __future__ import annotations

import msgspec

from clawatch.domain.access import Key
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.events import Event
from clawatch.domain.journal import Body, Counted, Entry, Measures, agent_of, kind_of
from clawatch.domain.runs import Run

_encode = msgspec.json.Encoder().encode
_body = msgspec.json.Decoder(Body).decode
_counted = msgspec.json.Decoder(tuple[Counted, ...]).decode

event_from = msgspec.json.Decoder(Event).decode
agent_from = msgspec.json.Decoder(Agent).decode
alert_from = msgspec.json.Decoder(Alert).decode
command_from = msgspec.json.Decoder(Command).decode
run_from = msgspec.json.Decoder(Run).decode
outgoing_from = msgspec.json.Decoder(Outgoing).decode
silence_from = msgspec.json.Decoder(Silence).decode
key_from = msgspec.json.Decoder(Key).decode

_ONE_EVENT = Measures(events=1)


def text_of(value: object) -> str:
    return _encode(value).decode()


def counted_column(counted: tuple[Counted, ...]) -> str | int | None:
    """JSON; for the most common case, one event that spends nothing, just the minute it falls in."""
    if not counted:
        return None
    if len(counted) == 1 and not counted[0].model and counted[0].measures == _ONE_EVENT:
        return counted[0].bucket
    return _encode(counted).decode()


def counted_from(column: str | int | None) -> tuple[Counted, ...]:
    if column is None:
        return ()
    if isinstance(column, int):
        return (Counted(bucket=column, measures=_ONE_EVENT),)
    return _counted(column)


def entry_from(row: tuple[int, int, str, str | int | None]) -> Entry:
    """An entry from its columns (seq, at, body, counted)."""
    seq, at, text, counted = row
    body = _body(text)
    return Entry(
        seq=seq, at=at, kind=kind_of(body), agent_id=agent_of(body), body=body, counted=counted_from(counted)
    )  # fmt: skip
