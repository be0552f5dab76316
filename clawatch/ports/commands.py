"""Everything there is to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Silence
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Outcome
from clawatch.domain.time import Millis


class CommandsPort(Protocol):
    """Everything there is to do to agents, alerts and the daemon. Checks rights; raises Forbidden, NotFound."""

    async def control(
        self, agent_id: str, verb: CommandType, principal: Principal, alert_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> tuple[Agent, Command | None]:
        """pause, resume, stop, start, restart: sets control at once and creates the command.

        ``parameters`` go to the agent with it; what they mean is its business.
        What is so already changes nothing; the newest command comes back then, or None when there was none.
        """
        ...

    async def send(
        self, agent_id: str, type: CommandType, parameters: Mapping[str, Any], principal: Principal
    ) -> Command:
        """Any other command."""
        ...

    def has_open(self, agent_id: str) -> bool:
        """Whether ``take`` may have something for this agent; cheap."""
        ...

    async def take(self, agent_id: str, principal: Principal, wait: float = 0.0) -> list[Command]:
        """Hand out the agent's open commands (marks them delivered); waits up to ``wait`` seconds for one."""
        ...

    async def result(
        self, command_id: str, state: CommandState, message: str, data: Any, principal: Principal
    ) -> Command:
        """The agent's or controller's answer. Raises Conflict when the state is final already."""
        ...

    async def settle(self, command_id: str, state: CommandState, message: str = "") -> Command | None:
        """A controller's own word. None when the command is unknown or final."""
        ...

    async def acknowledge(self, alert_id: str, principal: Principal, acknowledged: bool = True) -> Alert: ...

    async def silence(
        self, principal: Principal, duration: Millis, reason: str, alert_id: str | None = None,
        agent: str = "*", rule: str = "", severity: str = "",
    ) -> Silence: ...

    async def unsilence(self, silence_id: str, principal: Principal) -> None: ...

    async def remove_agent(self, agent_id: str, principal: Principal) -> None: ...

    async def test_notifier(self, name: str, principal: Principal) -> Outcome: ...
