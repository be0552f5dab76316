"""What settings models are made of. Public: a plugin's settings inherit ``Settings`` or ``RuleSettings``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo

from clawatch.domain.alerts import Severity
from clawatch.domain.remarks import Remark
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis, parse_duration

if TYPE_CHECKING:
    from aiohttp import ClientSession


@dataclass(frozen=True)
class Surroundings:
    """Where settings that are examined would be used."""

    public_url: str
    session: ClientSession | None = None
    """For real calls; None: stay off the network."""


FROM_FILE = {"from": "file"}
"""Validation context of values that a person wrote: a bare number is no duration there."""

_LONGEST: Millis = 36_500 * DAY
_WRITTEN_OUT = re.compile(r"(\d{1,9})\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)", re.IGNORECASE)
_LONGEST_SHOWN = 20
_RATE = re.compile(r"(\d{1,9})\s*/\s*(s|m|h|d)")
_RATE_UNITS: dict[str, Millis] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def _duration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return _parse(value.strip())
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a duration; write it like 90s, 5m, 1h or 30d")  # noqa: TRY004 (pydantic wants it)
    if value < 0:
        raise ValueError("is negative; write a duration like 90s, 5m, 1h or 30d")
    if value and info.context == FROM_FILE:
        raise ValueError(f"{value} has no unit; write {value}s or {value}m")
    return value


def _parse(text: str) -> Millis:
    if text == "0":
        return 0
    shown = f'"{text}" ' if len(text) <= _LONGEST_SHOWN else ""
    try:
        duration = parse_duration(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown}is not a duration; write {_guess(text)}") from None
    if duration > _LONGEST:
        raise ValueError(f"{shown}is longer than a hundred years; write something shorter")
    return duration


def _guess(text: str) -> str:
    match = _WRITTEN_OUT.fullmatch(text)
    if match is None:
        return "it like 90s, 5m, 1h or 30d"
    unit = match[2].lower()
    return match[1] + (unit if unit == "ms" else unit[0])


Duration = Annotated[Millis, BeforeValidator(_duration), PlainSerializer(lambda ms: f"{ms}ms", when_used="json")]
"""A duration in the configuration (``90s``, ``5m``, ``1h``, ``30d``); milliseconds in the code."""


class RateLimit(NamedTuple):
    """So many ``times`` per ``period``."""

    times: int
    period: Millis


def _rate(value: object) -> object:
    if isinstance(value, RateLimit):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise ValueError("is not a rate; write it like 10/s, 600/m or 1000/h, or null for no limit")
    return RateLimit(int(match[1]), _RATE_UNITS[match[2]])


Rate = Annotated[RateLimit, BeforeValidator(_rate), PlainSerializer(lambda r: f"{r[0]}/{r[1]}ms", when_used="json")]
"""A rate in the configuration: ``10/s``, ``600/m``, ``1000/h``."""


class Settings(BaseModel):
    """Unknown keys are errors; values never appear in error messages, they may be secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @property
    def is_configured(self) -> bool:
        """Whether there is enough to open the part; where not, it is left out without complaint.

        For parts that the example names with an empty secret: a notifier without its token.
        """
        return True

    async def examine(self, surroundings: Surroundings) -> Sequence[Remark]:
        """What ``clawatch doctor`` shall say of these settings; never with a secret in it.

        Called without the daemon, the part closed. Only with a ``session`` may it touch the network, and then it
        must not change or announce anything there. What it raises is told as wrong.
        """
        return ()


class RuleSettings(Settings):
    """What every rule takes."""

    enabled: bool = True
    severity: Severity | None = None
    """Instead of the rule's own; None keeps it."""
    for_: Duration = 0
    resolve_after: Duration = 0
    repeat: Duration = 4 * HOUR
    action: Literal["none", "pause", "stop"] = "none"

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True,
        alias_generator=lambda name: name.rstrip("_"),
    )


def settings_from_file(model: type[Any], values: dict[str, Any]) -> Any:
    """Validated as what a person wrote. Raises pydantic's ValidationError."""
    return model.model_validate(values, context=FROM_FILE)
