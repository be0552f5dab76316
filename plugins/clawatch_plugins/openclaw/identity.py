"""Who speaks: OpenClaw's agents and sessions in our terms."""

from __future__ import annotations

from msgspec import Struct

from clawatch.domain.events import Facts
from clawatch.domain.naming import agent_key

KIND = "openclaw"
GATEWAY_KIND = "openclaw-gateway"
SOURCE = "openclaw"
"""What events of transcripts name as their source, and whatever else counts tokens and money."""
GATEWAY_SOURCE = "openclaw_gateway"
"""What the gateway tells beside that."""
DEFAULT_AGENT = "main"
UNATTRIBUTED = "gateway"
"""In OpenTelemetry's terms: what is told of no agent in particular."""
MAX_ID = 200
_AUTOMATED = frozenset({"cron", "hook", "subagent", "heartbeat", "acp", "automation"})
"""Parts of a session's key that say that nobody types there."""


class Where(Struct, frozen=True, kw_only=True):
    """The session that something was read of."""

    gateway: str
    """The name of the OpenClaw it belongs to: what its agents' ids begin with."""
    agent: str
    """OpenClaw's own id of the agent."""
    session_id: str
    session_key: str = ""
    model: str = ""
    """Where a message does not name its model."""

    @property
    def agent_id(self) -> str:
        return agent_key(self.gateway, self.agent)

    @property
    def is_automated(self) -> bool:
        return is_automated(self.session_key)


def agent_in(session_key: str) -> str:
    """The agent of a session: the second part of ``agent:main:telegram:direct:7``."""
    head, _, rest = session_key.partition(":")
    agent = rest.partition(":")[0] if head == "agent" else ""
    return agent[:MAX_ID] or DEFAULT_AGENT


def is_automated(session_key: str) -> bool:
    """Whether what is said there is said by a schedule, a hook or another agent rather than by a person."""
    parts = session_key.split(":")
    return not _AUTOMATED.isdisjoint(parts[2:] if parts[0] == "agent" else parts[:1])


def is_main(session_key: str) -> bool:
    """Whether it is its agent's main session, which OpenClaw does not let archive."""
    head, _, rest = session_key.partition(":")
    return (rest.partition(":")[2] if head == "agent" else session_key) in ("main", "global")


def facts_of(where: Where) -> Facts:
    name = f"OpenClaw {where.agent}" if where.gateway == SOURCE else f"{where.gateway} {where.agent}"
    return Facts(name=name, kind=KIND, group=where.gateway)
