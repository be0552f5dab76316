"""Refusals in ClawdNet's words: error frames on the WebSocket, an envelope on the metrics API."""

from __future__ import annotations

from aiohttp import web

from clawatch.apis.envelopes import reply, writable
from clawatch.apis.routes import Problem
from clawatch.domain.time import Millis, iso
from clawatch_plugins.clawdnet.wire import Complaint, Envelope, Error, Refusal

_UNSAID = ("authenticate first", "no authentication")
"""How the refusals of those begin that have shown no token at all."""


def refusal(problem: Problem, now: Millis) -> Refusal:
    return Refusal(iso(now), Complaint(_error_type(problem), writable(problem.message)))


def _error_type(problem: Problem) -> str:
    if problem.code == "unauthenticated":
        return "auth_required" if problem.message.startswith(_UNSAID) else "invalid_token"
    return problem.code or "invalid"


def envelope(problem: Problem) -> web.Response:
    """``{"error": {"code", "message", "details"}}``."""
    details = {} if problem.details is None else problem.details
    error = Error(_code(problem), writable(problem.message), details)
    return reply(Envelope(error), problem.status, problem.headers)


def _code(problem: Problem) -> str:
    if problem.status == 401:
        is_wrong = "invalid_token" in problem.headers.get("WWW-Authenticate", "")
        return "invalid_token" if is_wrong else "auth_required"
    return problem.code or f"http_{problem.status}"
