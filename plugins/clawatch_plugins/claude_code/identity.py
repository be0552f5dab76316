"""Which agent a report is of. Claude Code sends neither host nor instance id, so agents go by session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from clawatch.apis.attributes import text
from clawatch.domain.events import Facts
from clawatch_plugins.claude_code.sessions import Session

KIND = "claude-code"
OTLP_SOURCE = "otlp"
HOOKS_SOURCE = "claude_code_hooks"
TRANSCRIPTS_SOURCE = "claude_code"
MAX_SESSION_ID = 200
AGENT_ID = "clawatch.agent.id"
"""Attribute by which an operator names the agent, over and above its sessions."""


class Who(Struct, frozen=True):
    agent_id: str
    session_id: str
    facts: Facts | None

    @property
    def session(self) -> Session:
        return (self.agent_id, self.session_id)


def identify(resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> Who | None:
    """The agent and session of a record; None without a session, since then it cannot be counted only once.

    Nor with one that is none: its id is too long.
    """
    session = text(attributes, "session.id", "gen_ai.conversation.id")
    if session is None or len(session) > MAX_SESSION_ID:
        return None
    given = text(attributes, AGENT_ID) or text(resource, AGENT_ID)
    agent_id = given or agent_of(session)
    host = text(resource, "host.name") or text(attributes, "host.name")
    owner = text(attributes, "user.email") or host
    facts = Facts(
        name=text(resource, "agent.name") or given or name_of(session),
        host=host,
        kind=KIND,
        group=f"{KIND}:{owner}" if owner else KIND,
    )
    return Who(agent_id, session, facts)


def agent_of(session_id: str) -> str:
    """The agent's id for a session."""
    return f"{KIND}:{session_id}"


def name_of(session_id: str) -> str:
    """A name people can tell sessions apart by."""
    return f"Claude Code {session_id[-8:]}"


def call_of_prompt(prompt_id: str | None) -> str | None:
    """A prompt told by its log record and by its hook is one."""
    return None if prompt_id is None else f"prompt:{prompt_id}"


def call_of_failure(prompt_id: str | None) -> str | None:
    """An error that ends a turn, told by ``api_error`` and by ``StopFailure``, is one."""
    return None if prompt_id is None else f"failure:{prompt_id}"
