"""What can be set of the door."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

from clawatch.settings import Settings

_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})", re.ASCII)


class Place(NamedTuple):
    host: str
    port: int


def _place(value: object) -> object:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, Place):
        return value
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("is no address to listen on; write it like 127.0.0.1:4318")
    return Place(match["host"].strip("[]"), int(match["port"]))


Listen = Annotated[Place, BeforeValidator(_place), PlainSerializer(lambda p: f"{p[0]}:{p[1]}", when_used="json")]


class OtlpSettings(Settings):
    content: bool = False
    """Whether what people and models say is kept, where a client tells it: prompts, answers, arguments, results."""
    listen: Listen | None = None
    """Where to listen besides; ``127.0.0.1:4318`` is where exporters send by themselves."""
