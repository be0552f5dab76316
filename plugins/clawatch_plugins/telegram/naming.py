"""Which agent somebody means."""

from __future__ import annotations

from collections.abc import Sequence

from clawatch.domain.agents import Agent
from clawatch_plugins.telegram.escaping import code, escape

_ROOM = 120
_MOST = 8

Named = Agent | str
"""The agent, or what to answer when it is not clear which."""


def find(name: str, agents: Sequence[Agent]) -> Named:
    """By exact id, else by name or id regardless of case. An exact id wins: no agent can hide another by its name."""
    name = name.strip()
    if not name:
        return "Which agent? Write its name or id after the command."
    for agent in agents:
        if agent.id == name:
            return agent
    folded = name.casefold()
    same = [agent for agent in agents if folded in (agent.id.casefold(), agent.name.casefold())]
    if len(same) == 1:
        return same[0]
    if same:
        return "More than one is called that; take the id:\n" + _listed(same)
    alike = [agent for agent in agents if folded in agent.id.casefold() or folded in agent.name.casefold()]
    unknown = f"There is no agent {code(name, _ROOM)}."
    return f"{unknown} Is it one of these?\n{_listed(alike)}" if alike else unknown


def _listed(agents: Sequence[Agent]) -> str:
    lines = [_line(agent) for agent in agents[:_MOST]]
    more = len(agents) - _MOST
    return "\n".join([*lines, escape(f"… and {more} more", _ROOM)] if more > 0 else lines)


def _line(agent: Agent) -> str:
    return code(agent.id, _ROOM) if agent.name == agent.id else f"{code(agent.id, _ROOM)} ({code(agent.name, _ROOM)})"
