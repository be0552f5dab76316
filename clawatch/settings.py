"""What settings models are made of. Public: a plugin's settings inherit ``Settings`` or ``RuleSettings``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from clawatch.domain.alerts import Severity
from clawatch.domain.time import HOUR, Millis, parse_duration


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or (value is not None and not isinstance(value, int)):
        raise ValueError("is not a duration; write it like 90s, 5m, 1h or 30d")
    return value


Duration = Annotated[Millis, BeforeValidator(_duration), PlainSerializer(lambda ms: f"{ms}ms", when_used="json")]
"""A duration in the configuration (``90s``, ``5m``, ``1h``, ``30d``); milliseconds in the code."""


class Settings(BaseModel):
    """Unknown keys are errors; values never appear in error messages, they may be secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RuleSettings(Settings):
    """What every rule takes (design §5, §8)."""

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
