"""What people do with the dashboard, in Chromium."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

OpenPage = Callable[..., Awaitable[Any]]
WidthOf = Callable[[Any], Awaitable[tuple[int, int]]]
ViolationsOf = Callable[[Any], Awaitable[list[str]]]
pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE = {"width": 390, "height": 844}
HOSTILE = ["<img src=x onerror=alert(1)>", "\"'><script>alert(2)</script>", "x" * 200, "שלום עולם", "{{7*7}}${7*7}"]


def row(page: Any, agent: str) -> Any:
    return page.locator("[data-agent]").filter(has_text=agent)


async def test_a_one_time_link_leads_to_the_fleet(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page()
    await row(page, "nightly").wait_for()
    assert await page.title() == "Fleet · ClaWatch"


async def test_without_a_login_the_page_asks_for_one_and_then_goes_where_it_was_wanted(
    site: Any, open_page: OpenPage
) -> None:
    alert = await site.alert()
    page = await open_page()
    await page.goto("about:blank")  # nothing may still be asking
    await page.context.clear_cookies()
    await page.goto(f"{site.url}/alerts/{alert}")
    await page.wait_for_url(site.url + "/login")
    link = await page.context.new_page()  # as a link from a chat opens
    await link.goto(await site.login_link())
    await link.wait_for_url(f"{site.url}/alerts/{alert}")
    await link.get_by_role("button", name="Acknowledge", exact=True).wait_for()


async def test_what_an_agent_does_is_shown_without_asking_again(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page()
    await row(page, "nightly").get_by_text("running").wait_for()
    await page.evaluate("window.isStillThisPage = true")
    await site.report("nightly", "status_change", status="error")
    await row(page, "nightly").get_by_text("error", exact=True).wait_for()
    await site.report("newcomer")
    await row(page, "newcomer").wait_for()
    assert await page.evaluate("window.isStillThisPage")


async def test_the_first_event_turns_the_first_page_green(site: Any, open_page: OpenPage) -> None:
    page = await open_page()
    await page.get_by_role("button", name="Make a key").click()
    await page.get_by_role("tab", name="curl").click()
    said = await page.locator("pre").inner_text()
    key = said.partition("X-ClaWatch-Key: ")[2].partition("'")[0]
    await page.get_by_role("tab", name="Claude Code").click()
    written = (await page.locator("pre").inner_text()).replace(" \\\n ", "")
    assert written == f"clawatch connect claude-code --url {site.url} --key {key} --write"
    keys = (await site.ask("GET", "/api/keys"))["keys"]
    assert [one["scopes"] for one in keys if not one["fixed"]] == [["ingest"]]
    assert key.startswith("cw_")
    assert site.url in said
    await site.report("first-agent")
    await page.get_by_text("It is here:").wait_for()
    await page.get_by_role("button", name="Show the fleet").click()
    await row(page, "first-agent").wait_for()


async def test_a_pause_by_button_is_in_the_api(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page("/agents/nightly")
    await page.get_by_role("button", name="Pause").click()
    await page.locator(".command", has_text="asked to pause").first.wait_for()
    assert (await site.ask("GET", "/api/agents/nightly"))["control"]["wanted"] == "paused"
    await page.get_by_role("button", name="Resume").wait_for()


async def test_a_stop_is_asked_back_first(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page("/agents/nightly")
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Keep it running").click()
    assert (await site.ask("GET", "/api/agents/nightly"))["control"]["wanted"] == "run"
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Stop it").click()
    await page.locator(".command", has_text="asked to stop").first.wait_for()
    assert (await site.ask("GET", "/api/agents/nightly"))["control"]["wanted"] == "stopped"


async def test_the_page_behind_an_alert_acknowledges_and_silences_on_a_phone(
    site: Any, open_page: OpenPage, width_of: WidthOf
) -> None:
    alert = await site.alert()
    page = await open_page(f"/alerts/{alert}", **PHONE)
    await page.get_by_role("heading", name="errors within 1 minute").wait_for()
    await page.get_by_text("it broke: 3").first.wait_for()
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    await page.get_by_text("Acknowledged by").wait_for()
    assert (await site.ask("GET", f"/api/alerts/{alert}"))["acknowledged"]
    await page.get_by_role("button", name="Silence …").click()
    await page.get_by_text("4 h", exact=True).click()
    await page.get_by_label("Reason").fill("known, <b>really</b>")
    await page.get_by_role("button", name="Silence", exact=True).click()
    await page.get_by_text("“known, <b>really</b>”").wait_for()
    (silence,) = (await site.ask("GET", "/api/silences"))["silences"]
    assert (silence["alertId"], silence["reason"]) == (alert, "known, <b>really</b>")
    wide, seen = await width_of(page)
    assert wide <= seen


async def test_an_alert_comes_and_is_acknowledged_by_keyboard(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page("/alerts")
    await page.get_by_text("Nothing fires").wait_for()
    alert = await site.alert()
    await page.locator(f"[data-alert={alert}]").wait_for()
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await page.get_by_text("acknowledged").first.wait_for()
    assert (await site.ask("GET", f"/api/alerts/{alert}"))["acknowledged"]


@pytest.mark.parametrize("path", ["/", "/agents/", "/alerts", "/costs", "/system"])
async def test_whatever_an_agent_is_called_is_text_and_breaks_no_page(
    site: Any, open_page: OpenPage, width_of: WidthOf, path: str
) -> None:
    """A dialog, an error on the console or a request elsewhere fails this test when the page is closed."""
    for name in HOSTILE:
        event = {"agentId": name, "host": name, "kind": name[:100], "type": "tool_call", "labels": {name[:60]: name},
                 "data": {"toolName": name, "ok": False, "error": name * 50, "model": name}}
        await site.ask("POST", "/api/events", event)
        await site.report(name, "cost", costUsd=1, model=name[:100], inputTokens=10)
        await site.alert(name)
    wanted = path + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E" if path == "/agents/" else path
    page = await open_page(wanted, **PHONE)
    await page.locator("b, h1, h2, a").filter(has_text="Parts" if path == "/system" else "<img src=x").first.wait_for()
    wide, seen = await width_of(page)
    assert wide <= seen
    assert await page.locator("img[src=x]").count() == 0


async def test_a_text_of_ten_thousand_characters_stays_in_its_place(
    site: Any, open_page: OpenPage, width_of: WidthOf
) -> None:
    await site.report("talker", "error", message="long" * 2_500)
    page = await open_page("/agents/talker", **PHONE)
    await page.locator("summary").filter(has_text="longlong").click()
    await page.locator("pre.error").wait_for()
    assert len(await page.locator("pre.error").inner_text()) >= 8_000, "as much as is kept"
    wide, seen = await width_of(page)
    assert wide <= seen


@pytest.mark.parametrize("path", ["/", "/agents/nightly", "/alerts", "/costs", "/system"])
async def test_no_page_is_wider_than_a_phone(site: Any, open_page: OpenPage, width_of: WidthOf, path: str) -> None:
    await site.alert("nightly")
    await site.report("nightly", "cost", model="claude-opus-4-5", inputTokens=10_000, outputTokens=100)
    page = await open_page(path, **PHONE)
    await page.locator("main h1").wait_for()
    await page.locator("main .panel").first.wait_for()
    wide, seen = await width_of(page)
    assert wide <= seen


async def test_a_lost_connection_is_said_and_made_up_for(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page()
    await row(page, "nightly").get_by_text("running").wait_for()
    await page.get_by_text("Live", exact=True).wait_for()
    await page.evaluate("window.isStillThisPage = true")
    await site.stop()
    await page.get_by_text("What you see is").wait_for()
    await row(page, "nightly").wait_for()
    await site.start()
    await site.report("nightly", "status_change", status="error")
    await page.get_by_text("Live", exact=True).wait_for()
    await row(page, "nightly").get_by_text("error", exact=True).wait_for()
    await page.get_by_text("What you see is").wait_for(state="detached")
    assert await page.evaluate("window.isStillThisPage")


async def test_five_thousand_agents_are_listed_sought_and_scrolled(site: Any, open_page: OpenPage) -> None:
    for first in range(0, 5_000, 1_000):
        names = [f"agent-{number:04}" for number in range(first, first + 1_000)]
        await site.ask("POST", "/api/events", [{"agentId": name, "type": "heartbeat"} for name in names])
    page = await open_page()
    await page.get_by_text("5,000 agents").wait_for()
    assert await page.locator("[data-agent]").count() < 100, "only those in sight are drawn"
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await row(page, "agent-4999").wait_for()
    await page.evaluate("scrollTo(0, 0)")
    await page.keyboard.press("/")
    await page.keyboard.type("agent-2345")
    await page.get_by_text("1 of 5,000 agents").wait_for()
    await row(page, "agent-2345").click()
    await page.get_by_role("heading", name="agent-2345").wait_for()


async def test_the_first_load_is_small(site: Any, open_page: OpenPage) -> None:
    await site.report("nightly")
    page = await open_page()
    await row(page, "nightly").wait_for()
    await page.reload()
    await row(page, "nightly").wait_for()
    loads = "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
    own = r"one => /\/(assets\/.*)?$/.test(one.name)"
    sizes = await page.evaluate(f"{loads}.filter({own}).map(one => one.encodedBodySize)")
    assert len(sizes) >= 4
    assert 10_000 < sum(sizes) < 120 * 1024


async def test_a_key_is_made_shown_once_and_revoked(site: Any, open_page: OpenPage) -> None:
    page = await open_page("/system")
    await page.get_by_role("button", name="New key").click()
    await page.get_by_label("Name").fill("laptop")
    await page.get_by_role("button", name="Make it").click()
    assert (await page.locator(".made code").inner_text()).startswith("cw_")
    await page.get_by_role("button", name="Done").click()
    assert "cw_" not in await page.locator("body").inner_text()
    await page.get_by_role("button", name="Revoke", exact=True).click()
    await page.get_by_role("button", name="Revoke it").click()
    await page.get_by_text("laptop is revoked").wait_for()
    assert [key["name"] for key in (await site.ask("GET", "/api/keys"))["keys"]] == ["ops"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [{}, PHONE])
async def test_no_page_shuts_anybody_out(
    site: Any, open_page: OpenPage, violations_of: ViolationsOf, scheme: str, size: dict[str, int]
) -> None:
    page = await open_page(color_scheme=scheme, bypass_csp=True, **size)
    await page.get_by_text("Connect your first agent").wait_for()
    found = {"first": await violations_of(page)}
    alert = await site.alert("nightly")
    await site.report("nightly", "cost", model="claude-opus-4-5", inputTokens=10_000, outputTokens=100)
    for path in ("/", f"/alerts/{alert}", "/agents/nightly", "/alerts", "/costs", "/system"):
        await page.goto(site.url + path)
        await page.locator("main .panel").first.wait_for()
        found[path] = await violations_of(page)
    assert {path: some for path, some in found.items() if some} == {}
