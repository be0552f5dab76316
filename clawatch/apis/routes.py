"""Routes as values: what a door serves, who may call it, and the types its OpenAPI document is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from clawatch.domain.access import Principal, Scope

Handler = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]
"""Called with the request and who is asking; on an open route with the principal ``ANYONE``."""

ANYONE = Principal(name="", user="", scopes=frozenset(), agents=(), via="open")


@dataclass(frozen=True)
class Param:
    """A query or path parameter, for the OpenAPI document."""

    name: str
    where: Literal["query", "path", "header"]
    type: Any = str
    description: str = ""


@dataclass(frozen=True)
class Problem:
    """A refusal on its way into a door's envelope. ``code`` is a short word for machines."""

    status: int
    message: str
    code: str = ""
    details: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    """As aiohttp writes it: ``/api/agents/{id}``."""
    handler: Handler
    scope: Scope | None
    """What the caller's key must hold; None: open to everybody. Agent patterns are the ports' business."""
    summary: str
    takes: Any = None
    """Type of the body, for the OpenAPI document."""
    gives: Any = None
    status: int = 200
    params: tuple[Param, ...] = ()
    is_socket: bool = False
    """A WebSocket: the handler authenticates for itself, after accepting."""
    is_for_pages: bool = False
    """Pages of other sites may open this WebSocket, and the handler judges their Origin: a login cookie that comes
    along from there must count for nothing to it."""
    is_answered_over_rate: bool = False
    """Handled even when the caller's rate is used up, since a brake must answer; see ``limits.is_over_rate``."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    setting: str
    """The key that says so, for when it cannot be had: ``apis.otlp.listen``."""


@dataclass(frozen=True)
class Api:
    """A door as the web server sees it."""

    routes: tuple[Route, ...]
    envelope: Callable[[Problem], web.Response]
    """Puts a refusal into this door's own words; used for the framework's refusals below ``paths`` too."""
    paths: tuple[str, ...] = ()
    """Prefixes whose unrouted requests (404, 405) are answered in this envelope."""
    origins: tuple[str, ...] = ()
    """Pages that may call this door, beside ``server.cors_origins``: written as those are."""
    tells_rate: bool = False
    """Answers say in ``X-RateLimit-*`` how much of ``limits`` the caller has left, where there are limits."""
    refuse: Callable[[web.Request, Problem], web.Response] | None = None
    """Instead of ``envelope`` where there is a request whose encoding the refusal is to have."""
    also_on: tuple[Address, ...] = ()
    """Where clients expect this door besides: the whole server listens there too, with the same limits."""
