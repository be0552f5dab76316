"""The check-up behind ``clawatch doctor``: from the configuration to the daemon, what is well and what is not."""

from __future__ import annotations

from clawatch.doctor.examining import Finding, examine

__all__ = ["Finding", "examine"]
