"""The alerts of this rule that fire when it opens."""

from __future__ import annotations

from clawatch.domain.access import CORE
from clawatch.domain.alerts import AlertState
from clawatch.ports import AlertFilter, QueriesPort

_PAGE = 500


async def read_open(queries: QueriesPort, rule: str) -> dict[str, set[str]]:
    """Their subjects, by agent."""
    found: dict[str, set[str]] = {}
    cursor: str | None = None
    while True:
        page = await queries.alerts(CORE, AlertFilter(state=AlertState.FIRING), cursor, _PAGE)
        for alert in page.items:
            if alert.rule == rule:
                found.setdefault(alert.agent_id, set()).add(alert.subject)
        cursor = page.next
        if cursor is None:
            return found
