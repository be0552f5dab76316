"""Refusals and answers: what a handler may raise, and ClaWatch's own envelope for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from clawatch.apis.routes import Problem
from clawatch.ports import ClaWatchError, Conflict, Forbidden, Invalid, NotFound, StoreUnavailable, TooMany

STORE_RETRY = 5
"""Seconds after which a client may try again when the store takes nothing."""

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_STATUSES: dict[type[ClaWatchError], tuple[int, str]] = {
    Invalid: (400, "invalid"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    TooMany: (429, "rate_limited"),
    StoreUnavailable: (503, "unavailable"),
}


class Refused(ClaWatchError):
    """A refusal with a status of its own; handlers raise it where the ports' errors do not fit."""

    def __init__(
        self, status: int, message: str, code: str = "", details: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.problem = Problem(status, message, code, details, dict(headers or {}))


def problem_of(error: ClaWatchError) -> Problem:
    """The status and words for an error that crossed a port."""
    if isinstance(error, Refused):
        return error.problem
    status, code = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), (400, "invalid"))
    return Problem(status, str(error), code, headers=_retry_after(error))


def _retry_after(error: ClaWatchError) -> dict[str, str]:
    if isinstance(error, TooMany):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    if isinstance(error, StoreUnavailable):
        return {"Retry-After": str(STORE_RETRY)}
    return {}


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON, from anything msgspec encodes."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=_JSON if headers is None else {**_JSON, **headers})


def clawatch_envelope(problem: Problem) -> web.Response:
    """``{"error": message}``, and ``details`` where there are any."""
    body: dict[str, Any] = {"error": writable(problem.message)}
    if problem.details is not None:
        body["details"] = problem.details
    return reply(body, problem.status, problem.headers)


def writable(text: str) -> str:
    """The text without lone surrogates, which no JSON can carry; a path may hold them."""
    return text.encode("utf-8", "replace").decode()
