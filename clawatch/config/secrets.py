"""The secrets of a configuration, so that they can be known wherever they turn up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

_SHORTEST_PART = 16
_LETTER_AND_DIGIT = re.compile(r"(?=.*[A-Za-z])(?=.*\d)")


def secrets_in(settings: Any) -> Iterator[str]:
    """What must not be shown of a part's settings: its ``SecretStr``s, and fields that its model never prints."""
    if not isinstance(settings, BaseModel):
        return
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from _not_empty(value.get_secret_value())
        elif isinstance(value, BaseModel):
            yield from secrets_in(value)
        elif not field.repr:
            yield from _texts_in(value)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _not_empty(value)
        yield from _parts_of_url(value)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts_in(one)


def _parts_of_url(url: str) -> Iterator[str]:
    """What in an address is likely to be a secret: a long part with letters and digits."""
    address = urlsplit(url)
    for part in re.split(r"[/=&]", f"{address.path}&{address.query}" if address.netloc else ""):
        if len(part) >= _SHORTEST_PART and _LETTER_AND_DIGIT.match(part):
            yield part


def _not_empty(text: str) -> Iterator[str]:
    if text:
        yield text
