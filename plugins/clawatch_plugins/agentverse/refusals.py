"""Refusals in AgentVerse's words: ``{detail, status_code, error_code}``, and what else helps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from clawatch.apis.envelopes import Refused, reply, writable
from clawatch.apis.routes import Problem

_SHOWN = 3
_NO_TELEMETRY = "No telemetry found for node. Run may still be in progress."


def envelope(problem: Problem) -> web.Response:
    body: dict[str, Any] = {
        "detail": writable(problem.message),
        "status_code": problem.status,
        "error_code": (problem.code or f"HTTP_{problem.status}").upper(),
    }
    if isinstance(problem.details, dict):
        body.update(problem.details)
    return reply(body, problem.status, problem.headers)


def no_telemetry(run_status: str) -> Refused:
    return Refused(404, _NO_TELEMETRY, "TELEMETRY_NOT_FOUND", {"run_status": run_status})


def no_agent(agent_id: str) -> Refused:
    return Refused(404, f"Agent {agent_id[:200]} is not in this telemetry.", "AGENT_NOT_FOUND")


def out_of_range(tick: int | str, last: int) -> Refused:
    return Refused(400, f"Tick {tick} is out of range. Max tick is {last}.", "INVALID_TICK")


def no_tick(name: str, text: str) -> Refused:
    return Refused(400, f"{name}: {text[:60]!r} is not a tick.", "INVALID_TICK")


def not_a_keyframe(tick: int, keyframes: range) -> Refused:
    shown = ", ".join(map(str, keyframes[:_SHOWN])) + (", ..." if len(keyframes) > _SHOWN else "")
    below = tick - tick % keyframes.step
    nearest = [near for near in (below, below + keyframes.step) if near in keyframes]
    return Refused(
        400, f"Tick {tick} is not a keyframe. Available keyframes: [{shown}]", "NOT_A_KEYFRAME",
        {"nearest_keyframes": nearest},
    )


def too_many_streams() -> Refused:
    said = "Too much is being streamed at once; try again soon, or with a smaller chunk_size"
    return Refused(503, said, "UNAVAILABLE", headers={"Retry-After": "5"})


def invalid(name: str, message: str) -> Refused:
    return Refused(400, f"{name}: {message}", "INVALID_PARAMETER")


def unknown(what: str, names: Iterable[str], available: Iterable[str]) -> Refused:
    """``what``: metric, segment or region."""
    there = list(available)
    said = ", ".join(repr(name[:60]) for name in names)
    return Refused(
        400, f"Unknown {what}: {said}. Available: {', '.join(there) or 'none'}", f"UNKNOWN_{what.upper()}",
        {"available": there},
    )
