"""Errors that cross ports: refusals with words for the one who asked."""

from __future__ import annotations


class ClaWatchError(Exception):
    """A refusal with words for the one who asked. Doors put it into their own envelope."""


class Invalid(ClaWatchError):
    """What was sent makes no sense (400)."""


class Forbidden(ClaWatchError):
    """The principal lacks the scope or the agent pattern (403)."""


class NotFound(ClaWatchError):
    """There is no such thing (404)."""


class Conflict(ClaWatchError):
    """It has moved on meanwhile (409)."""


class OutOfStep(Conflict):
    """What was sent does not follow what is there (409); ``next_line`` is what would."""

    def __init__(self, message: str, next_line: int) -> None:
        super().__init__(message)
        self.next_line = next_line


class TooMany(ClaWatchError):
    """Too often (429); ``retry_after`` seconds from now it may work."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(ClaWatchError):
    """Nothing was written and trying again later can help: disk full, database locked (503)."""
