"""What a scraper gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from clawatch.testing.app import App, run_app
from clawatch.testing.clock import FakeClock

HOSTILE = 'x"} 1\nclawatch_events_total{source="forged'


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path, {"storage": {"use": "sqlite"}}) as app:
        yield app


class Scrape:
    """Values by sample name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(parse_text(text))
        self.names = {family.name for family in families}
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families for sample in family.samples
        }

    def __call__(self, name: str, /, **labels: str) -> float:
        return self.values[name, tuple(sorted(labels.items()))]

    def sum(self, name: str) -> float:
        return sum(value for (found, _), value in self.values.items() if found == name)


async def scrape(app: App) -> Scrape:
    async with (
        ClientSession(headers={"X-ClaWatch-Key": app.key}) as session, session.get(f"{app.url}/metrics") as answer
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return Scrape(await answer.text())


async def post(app: App, body: Any) -> int:
    async with (
        ClientSession(headers={"X-ClaWatch-Key": app.key}) as session,
        session.post(f"{app.url}/api/events", json=body) as answer,
    ):
        return answer.status


async def test_events_are_counted_by_source_and_outcome(app: App) -> None:
    beat = {"agentId": "a", "type": "heartbeat", "id": "1"}
    assert await post(app, [beat, {**beat, "id": "2"}]) == 201
    assert await post(app, beat) == 201
    figures = await scrape(app)
    assert figures("clawatch_events_total", source="clawatch", outcome="accepted") == 2
    assert figures("clawatch_events_total", source="clawatch", outcome="duplicate") == 1
    assert figures("clawatch_ingest_seconds_count") == 2
    assert figures("clawatch_ingest_seconds_bucket", le="+Inf") == 2


async def test_what_the_daemon_knows_of_itself_is_there(app: App) -> None:
    await post(app, {"agentId": "a", "type": "heartbeat"})
    await post(app, [{"agentId": "a", "type": "error", "data": {"error": "no"}}] * 4)
    await app.settle()
    figures = await scrape(app)
    assert figures.sum("clawatch_agents") == 1
    assert figures("clawatch_agents", status="stuck") == 0
    assert figures("clawatch_alerts_firing", severity="critical") == 1
    assert figures("clawatch_journal_head") >= 5
    assert figures("clawatch_rules_lag") <= 1
    assert figures("clawatch_outbox_size") == 0
    assert figures("clawatch_outbox_age_seconds") == 0
    assert figures("clawatch_store_up") == 1
    assert figures("clawatch_store_size_bytes") > 0
    assert figures("clawatch_store_commits_total") > 0
    assert figures("clawatch_store_commit_seconds_total") > 0
    assert figures("clawatch_degraded") == 0
    assert figures("clawatch_plugin_state", plugin="metrics", state="loaded") == 1
    assert figures("clawatch_part_state", section="rules", name="stuck", state="ok") == 1
    assert figures("process_resident_memory_bytes") > 1_000_000
    assert figures("process_open_fds") > 3
    assert figures("clawatch_http_turned_away_total", reason="malformed") == 0
    assert figures.sum("clawatch_metrics_failed_total") == 0


async def test_requests_are_counted_by_route_never_by_path(app: App) -> None:
    async with ClientSession() as session:
        for path in ("/api/agents/one", "/api/agents/two", f"/no/{HOSTILE}"):
            async with session.get(app.url + path) as answer:
                assert answer.status in (401, 404)
        async with session.request("PROPFIND", app.url + "/api/agents") as answer:
            assert answer.status == 405
    figures = await scrape(app)
    assert figures("clawatch_http_requests_total", method="GET", route="/api/agents/{id}", status="401") == 2
    assert figures("clawatch_http_requests_total", method="GET", route="unmatched", status="404") == 1
    assert figures("clawatch_http_requests_total", method="other", route="unmatched", status="405") == 1
    assert "forged" not in figures.text


async def test_a_wrong_key_counts_as_a_refused_login(app: App) -> None:
    async with (
        ClientSession(headers={"X-ClaWatch-Key": "cw_wrong"}) as session, session.get(f"{app.url}/metrics") as answer
    ):
        assert answer.status == 401
    assert (await scrape(app))("clawatch_logins_refused_total", reason="wrong") == 1


async def test_websockets_are_counted_while_open_and_when_they_end(app: App) -> None:
    async with ClientSession(headers={"X-ClaWatch-Key": app.key}) as session:
        ws = await session.ws_connect(f"{app.url}/ws")
        await ws.send_json({"type": "subscribe", "topics": ["events"]})
        await ws.receive_json()
        assert (await scrape(app))("clawatch_websocket_sessions", route="/ws") == 1
        await ws.close()
        while not (figures := await scrape(app)).sum("clawatch_websocket_ended_total"):
            pass
    assert figures("clawatch_websocket_ended_total", route="/ws", reason="by_client") == 1
    assert figures.sum("clawatch_websocket_sessions") == 0


async def test_deliveries_are_counted_by_notifier_and_outcome(tmp_path: Path, clock: FakeClock) -> None:
    config = {"notifiers": {"hook": {"use": "webhook", "url": "http://127.0.0.1:9/"}}}
    async with (
        run_app(tmp_path, config) as app, ClientSession(headers={"X-ClaWatch-Key": app.key}) as session,
        session.post(f"{app.url}/api/notifiers/hook/test") as answer,
    ):
        assert answer.status == 503
        assert (await scrape(app))("clawatch_deliveries_total", notifier="hook", outcome="retry") == 1


async def test_openmetrics_is_spoken_to_who_asks_for_it(app: App) -> None:
    await post(app, {"agentId": "a", "type": "heartbeat"})
    accept = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5", "X-ClaWatch-Key": app.key}
    async with ClientSession(headers=accept) as session, session.get(f"{app.url}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        names = {family.name for family in parse_openmetrics(await answer.text())}
    assert {"clawatch_events", "clawatch_ingest_seconds", "clawatch_agents"} <= names


async def test_a_key_that_may_only_send_may_not_read_figures(app: App) -> None:
    key = await app.daemon.access.create_key("sender", ["ingest"], ["*"], "", None)  # type: ignore[list-item]
    for headers, status in (({}, 401), ({"X-ClaWatch-Key": key}, 403)):
        async with ClientSession(headers=headers) as session, session.get(f"{app.url}/metrics") as answer:
            assert answer.status == status


async def test_every_figure_begins_with_our_name_and_has_words(app: App) -> None:
    for family in await app.daemon.core.metrics.gather():
        assert family.name.startswith("clawatch_")
        assert len(family.help) > 10, family.name
