"""The brake: what a paused session is answered, and when its pause counts as confirmed."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent, Control
from clawatch.domain.commands import LASTING, Command, CommandState
from clawatch.domain.events import Event, EventType, Signal, Turn
from clawatch.domain.time import SECOND, Millis, Moment
from clawatch.ports import CommandsPort, IngestPort, NotFound, QueriesPort
from clawatch_plugins.claude_code.identity import HOOKS_SOURCE

TEXT = "ClaWatch has paused this session. Its owner can resume it in ClaWatch."
"""Constant: nothing an agent or an alert wrote may reach the model through the brake."""
QUIET: Millis = 15 * SECOND
"""A refused session without a further record for this long has obeyed."""

ANSWERS: dict[str, dict[str, Any]] = {
    "PreToolUse": {
        "continue": False,
        "stopReason": TEXT,
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": TEXT,
        },
    },
    "UserPromptSubmit": {"continue": False, "stopReason": TEXT, "decision": "block", "reason": TEXT},
}
"""How a hook refuses. The others cannot, and are answered with nothing."""
ENDS = frozenset({"Stop", "StopFailure", "SessionEnd"})
"""Hooks after which a paused session does nothing more."""


def is_braked(agent: Agent | None) -> bool:
    """Whether the owner wants it to do nothing."""
    return agent is not None and agent.control is not Control.RUN


class Refusal(Struct):
    since: Millis
    """Monotonic: the last record."""
    progress: Millis
    """The agent's last progress when that record came."""


class Brake:
    """Follows refused sessions until their pause is confirmed."""

    def __init__(self, queries: QueriesPort, commands: CommandsPort, ingest: IngestPort) -> None:
        self._queries = queries
        self._commands = commands
        self._ingest = ingest
        self._refused: dict[str, Refusal] = {}

    def saw(self, agent: Agent, now: Moment, is_refused: bool) -> None:
        """A hook of this agent has called: the wait begins with a refusal, and anew with every further record."""
        if is_refused or agent.id in self._refused:
            self._refused[agent.id] = Refusal(now.mono, agent.last_progress)

    async def delivered(self, agent_id: str) -> None:
        """The agent has been refused something, so it knows."""
        agent = self._agent(agent_id)
        command = None if agent is None else self._open_command(agent)
        if command is not None and command.state is CommandState.REQUESTED:
            await self._commands.settle(command.id, CommandState.DELIVERED, "the session was refused to go on")

    async def confirm(self, agent_id: str, why: str) -> None:
        """The agent has stopped working, as its open command asked."""
        agent = self._agent(agent_id)
        command = None if agent is None else self._open_command(agent)
        if command is not None:
            await self._commands.settle(command.id, CommandState.CONFIRMED, why)
        self._refused.pop(agent_id, None)

    async def tick(self, now: Moment) -> None:
        """Confirm for the sessions that have fallen quiet."""
        for agent_id, refusal in list(self._refused.items()):
            agent = self._agent(agent_id)
            if agent is None or not is_braked(agent):
                self._refused.pop(agent_id, None)
            elif agent.last_progress != refusal.progress:
                self._refused[agent_id] = Refusal(now.mono, agent.last_progress)
            elif now.mono - refusal.since >= QUIET:
                await self._fell_quiet(agent, now)

    async def _fell_quiet(self, agent: Agent, now: Moment) -> None:
        await self._ingest.accept([_turn_over(agent, now.wall)], CORE)
        await self.confirm(agent.id, "refused, and quiet since")

    def _agent(self, agent_id: str) -> Agent | None:
        try:
            return self._queries.agent(agent_id, CORE)
        except NotFound:
            return None

    def _open_command(self, agent: Agent) -> Command | None:
        command = self._queries.controlling(agent).command
        is_ours = command is not None and command.is_open and command.type in LASTING and is_braked(agent)
        return command if is_ours else None


def _turn_over(agent: Agent, now: Millis) -> Event:
    """Told to stop, Claude Code ends its turn without a word."""
    return Event(
        agent_id=agent.id,
        type=EventType.HEARTBEAT,
        at=now,
        session_id=agent.session_id,
        signal=Signal.HOOK,
        source=HOOKS_SOURCE,
        turn=Turn.CLOSED,
        is_progress=False,
        is_hidden=True,
        is_inferred=True,
    )
