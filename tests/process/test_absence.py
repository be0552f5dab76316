"""Nobody watched while we were away, and those who rely on it are told."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

from clawatch.alerting.absence import WORTH_TELLING, rows_about
from clawatch.domain.time import HOUR, MINUTE


def test_a_restart_is_not_worth_telling() -> None:
    assert rows_about(WORTH_TELLING, ["a", "b"], 10 * HOUR) == ()
    rows = rows_about(3 * HOUR + 5 * MINUTE, ["a", "b"], 10 * HOUR)
    assert [row.notifier for row in rows] == ["a", "b"]
    assert rows[0].text == "ClaWatch was away for 3 h 5 min. Nothing was watched meanwhile."


async def test_after_a_long_absence_every_notifier_hears_of_it_once(
    launcher: Any, receiver: Any, until: Any
) -> None:
    config = {
        "notifiers": {"hook": {"use": "webhook", "url": receiver.url}},
        "routes": [{"match": {"severity": "critical"}, "notifiers": ["hook"]}],
    }
    daemon = await launcher.start(config)
    assert await daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(launcher.home / "data" / "clawatch.db", isolation_level=None)) as con:
        con.execute("UPDATE secrets SET value = CAST(value AS INTEGER) - ? WHERE name = 'alive_at'", (3 * HOUR,))

    async def is_told() -> list[dict[str, Any]]:
        return [one for one in receiver.heard if "away" in str(one)]

    for _ in range(2):
        daemon = await launcher.start(config)
        [told] = await until(is_told)
        assert "ClaWatch was away for 3 h" in str(told)
        assert await daemon.stop() == 0
