"""What is remembered of sessions between requests. Bounded, and lost at a restart: it only sharpens."""

from __future__ import annotations

from clawatch.apis.recent import Recent

Session = tuple[str, str]
"""Agent and session: whoever reports another agent's session says nothing of that agent."""
Request = tuple[Session, str | None]
"""A request to the model."""


class Sessions:
    """Only what was accepted is remembered: whose reports they are is not known before."""

    def __init__(self) -> None:
        self.hooked: Recent[Session] = Recent()
        """Sessions whose hooks report. They know the turn exactly; logs only infer it."""
        self.working: Recent[Request] = Recent()
        """Requests to the model that were answered with a call of a tool, so that the turn goes on."""
