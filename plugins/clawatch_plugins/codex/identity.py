"""Codex's agents are its conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawatch.apis.attributes import text
from clawatch.apis.identity import MAX_SESSION_ID, Who, identify, identify_session

PRODUCT = "codex"
SHOWN = "Codex"


def conversation_of(attributes: Mapping[str, Any]) -> str | None:
    """``thread.id`` is a number where it is that of a thread of the machine."""
    told = text(attributes, "conversation.id", "thread.id", "thread_id")
    return told if told is not None and 8 <= len(told) <= MAX_SESSION_ID else None


def whose(
    resource: Mapping[str, Any], attributes: Mapping[str, Any], kind: str, agent: str | None = None,
    session: str | None = None,
) -> Who:
    """As ``identity.identify``; ``agent`` is the conversation, where it is known."""
    if agent is None:
        return identify(resource, attributes, kind, None, session)
    return identify_session(PRODUCT, SHOWN, agent, resource, attributes)
