"""What anybody may ask."""

from __future__ import annotations

from typing import Any

from clawatch.pulse import Pulse
from clawatch.testing.clock import FakeClock


async def test_health_is_open_and_says_how_we_are(site: Any, clock: FakeClock) -> None:
    """CW-62"""
    clock.advance(90_500)
    answer = await site.ask("GET", "/health")
    body = await answer.json()
    assert answer.status == 200
    assert body["status"] == "ok"
    assert body["timestamp"] == "2026-03-09T14:01:30.500Z"
    assert isinstance(body["version"], str)
    assert body["uptime"] == 90.5
    assert body["services"] == {"store": "ok", "notifiers.telegram": "running"}
    assert "secret" not in await answer.text(), "states only: anybody may read this"


async def test_a_store_that_takes_nothing_is_degraded_and_not_ready_but_alive(site: Any) -> None:
    site.queries.store_ok = False
    health = await site.ask("GET", "/health")
    assert (health.status, (await health.json())["status"]) == (200, "degraded")
    assert (await site.ask("GET", "/readyz")).status == 503
    assert (await site.ask("GET", "/livez")).status == 200


async def test_health_answers_even_when_nobody_can_say_how_we_are(site: Any) -> None:
    site.queries.failure = RuntimeError("broken")
    health = await site.ask("GET", "/health")
    assert (health.status, (await health.json())["status"]) == (200, "degraded")
    assert (await site.ask("GET", "/readyz")).status == 503


async def test_readiness_is_200_when_events_can_be_stored(site: Any) -> None:
    assert (await site.ask("GET", "/readyz")).status == 200


async def test_a_loop_that_does_not_get_on_is_told_and_we_are_neither_alive_nor_ready(site_with: Any) -> None:
    pulse = Pulse(patience=0.0)
    site = await site_with(pulse=pulse)
    assert (await site.ask("GET", "/livez")).status == 200
    pulse.beat("rules", busy=-1.0)
    answer = await site.ask("GET", "/livez")
    assert (answer.status, await answer.json()) == (503, {"status": "stalled", "late": ["rules"]})
    assert (await site.ask("GET", "/readyz")).status == 503
    pulse.forget("rules")
    assert (await site.ask("GET", "/readyz")).status == 200
