"""What can be configured under ``rules.loop``."""

from __future__ import annotations

from pydantic import Field, model_validator

from clawatch.settings import RuleSettings
from clawatch_plugins.loop.history import WINDOW


class LoopSettings(RuleSettings):
    warn: int = Field(default=5, ge=2, le=WINDOW)
    """So many equal calls among the last 50 of a session are told of."""
    critical: int = Field(default=10, ge=2, le=WINDOW)
    ignore: tuple[str, ...] = ()
    """Patterns of tool names that may repeat: ``wait_*``."""

    @model_validator(mode="after")
    def _critical_comes_after_warn(self) -> LoopSettings:
        if self.critical < self.warn:
            raise ValueError("critical must not be less than warn")
        return self
