"""The rule: reads what became of commands. Whether an agent goes on working is judged where commands are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clawatch.domain.agents import Agent, Control
from clawatch.domain.alerts import Severity
from clawatch.domain.commands import LASTING, Command, CommandState, CommandType
from clawatch.domain.events import Activity, Event, Origin
from clawatch.domain.journal import CommandChanged, Entry
from clawatch.domain.time import Moment
from clawatch.domain.verdicts import Finding, Verdict, Wake
from clawatch.domain.words import one_line
from clawatch.ports import Rule

STILL_WORKING = "still working"
"""How the message of a command begins that failed because the agent works on."""
_WORD = {CommandType.PAUSE: "paused", CommandType.STOP: "stopped"}


class PauseIgnored(Rule):
    def __init__(self) -> None:
        self._suspects: set[str] = set()
        """Agents whose alert is open, or may be open since before the start."""

    def observe(self, entry: Entry, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        command = entry.body.command if isinstance(entry.body, CommandChanged) else None
        if command is not None and _is_ignored(command):
            self._suspects.add(agent.id)
            return [_ignored(command)]
        if agent.id in self._suspects and _is_over(entry, agent):
            self._suspects.discard(agent.id)
            return [Verdict(agent_id=agent.id, severity=None)]
        return ()

    def watch(self, agent: Agent, settings: Any, now: Moment) -> Iterable[Wake]:
        self._suspects.add(agent.id)
        return [Wake(mono=now.mono, agent_id=agent.id)]

    def due(self, wake: Wake, agent: Agent, settings: Any, now: Moment) -> Iterable[Finding]:
        """An agent that was released just before the daemon died has nothing open any more."""
        if agent.id not in self._suspects or agent.control is not Control.RUN:
            return ()
        self._suspects.discard(agent.id)
        return [Verdict(agent_id=agent.id, severity=None)]

    def forget(self, agent_id: str) -> None:
        self._suspects.discard(agent_id)


def _is_ignored(command: Command) -> bool:
    return (
        command.type in LASTING
        and command.state is CommandState.FAILED
        and command.message.startswith(STILL_WORKING)
    )


def _is_over(entry: Entry, agent: Agent) -> bool:
    """Released by its owner, or quiet at last."""
    if agent.control is Control.RUN:
        return True
    match entry.body:
        case CommandChanged(command=command):
            return command.type in LASTING and command.state is CommandState.CONFIRMED
        case Event(origin=Origin.LIVE, activity=Activity.PAUSED | Activity.STOPPED):
            return True
    return False


def _ignored(command: Command) -> Verdict:
    said = one_line(command.message, 120)
    return Verdict(
        agent_id=command.agent_id,
        severity=Severity.CRITICAL,
        message=f"Agent goes on working though it is to be {_WORD[command.type]} — {said}",
        evidence={"command": command.id, "type": str(command.type), "said": said},
    )
