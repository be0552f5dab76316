"""The brake: a rule's ``action`` pulled once per episode, at its highest level, and not too often."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from clawatch.alerting.engine import Step
from clawatch.commands import Commands
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import AlertType
from clawatch.domain.commands import Command, CommandType
from clawatch.domain.journal import Edge
from clawatch.domain.time import HOUR, Millis, Moment
from clawatch.settings import RuleSettings

MAX_PER_HOUR = 5
"""Over the whole fleet: a rule gone wrong must not stop everything."""
HELD_BACK = "held back"


@dataclass(frozen=True)
class Braked:
    """The step, with what the brake did to it."""

    step: Step
    edges: list[Edge] = field(default_factory=list)
    launched: list[Command] = field(default_factory=list)


class Brake:
    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._pulled: deque[Millis] = deque(maxlen=MAX_PER_HOUR)

    def remember(self, recent: Iterable[Command], now: Moment) -> None:
        """Count what was done before the daemon started."""
        pulled = sorted(c.requested_at for c in recent if c.alert_id is not None and c.requested_by == CORE.user)
        self._pulled.extend(now.mono_at(at) for at in pulled)

    def consider(
        self, step: Step, policy: RuleSettings, agent: Agent, now: Moment, planned: Sequence[Command] = ()
    ) -> Braked:
        """Pull the brake if this step calls for it. ``planned``: see ``Commands.plan``."""
        if not _is_called_for(step, policy, agent):
            return Braked(step)
        if len(self._pulled) == MAX_PER_HOUR and now.mono < self._pulled[0] + HOUR:
            message = f"{step.alert.message} — brake {HELD_BACK}: {MAX_PER_HOUR} times in an hour is the limit"
            return Braked(Step(replace(step.alert, brake=HELD_BACK, message=message), step.reason))
        verb = CommandType(policy.action)
        edges, command = self._commands.plan(agent, verb, CORE, now.wall, step.alert.id, planned)
        if command is None:
            return Braked(step)
        self._pulled.append(now.mono)
        return Braked(Step(replace(step.alert, brake=command.id), step.reason), edges, [command])


def _is_called_for(step: Step, policy: RuleSettings, agent: Agent) -> bool:
    alert = step.alert
    return (
        policy.action != "none"
        and alert.is_firing
        and alert.calls_brake
        and alert.type is not AlertType.STUCK
        and alert.brake is None
        and not alert.brake_released
        and bool(agent.id)
    )
