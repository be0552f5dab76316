"""Recordings in Chromium: listed, played, sought."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

OpenPage = Callable[..., Awaitable[Any]]
WidthOf = Callable[[Any], Awaitable[tuple[int, int]]]
ViolationsOf = Callable[[Any], Awaitable[list[str]]]
pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE = {"width": 390, "height": 844}
NODE = "00000000-0000-0000-0000-0000000a9e27"
IMAGE = "<img src=x onerror=alert(1)>"
TURNED = "a\u202eexe.fdp\u2066"


def simulation(last: int = 100, **header: Any) -> list[dict[str, Any]]:
    """What spreads among two segments; an agent takes it up at tick 50, and the press writes of it at tick 30."""
    def tick(number: int) -> dict[str, Any]:
        share = number / last
        return {
            "kind": "tick", "tick": number, "metrics": {"adoption": share, "mood": 1 - share},
            "by_segment": {"adoption": {"early": share, "late": share / 2}}, "world_state": {"confidence": number},
        }  # fmt: skip

    return [
        {"kind": "recording", "node_id": NODE, "run_id": "spreading", "metrics": ["adoption", "mood"],
         "segments": ["early", "late"], **header},
        {"kind": "agent", "agent_id": "hero", "persona_name": "Hero", "segment": "early"},
        *(tick(number) for number in range(last + 1)),
        {"kind": "step", "tick": 0, "agent_id": "hero", "state": {"trust": 0.1}},
        {"kind": "step", "tick": last // 2, "agent_id": "hero", "state": {"trust": 0.9}, "action": "adopted",
         "reasoning": "a friend said so"},
        {"kind": "event", "id": "e1", "tick": last * 3 // 10, "type": "press", "description": "the press writes of it",
         "impact_score": 0.5},
        {"kind": "end"},
    ]  # fmt: skip


async def record(site: Any, lines: list[dict[str, Any]]) -> None:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    async with (
        aiohttp.ClientSession(headers={"X-ClaWatch-Key": site.running.key}) as session,
        session.post(site.url + "/api/recordings", data=body) as answer,
    ):
        assert answer.status == 201, await answer.text()


async def seek(page: Any, tick: int) -> None:
    await page.get_by_label("Tick", exact=True).fill(str(tick))


async def test_a_recording_is_found_and_opened(site: Any, open_page: OpenPage) -> None:
    page = await open_page("/recordings")
    await page.get_by_text("Nothing is recorded yet").wait_for()
    await record(site, simulation())
    await page.reload()
    row = page.locator("[data-recording]").filter(has_text="spreading")
    await row.get_by_text("101 ticks").wait_for()
    await row.click()
    await page.get_by_role("heading", name="spreading").wait_for()
    assert page.url == f"{site.url}/recordings/{NODE}"


async def test_moving_the_scrubber_shows_how_things_stood(site: Any, open_page: OpenPage) -> None:
    await record(site, simulation())
    page = await open_page(f"/recordings/{NODE}")
    world = page.get_by_role("region", name="How things stood")
    await world.get_by_text("tick 0", exact=True).wait_for()
    await page.get_by_text("Nothing has happened yet.").wait_for()
    await seek(page, 47)
    await world.get_by_text("tick 40", exact=True).wait_for()
    await world.get_by_text("40", exact=True).wait_for()
    await page.get_by_text("the press writes of it").wait_for()
    charts = page.locator("figure")
    await charts.filter(has_text="adoption").get_by_text("0.47", exact=True).wait_for()
    await page.get_by_role("button", name="segments").click()
    await charts.filter(has_text="late").first.get_by_text("0.235", exact=True).wait_for()


async def test_an_agents_way_is_shown_up_to_the_tick(site: Any, open_page: OpenPage) -> None:
    await record(site, simulation())
    page = await open_page(f"/recordings/{NODE}")
    await page.get_by_label("Agent", exact=True).fill("hero")
    await page.get_by_label("Agent", exact=True).press("Enter")
    way = page.get_by_role("region", name="An agent's way")
    await way.get_by_text("trust 0.1").wait_for()
    assert await way.get_by_text("a friend said so").count() == 0
    await way.get_by_role("button", name="tick 50").click()
    await way.get_by_text("a friend said so").wait_for()


async def test_it_plays_to_the_end_and_by_keyboard(site: Any, open_page: OpenPage) -> None:
    await record(site, simulation(30))
    page = await open_page(f"/recordings/{NODE}")
    await page.get_by_label("Speed").select_option("10")
    await page.get_by_role("heading", name="spreading").click()
    await page.keyboard.press("ArrowRight")
    await page.locator(".at").get_by_text("1", exact=True).wait_for()
    await page.keyboard.press(" ")
    await page.get_by_role("button", name="Pause", exact=True).wait_for()
    await page.locator(".at b").get_by_text("30", exact=True).wait_for()
    await page.get_by_role("button", name="Play", exact=True).wait_for()
    await page.keyboard.press("Home")
    await page.locator(".at b").get_by_text("0", exact=True).wait_for()


async def test_only_what_is_in_view_is_read(site: Any, open_page: OpenPage) -> None:
    await record(site, simulation(3_000))
    page = await open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/slice" in request.url else None)
    await page.goto(f"{site.url}/recordings/{NODE}")
    await page.locator("figure").first.wait_for()
    assert "resolution=13" in asked[-1]
    await page.get_by_label("In view").select_option("200")
    async with page.expect_response(lambda answer: "start_tick=2800" in answer.url) as answered:
        await seek(page, 2_900)
    told = await (await answered.value).json()
    assert (told["resolution"], told["total_points"]) == (1, 201)


@pytest.mark.parametrize("path", ["/recordings", f"/recordings/{NODE}"])
async def test_whatever_stands_in_a_recording_is_text_and_stays_in_its_place(
    site: Any, open_page: OpenPage, width_of: WidthOf, path: str
) -> None:
    lines = simulation(20, run_id=IMAGE, segments=[IMAGE, TURNED], metrics=[IMAGE, "m" * 200])
    lines[1] |= {"agent_id": IMAGE, "persona_name": IMAGE + "x" * 150, "segment": TURNED}
    for line in lines[2:]:
        if line["kind"] == "tick":
            line |= {"metrics": {IMAGE: 1}, "by_segment": {IMAGE: {IMAGE: 1}}, "world_state": {IMAGE: "long" * 2_500}}
        if line["kind"] == "step":
            line |= {"agent_id": IMAGE, "action": IMAGE, "reasoning": "long" * 2_500, "state": {IMAGE: TURNED}}
        if line["kind"] == "event":
            line |= {"type": IMAGE, "description": IMAGE + "long" * 2_500, "variable_changes": {IMAGE: IMAGE}}
    await record(site, lines)
    page = await open_page(path, **PHONE)
    await page.locator("main").get_by_text("onerror").first.wait_for()
    if path != "/recordings":
        await seek(page, 20)
        await page.get_by_label("Agent", exact=True).fill(IMAGE)
        await page.get_by_label("Agent", exact=True).press("Enter")
        await page.get_by_role("region", name="An agent's way").get_by_text("longlong").first.wait_for()
        await page.get_by_role("region", name="Events").get_by_text("longlong").first.wait_for()
    wide, seen = await width_of(page)
    assert wide <= seen
    assert await page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [{}, PHONE])
async def test_recordings_shut_nobody_out(
    site: Any, open_page: OpenPage, violations_of: ViolationsOf, scheme: str, size: dict[str, int]
) -> None:
    await record(site, simulation())
    page = await open_page("/recordings", color_scheme=scheme, bypass_csp=True, **size)
    await page.locator("[data-recording]").wait_for()
    found = await violations_of(page)
    await page.goto(f"{site.url}/recordings/{NODE}")
    await page.locator("figure").first.wait_for()
    await seek(page, 60)
    await page.get_by_label("Agent", exact=True).fill("hero")
    await page.get_by_label("Agent", exact=True).press("Enter")
    await page.get_by_text("a friend said so").wait_for()
    assert found + await violations_of(page) == []
