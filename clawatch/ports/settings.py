"""What the configuration says, for doors that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from clawatch.domain.agents import Agent

Shown = Mapping[str, Any]
"""As the configuration file would say it, in JSON's types; secrets are hidden."""


class SettingsPort(Protocol):
    def all(self) -> Shown:
        """Every section of the configuration in force, with its defaults."""
        ...

    def rules(self) -> Mapping[str, Shown]:
        """The rules in use, each with its settings where nothing else is said for an agent."""
        ...

    def rules_of(self, agent: Agent) -> Mapping[str, Shown]:
        """The rules that hold otherwise for this agent, with the settings that do."""
        ...


class NoSettings:
    """For a core without a configuration."""

    def all(self) -> Shown:
        return {}

    def rules(self) -> Mapping[str, Shown]:
        return {}

    def rules_of(self, agent: Agent) -> Mapping[str, Shown]:
        return {}
