"""Names of agents that several doors and sources speak of: each must come to the same id by itself."""

from __future__ import annotations

from clawatch.domain.access import MAX_AGENT_ID
from clawatch.domain.hashing import hash_value


def agent_key(product: str, name: str) -> str:
    """``product:name`` as an agent's id; where it is not printable or too long, made so and told apart by a hash.

    OpenClaw's agents are ``agent_key("openclaw", <its agent id>)``, of the kind ``openclaw``, and their sessions go by
    OpenClaw's ``sessionId``: so whatever reports of them by a transcript, its gateway or OpenTelemetry means the same.
    """
    key = f"{product}:{name}"
    if len(key) <= MAX_AGENT_ID and key.isprintable():
        return key
    shown = "".join(c if c.isprintable() else "?" for c in key[: MAX_AGENT_ID - 13])
    return f"{shown}~{hash_value(key)[:12]}"
