"""Keys, scopes and patterns: who may do what to which agents."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct

from clawatch.domain.time import Millis

KEY_PREFIX = "cw_"
"""So that secret scanners find a leaked key."""
MAX_AGENT_ID = 200


class Scope(StrEnum):
    INGEST = "ingest"
    READ = "read"
    CONTROL = "control"
    ADMIN = "admin"


class Key(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as it is kept: its hash only."""

    name: str
    hash: str
    scopes: tuple[Scope, ...]
    agents: tuple[str, ...] = ("*",)
    user: str = ""
    created_at: Millis = 0
    expires_at: Millis | None = None
    is_fixed: bool = False
    """Comes from the configuration; cannot be revoked at run time."""


def matches(patterns: Iterable[str], agent_id: str) -> bool:
    """Whether one of the patterns (``*``, ``build-*``) fits the agent's id."""
    return any(pattern == "*" or fnmatchcase(agent_id, pattern) for pattern in patterns)


def exact(agent_id: str) -> str:
    """A pattern that matches this id alone, whatever characters it has."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in agent_id)


class Principal(Struct, frozen=True, kw_only=True):
    """Who is asking. Rights are its scopes and agent patterns, nothing else."""

    name: str
    user: str
    scopes: frozenset[Scope]
    agents: tuple[str, ...] = ("*",)
    via: str = "key"
    """``key``, ``token``, ``cookie``, ``loopback``, ``telegram`` or ``core``."""

    def may(self, scope: Scope) -> bool:
        """Admin may everything; every other scope only itself."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, agent_id: str) -> bool:
        return "*" in self.agents or matches(self.agents, agent_id)

    @property
    def sees_all(self) -> bool:
        return "*" in self.agents


CORE = Principal(name="clawatch", user="clawatch", scopes=frozenset(Scope), via="core")
"""The daemon itself, for what rules and jobs do."""


def principal_of(key: Key, via: str = "key") -> Principal:
    return Principal(name=key.name, user=key.user or key.name, scopes=frozenset(key.scopes), agents=key.agents, via=via)


def new_secret() -> str:
    """A fresh key: 256 random bits behind the prefix."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """How a key is kept. A plain SHA-256 suffices because keys are 256 random bits, not passwords."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_agent_id(agent_id: str) -> str:
    """The id itself; raises ValueError unless it has 1–200 characters and no control characters."""
    if not 1 <= len(agent_id) <= MAX_AGENT_ID:
        raise ValueError(f"an agent id has 1 to {MAX_AGENT_ID} characters; this one has {len(agent_id)}")
    if not agent_id.isprintable():
        raise ValueError("an agent id must not contain control or unprintable characters")
    return agent_id
