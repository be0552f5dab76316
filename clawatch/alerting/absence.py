"""Our own absence: nobody watched meanwhile, and those who rely on it are told so."""

from __future__ import annotations

from collections.abc import Sequence

from clawatch.domain.alerts import Reason, Severity
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.ids import new_id
from clawatch.domain.time import MINUTE, Millis, say_duration

WORTH_TELLING: Millis = 2 * MINUTE
"""A restart is not; what agents send meanwhile comes late, from their spools."""


def rows_about(downtime: Millis, notifiers: Sequence[str], now: Millis) -> tuple[Outgoing, ...]:
    """A notice to every notifier, whatever the routes say, when we were away for longer than a restart takes."""
    if downtime <= WORTH_TELLING:
        return ()
    text = f"ClaWatch was away for {say_duration(downtime)}. Nothing was watched meanwhile."
    return tuple(
        Outgoing(
            id=new_id("out", now), notifier=name, thread=new_id("notice", now), reason=Reason.NOTICE,
            created_at=now, next_at=now, severity=Severity.WARNING, text=text,
        )
        for name in notifiers
    )
