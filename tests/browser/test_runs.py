"""Runs in Chromium: what goes on, what became of it, and who won."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

OpenPage = Callable[..., Awaitable[Any]]
WidthOf = Callable[[Any], Awaitable[tuple[int, int]]]
ViolationsOf = Callable[[Any], Awaitable[list[str]]]
pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE = {"width": 390, "height": 844}
IMAGE = "<img src=x onerror=alert(1)>"
TURNED = "a\u202eexe.fdp\u2066"
LONG = "long" * 2_500


async def report(site: Any, agent: str, run: str, **data: Any) -> None:
    await site.ask("POST", "/api/events", {"agentId": agent, "type": "run", "data": {"runId": run, **data}})


def line(page: Any, text: str) -> Any:
    return page.locator("[data-run]").filter(has_text=text)


async def test_a_run_is_followed_from_its_start_to_its_end(site: Any, open_page: OpenPage) -> None:
    await report(site, "builder", "r0", kind="task", status="completed", input={"prompt": "the old one"})
    page = await open_page("/runs")
    await line(page, "the old one").wait_for()
    await page.get_by_text("Nothing runs and nothing waits.").wait_for()
    await report(site, "builder", "r1", kind="inference", status="running", stage="load", progress=0.25,
                 input={"prompt": "the new one"})
    going = page.get_by_role("region", name="Going on").locator("[data-run]").filter(has_text="the new one")
    await going.get_by_text("25 %").wait_for()
    await going.get_by_text("load").wait_for()
    await report(site, "builder", "r1", status="failed", error="no room on the disk")
    over = page.get_by_role("region", name="Over").locator("[data-run]").filter(has_text="the new one")
    await over.get_by_text("no room on the disk").wait_for()
    await over.get_by_text("failed", exact=True).wait_for()
    await going.wait_for(state="detached")


async def test_runs_are_filtered_by_kind_status_and_agent(site: Any, open_page: OpenPage) -> None:
    for agent, kind, status in (("a", "task", "running"), ("a", "inference", "failed"), ("b", "task", "completed")):
        await report(site, agent, f"{agent} {kind}", kind=kind, status=status)
    page = await open_page("/runs")
    await line(page, "b task").wait_for()
    await page.get_by_label("Kind").select_option("inference")
    await line(page, "b task").wait_for(state="detached")
    await line(page, "a inference").wait_for()
    await page.get_by_label("Kind").select_option("")
    await page.get_by_label("Status").select_option("completed")
    await line(page, "b task").wait_for()
    await line(page, "a task").wait_for(state="detached")
    await page.get_by_label("Status").select_option("")
    await page.get_by_label("Search runs, or an agent").fill("a")
    await page.get_by_label("Search runs, or an agent").press("Enter")
    await page.wait_for_url(site.url + "/runs?agent=a")
    await line(page, "a task").wait_for()
    assert await line(page, "b task").count() == 0
    await page.get_by_label("Runs of all agents").click()
    await line(page, "b task").wait_for()


async def test_a_run_shows_its_stages_its_parent_and_its_parts(site: Any, open_page: OpenPage) -> None:
    await report(site, "boss", "whole", kind="pipeline", status="running", stage="plan", input={"title": "the whole"})
    await report(site, "boss", "part", kind="task", status="running", parentRunId="whole", input="the part")
    page = await open_page("/runs/whole?agent=boss")
    await line(page, "the part").wait_for()
    stages = page.get_by_role("region", name="Stages").locator("li")
    await stages.filter(has_text="plan").wait_for()
    await report(site, "boss", "whole", stage="build", progress=0.5)
    await stages.filter(has_text="build").wait_for()
    await report(site, "hand", "later", kind="task", status="pending", parentRunId="whole", input="a later part")
    await line(page, "a later part").wait_for()
    await report(site, "boss", "whole", status="completed", result={"built": ["a", "b"]})
    await page.locator("pre", has_text='"built"').wait_for()
    await line(page, "the part").click()
    await page.get_by_role("heading", name="the part").wait_for()
    await page.get_by_role("link", name="pipeline").click()
    await page.get_by_role("heading", name="the whole").wait_for()


async def test_two_agents_runs_of_one_id_are_told_apart(site: Any, open_page: OpenPage) -> None:
    for agent in ("first", "second"):
        await report(site, agent, "nightly", status="running", input=f"by the {agent}")
    page = await open_page("/runs")
    await line(page, "by the first").click()
    await page.get_by_role("heading", name="by the first").wait_for()
    assert page.url == site.url + "/runs/nightly?agent=first"


async def test_a_competition_is_a_ranking(site: Any, open_page: OpenPage) -> None:
    entries = [
        {"provider": "slow", "agentId": "s", "runId": "e2", "rank": 2, "scores": {"total": 6.5}, "response": IMAGE},
        {"provider": "quick", "agentId": "q", "runId": "e1", "rank": 1, "scores": {"total": 8.25}, "latencyMs": 420,
         "costUsd": 0.02, "response": "forty-two " * 100},
    ]  # fmt: skip
    result = {"entries": entries, "winner": "quick", "reasoning": "it says more", "confidence": 0.9}
    await report(site, "judge", "c", kind="competition", status="completed", input={"prompt": "why?"}, result=result)
    page = await open_page("/runs/c?agent=judge")
    rows = page.get_by_role("region", name="Ranking").locator("tbody tr")
    await rows.first.get_by_text("quick").wait_for()
    assert [await rows.nth(at).locator("td").nth(2).inner_text() for at in (0, 1)] == ["8.25", "6.5"]
    await page.get_by_text("it says more").wait_for()
    await rows.nth(1).get_by_text(IMAGE).wait_for()


@pytest.mark.parametrize("path", ["/runs", "/runs/r?agent=talker"])
async def test_whatever_a_run_is_called_is_text_and_stays_in_its_place(
    site: Any, open_page: OpenPage, width_of: WidthOf, path: str
) -> None:
    words = {"kind": IMAGE, "stage": TURNED + IMAGE, "input": LONG, "result": {IMAGE: LONG, "t": TURNED}}
    await report(site, "talker", "r", status="running", progress=0.5, **words)
    await report(site, "talker", "r", status="failed", error=IMAGE + LONG)
    await report(site, IMAGE, LONG[:180], status="running", **words)
    page = await open_page(path, **PHONE)
    await page.locator("main .panel").get_by_text("onerror").first.wait_for()
    wide, seen = await width_of(page)
    assert wide <= seen
    assert await page.locator("img[src=x]").count() == 0
    if path != "/runs":
        await page.get_by_role("button", name="Show more").first.click()
        assert LONG in await page.locator("main").inner_text()


async def test_runs_are_reached_by_keyboard(site: Any, open_page: OpenPage) -> None:
    await report(site, "a", "r1", status="running", input="chosen by key")
    page = await open_page("/system")
    await page.get_by_role("heading", name="System").wait_for()
    await page.keyboard.press("r")
    await line(page, "chosen by key").wait_for()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="chosen by key").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("heading", name="Runs").wait_for()
    await page.keyboard.press("g")
    await page.wait_for_url(site.url + "/")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [{}, PHONE])
async def test_runs_shut_nobody_out(
    site: Any, open_page: OpenPage, violations_of: ViolationsOf, scheme: str, size: dict[str, int]
) -> None:
    await report(site, "a", "whole", kind="pipeline", status="running", stage="build", progress=0.4, input={"q": "why"})
    await report(site, "a", "part", status="failed", parentRunId="whole", error="no disk", result="nothing")
    await report(site, "a", "waits", status="pending")
    page = await open_page(color_scheme=scheme, bypass_csp=True, **size)
    for path in ("/runs", "/runs/whole?agent=a", "/runs/part?agent=a"):
        await page.goto(site.url + path)
        await page.locator("main .panel .line, main pre").first.wait_for()
        assert await violations_of(page) == []
