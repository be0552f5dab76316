"""What a rule has left open when it begins."""

from __future__ import annotations

from clawatch.ports import QueriesPort


def open_subjects(queries: QueriesPort, rule: str) -> dict[str, set[str]]:
    """The subjects of its open alerts, by agent: whatever it has raised, it must be able to end.

    For a rule's factory, and for rules that cannot see from the last hour which of their alerts still hold.
    """
    found: dict[str, set[str]] = {}
    for alert in queries.open_alerts(rule):
        found.setdefault(alert.agent_id, set()).add(alert.subject)
    return found
