"""What the door allows its clients, and from where on the host's load is worth an alert."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clawatch.settings import Settings

Percent = Annotated[float, Field(gt=0, le=100)]


class AlertAbove(Settings):
    """Percent of the host's whole; None: never."""

    memory: Percent | None = 80
    cpu: Percent | None = 90


class FreeAgenticsSettings(Settings):
    limits: Literal["production", "development"] = "production"
    alert_above: AlertAbove = AlertAbove()
