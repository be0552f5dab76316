"""What the pages of an agent and of the daemon itself tell in detail, in Chromium."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

OpenPage = Callable[..., Awaitable[Any]]
ViolationsOf = Callable[[Any], Awaitable[list[str]]]
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def say(site: Any, session: str | None, kind: str, **data: Any) -> None:
    event = {"agentId": "worker", "type": kind, "data": data, **({"sessionId": session} if session else {})}
    await site.ask("POST", "/api/events", event)


async def test_the_cost_of_today_stands_against_its_limit(site: Any, open_page: OpenPage) -> None:
    await site.report("limited", "cost", costUsd=1.7)
    await site.report("ordinary", "cost", costUsd=1)
    page = await open_page()
    await page.get_by_label("$1.70 since midnight, of $2.00 a day").wait_for()
    await page.get_by_label("$1.00 in all, of $10.00").wait_for()
    await site.report("limited", "cost", costUsd=1)
    await page.get_by_label("$2.70 since midnight, of $2.00 a day").wait_for()
    await page.locator(".gauge.over").wait_for()
    await page.goto(site.url + "/agents/limited")
    await page.locator(".tiles").get_by_text("of $2.00").wait_for()


async def test_the_timeline_is_parted_by_sessions_and_turns(site: Any, open_page: OpenPage) -> None:
    for session, asked in (("first", "make it"), ("second", "mend <b>it</b>"), ("second", "ship it")):
        await say(site, session, "message", role="user", message=asked)
        await say(site, session, "tool_call", toolName=f"tool for {asked}", ok=asked != "ship it", durationMs=5)
        await say(site, session, "heartbeat")
    page = await open_page("/agents/worker")
    timeline = page.get_by_role("region", name="Timeline")
    turns = timeline.locator("details:has(> summary > b)").filter(has=page.locator(".facts")).locator("> summary b")
    await timeline.locator("summary b", has_text="ship it").first.wait_for()
    assert await timeline.locator(".session").all_inner_texts() == ["session second", "session first"]
    heads = [text for text in await turns.all_inner_texts() if text in ("make it", "mend <b>it</b>", "ship it")]
    assert heads == ["ship it", "mend <b>it</b>", "make it"]
    newest = timeline.locator("details", has=page.locator("summary b", has_text="ship it")).first
    await newest.get_by_text("1 failed").first.wait_for()
    await newest.get_by_text("1 sign of life").wait_for()
    await say(site, "second", "message", role="user", message="once more")
    await timeline.locator("summary b", has_text="once more").first.wait_for()


async def test_latency_is_shown_as_percentiles(site: Any, open_page: OpenPage) -> None:
    for ms in (100, 200, 300, 4_000):
        await say(site, None, "tool_call", toolName="x", durationMs=ms)
    page = await open_page("/agents/worker")
    chart = page.locator("figure").filter(has=page.get_by_label("Latency percentiles over time"))
    await chart.get_by_text("p50").wait_for()
    await chart.get_by_text("p99").wait_for()
    assert "4.0 s" in await chart.inner_text()


async def test_a_pause_is_said_to_be_confirmed_when_it_is(site: Any, open_page: OpenPage) -> None:
    await site.report("worker")
    page = await open_page("/agents/worker")
    controls = page.locator(".controls")
    await controls.get_by_text("asked, and it answers").wait_for()
    await page.get_by_role("button", name="Pause").click()
    await controls.get_by_text("asked to pause").wait_for()
    [command] = (await site.ask("GET", "/api/agents/worker/commands"))["commands"]
    await site.ask("POST", f"/api/commands/{command['id']}/result", {"state": "confirmed"})
    await controls.locator(".sure").wait_for()


async def test_the_configuration_is_searched_and_shows_no_secret(site: Any, open_page: OpenPage) -> None:
    page = await open_page("/system")
    config = page.get_by_role("region", name="Configuration in force")
    await config.get_by_role("button", name="server").click()
    await config.get_by_text(str(site.port)).wait_for()
    await config.get_by_label("Search settings").fill("limited")
    await config.get_by_text("match").wait_for()
    assert await config.get_by_text("server").count() == 0
    await config.get_by_label("Search settings").fill("keys")
    await config.get_by_text("(hidden)").first.wait_for()
    assert site.running.key not in await page.content()


async def test_a_login_link_pasted_over_the_login_page_logs_in(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page()
    await page.goto("about:blank")
    await page.context.clear_cookies()
    await page.goto(site.url + "/login")
    await page.get_by_text("needs a login link").wait_for()
    await page.evaluate("window.isStillThisPage = true")
    link = await site.login_link()
    await page.evaluate("hash => { location.hash = hash }", link.partition("#")[2])
    await page.wait_for_url(site.url + "/")
    await page.locator("[data-agent]").filter(has_text="nightly").wait_for()


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_the_details_shut_nobody_out(
    site: Any, open_page: OpenPage, violations_of: ViolationsOf, scheme: str
) -> None:
    await say(site, "s", "message", role="user", message="make it")
    await say(site, "s", "tool_call", toolName="x", ok=False, durationMs=12)
    await say(site, "s", "run", runId="r", status="running", progress=0.5)
    page = await open_page("/agents/worker", color_scheme=scheme, bypass_csp=True)
    await page.locator("summary b", has_text="make it").first.wait_for()
    await page.get_by_label("Latency percentiles over time").wait_for()
    found = await violations_of(page)
    await page.goto(site.url + "/system")
    await page.get_by_role("button", name="Unfold all").click()
    await page.get_by_text("(hidden)").first.wait_for()
    assert found + await violations_of(page) == []
