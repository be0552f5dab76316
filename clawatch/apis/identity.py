"""Whose a telemetry record is. Public.

In this order: what the operator set (``clawatch.agent.id`` is the agent's id as it is, ``agent.id`` and
``agent.name`` of the resource its name), the agent's name in the record, the process (``service.instance.id``), the
session, the host. Not ``gen_ai.agent.id``: some libraries put an id of the run there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from clawatch.apis.attributes import text
from clawatch.domain.access import MAX_AGENT_ID
from clawatch.domain.events import Facts
from clawatch.domain.hashing import hash_value
from clawatch.domain.naming import agent_key

AGENT_ID = "clawatch.agent.id"
SESSIONS = ("session.id", "conversation.id", "gen_ai.conversation.id")
MAX_SESSION_ID = 200
UNNAMED = "unknown_service"
"""What OpenTelemetry calls a service that was given no name."""


class Who(Struct, frozen=True):
    """An agent, and what a record says of it."""

    agent_id: str
    facts: Facts
    is_named: bool = True
    """False: known by its process, session or host only; who it is may still be told."""


def session_of(*told: Mapping[str, Any]) -> str | None:
    """The first session that attributes name; None also for one that is too long to be a session's id."""
    for attributes in told:
        session = text(attributes, *SESSIONS)
        if session is not None and len(session) <= MAX_SESSION_ID:
            return session
    return None


def service_of(resource: Mapping[str, Any]) -> str:
    """The service's name."""
    return text(resource, "service.name") or UNNAMED


def given_id(resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> str | None:
    """The agent's id, where the operator has set it."""
    return text(attributes, AGENT_ID) or text(resource, AGENT_ID)


def identify(
    resource: Mapping[str, Any],
    attributes: Mapping[str, Any],
    kind: str,
    agent: str | None = None,
    session: str | None = None,
) -> Who:
    """The agent of a record; ``agent`` is its name where the record tells one."""
    service, host = service_of(resource), text(resource, "host.name")
    given = given_id(resource, attributes)
    name = text(resource, "agent.id", "agent.name") or agent
    if given is not None:
        agent_id = given
    elif name is not None:
        agent_id = _joined(service, "/", name)
    else:
        agent_id = _by_place(service, resource, session, host)
    shown = text(resource, "agent.name") or agent or given or agent_id
    return Who(agent_id, Facts(name=shown, host=host, kind=kind, group=service), given is not None or name is not None)


def identify_session(
    product: str, shown: str, session: str, resource: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Who:
    """The agent of a product whose agents are its sessions: ``product:session``, unless the operator names it."""
    given = given_id(resource, attributes)
    host = text(resource, "host.name") or text(attributes, "host.name")
    owner = text(attributes, "user.email") or host
    facts = Facts(
        name=text(resource, "agent.name") or given or f"{shown} {session[-8:]}",
        host=host,
        kind=product,
        group=f"{product}:{owner}" if owner else product,
    )
    return Who(given or agent_key(product, session), facts)


def _by_place(service: str, resource: Mapping[str, Any], session: str | None, host: str | None) -> str:
    key = text(resource, "service.instance.id") or session
    if key is not None:
        return _joined(service, "/", key)
    return service if host is None else _joined(service, "@", host)


def _joined(service: str, sign: str, key: str) -> str:
    """As an agent's id; where that is not printable or too long, made so and told apart by a hash."""
    joined = f"{service}{sign}{key}"
    if len(joined) <= MAX_AGENT_ID and joined.isprintable():
        return joined
    shown = "".join(c if c.isprintable() else "?" for c in joined[: MAX_AGENT_ID - 13])
    return f"{shown}~{hash_value(joined)[:12]}"
