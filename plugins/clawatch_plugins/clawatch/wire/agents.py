"""Agents, and how they stand under control."""

from __future__ import annotations

from clawatch_plugins.clawatch.wire.base import Total, Wire


class CommandBrief(Wire):
    id: str
    type: str
    state: str
    since: str
    words: str
    """The state for people: ``asked to pause``."""


class ControlView(Wire):
    kind: str
    enforcement: str
    """What a pause is worth: ``native`` (held by us), ``reabort`` (stopped again whenever it begins), ``advisory``
    (asked, and left to it) or ``none``."""
    described: str
    wanted: str
    command: CommandBrief | None


class AgentView(Wire):
    id: str
    name: str
    host: str
    status: str
    last_heartbeat: str
    created_at: str
    cost_usd: float
    token_count: int
    error_count: int
    kind: str
    group: str
    labels: dict[str, str]
    capabilities: tuple[str, ...]
    owner: str
    activity: str
    last_seen: str | None
    last_progress: str | None
    turn: str
    doing: str
    tool_calls: int
    unpriced_tokens: int
    control: ControlView


class AgentGone(Wire):
    """Stands in the live stream for an agent that was removed."""

    id: str
    deleted: bool = True


class AgentList(Wire):
    agents: tuple[AgentView, ...]
    pagination: Total
    """Asked for by a client of a neighbouring system; harmless to others."""
