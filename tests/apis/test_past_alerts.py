"""What a rule has left open: it must be able to end all of it."""

from __future__ import annotations

from pathlib import Path

from clawatch.apis.past_alerts import open_subjects
from clawatch.domain.access import CORE
from clawatch.domain.alerts import AlertState
from clawatch.domain.events import Event, EventType
from clawatch.testing.app import run_app

RULES = {"crash_loop": {"enabled": False}, "error_spike": {"more_than": 1, "for": "1h"}}


async def test_an_alert_that_does_not_fire_yet_is_open_as_well(tmp_path: Path) -> None:
    async with run_app(tmp_path, {"rules": RULES}) as app:
        now = app.clock.now().wall
        error = Event(agent_id="a", type=EventType.ERROR, at=now, error="broken")
        await app.daemon.core.ingest.accept([error, error, error], CORE)
        await app.settle()
        queries = app.daemon.core.queries
        assert [alert.state for alert in queries.open_alerts("error_spike")] == [AlertState.PENDING]
        assert open_subjects(queries, "error_spike") == {"a": {""}}
        assert open_subjects(queries, "stuck") == {}
