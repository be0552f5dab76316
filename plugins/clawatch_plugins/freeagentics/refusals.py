"""Refusals in this door's words: some end the connection, the others are errors of one message."""

from __future__ import annotations

import math
from typing import Any

from clawatch.apis.routes import Problem
from clawatch.apis.socket_limits import SocketLimits
from clawatch.domain.time import SECOND, Millis, iso
from clawatch_plugins.freeagentics.limits import Messages
from clawatch_plugins.freeagentics.wire import Ended, Failed, Message, Rate
from clawatch_plugins.freeagentics.words import (
    AUTHENTICATION_FAILED,
    CONNECTION_LIMIT_EXCEEDED,
    INVALID_MESSAGE_FORMAT,
    PERMISSION_DENIED,
    RATE_LIMIT_EXCEEDED,
    SERVICE_UNAVAILABLE,
)

RETRY_AFTER = 30
"""Seconds, where nothing better is known."""
PER_MINUTE = "messages_per_minute"
PER_CONNECTION = "subscriptions_per_connection"
_ENDS = {
    "unauthenticated": AUTHENTICATION_FAILED,
    "too_many_connections": CONNECTION_LIMIT_EXCEEDED,
    "forbidden": PERMISSION_DENIED,
}
_CODES = {"unavailable": SERVICE_UNAVAILABLE}
OVER_RATE = "rate_limited"
CALM_DOWN = "Reduce message frequency"


def refusal(problem: Problem, limits: SocketLimits, now: Millis) -> Message:
    if problem.code in _ENDS:
        return Message("connection_error", iso(now), _end(problem, _ENDS[problem.code], limits))
    if problem.code == OVER_RATE:
        return Message("error", iso(now), problem.details)
    code = _CODES.get(problem.code, INVALID_MESSAGE_FORMAT)
    return Message("error", iso(now), Failed(error_code=code, error_message=problem.message))


def _end(problem: Problem, code: str, limits: SocketLimits) -> Ended:
    message = "Invalid or expired token" if code == AUTHENTICATION_FAILED else problem.message
    return Ended(
        error_code=code,
        error_message=message,
        close_code=limits.closing_for(problem).code,
        retry_after=_retry_after(problem.details),
    )


def _retry_after(details: Any) -> int:
    wait = details.get("retry_after") if isinstance(details, dict) else None
    return RETRY_AFTER if wait is None else max(1, math.ceil(wait))


def over_rate(messages: Messages, mono: Millis, now: Millis) -> Problem:
    wait = messages.until_room(mono)
    said = f"At most {messages.limit} messages per minute"
    return Problem(429, said, OVER_RATE, Rate(
        limit_type=PER_MINUTE,
        current_usage=messages.used,
        limit=messages.limit,
        reset_time=iso(now + wait),
        retry_after=round(wait / SECOND, 1),
        recommended_action=CALM_DOWN,
        error_code=RATE_LIMIT_EXCEEDED,
        error_message=said,
    ))


def warning(messages: Messages, mono: Millis, now: Millis) -> Message:
    return Message("rate_limit_warning", iso(now), Rate(
        limit_type=PER_MINUTE,
        current_usage=messages.used,
        limit=messages.limit,
        reset_time=iso(now + messages.until_room(mono)),
        recommended_action=CALM_DOWN,
    ))


def too_many_types(used: int, most: int, now: Millis) -> Message:
    return Message("subscription_error", iso(now), Rate(
        limit_type=PER_CONNECTION,
        current_usage=used,
        limit=most,
        recommended_action="Unsubscribe from what is not needed",
        error_code=RATE_LIMIT_EXCEEDED,
        error_message=f"At most {most} event types per connection",
    ))
