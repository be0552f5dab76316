"""What a rule has left open when it begins."""

from __future__ import annotations

from clawatch.domain.access import CORE
from clawatch.domain.alerts import Alert, AlertState
from clawatch.ports import AlertFilter, QueriesPort

_PAGE = 500


async def firing_alerts(queries: QueriesPort, rule: str) -> tuple[Alert, ...]:
    """The alerts of a rule that fire, newest first; for a rule's factory."""
    found: list[Alert] = []
    cursor: str | None = None
    while True:
        page = await queries.alerts(CORE, AlertFilter(state=AlertState.FIRING), cursor, _PAGE)
        found += [alert for alert in page.items if alert.rule == rule]
        cursor = page.next
        if cursor is None:
            return tuple(found)


async def open_subjects(queries: QueriesPort, rule: str) -> dict[str, set[str]]:
    """Their subjects, by agent: for a rule that cannot see from the last hour which of them still hold."""
    found: dict[str, set[str]] = {}
    for alert in await firing_alerts(queries, rule):
        found.setdefault(alert.agent_id, set()).add(alert.subject)
    return found
