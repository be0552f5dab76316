"""A notifier that remembers what it was told, and fails as told."""

from __future__ import annotations

from clawatch.domain.alerts import Reason
from clawatch.domain.deliveries import Delivered, Notification, Outcome


class RecordingNotifier:
    """``answers`` are given in turn, then ``Delivered``; only what was delivered is in ``said``."""

    def __init__(self, *answers: Outcome) -> None:
        self.answers: list[Outcome | Exception] = list(answers)
        self.said: list[Notification] = []
        self.tried = 0

    async def deliver(self, notification: Notification) -> Outcome:
        self.tried += 1
        answer = self.answers.pop(0) if self.answers else Delivered(f"ref-{notification.thread}")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Delivered):
            self.said.append(notification)
        return answer

    def heard(self, reason: Reason | None = None) -> list[str]:
        """The texts that were delivered, for one reason or for all."""
        return [n.text for n in self.said if reason is None or n.reason is reason]
