"""Takes the pictures in README.md and docs/: every page of the demo in Chromium, at both widths, dark and light.

    python docs/screenshots.py               all of them into build/screenshots, those in use into docs/images
    python docs/screenshots.py --only fleet  one page

Needs Chromium and what `pip install --group screenshots` brings. The demo is stopped in the middle of its story, so
that there is trouble to see.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ALL = ROOT / "build" / "screenshots"
USED = ROOT / "docs" / "images"
IN_USE = {
    "fleet-1440-dark", "fleet-390-dark", "alert-390-light", "agent-1440-light", "run-1440-dark", "replay-1440-light",
    "costs-1440-dark", "first-run-1440-light", "alerts-1440-light", "runs-1440-light", "recordings-1440-dark",
    "system-1440-light",
}  # fmt: skip
SIZES = {1440: 900, 390: 844}
LARGEST = 150 * 1024
"""Bytes of a picture in use."""
COLOURS = 256
TROUBLE, DECIDED = "pauses the wrapped build", "the winner is"
"""What the demo says when there is most to see, and when a competition has been."""
PATIENCE = 240.0
NODE = "3c1f4e1a-9a4e-5b8e-8f43-7f2b6d1c0a55"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]


@dataclass(frozen=True)
class Site:
    url: str
    login: str
    key: str


@dataclass(frozen=True)
class Shot:
    name: str
    path: str
    ready: str
    """A selector of what must be there."""
    do: tuple[tuple[str, str], ...] = ()
    """(label, value) of fields to fill in first."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the name of one page")
    only = parser.parse_args().only
    ALL.mkdir(parents=True, exist_ok=True)
    USED.mkdir(exist_ok=True)
    async with chromium() as browser:
        async with demo() as (site, stopped_at):
            await record(site)
            state = await log_in(browser, site)
            for scene, choose in ((TROUBLE, troubles), (DECIDED, runs)):
                async with stopped_at(scene):
                    wanted = [shot for shot in await choose(site) if only in (None, shot.name)]
                    await photograph(browser, site, state, wanted)
        if only in (None, "first-run"):
            async with nothing() as site:
                state = await log_in(browser, site)
                await photograph(browser, site, state, [Shot("first-run", "/", "text=Make a key")])


async def troubles(site: Site) -> list[Shot]:
    alerts = (await ask(site, "GET", "/api/alerts?state=firing"))["alerts"]
    errors = next((one for one in alerts if one["rule"] == "error_spike"), alerts[0])
    session = next(one["id"] for one in (await ask(site, "GET", "/api/agents"))["agents"] if "claude" in one["id"])
    return [
        Shot("alert", f"/alerts/{errors['id']}", ".why dl"),
        Shot("fleet", "/", "[data-agent] svg"),
        Shot("alerts", "/alerts", "[data-alert]"),
        Shot("agent", f"/agents/{session}", "figure canvas"),
        Shot("recordings", "/recordings", "[data-recording]"),
        Shot("replay", f"/recordings/{NODE}", "figure canvas", (("Tick", "148"), ("Agent", "household-07"))),
        Shot("costs", "/costs", "figure canvas"),
        Shot("system", "/system", ".group"),
    ]


async def runs(site: Site) -> list[Shot]:
    found = (await ask(site, "GET", "/api/runs?kind=competition"))["runs"]
    return [Shot("runs", "/runs", "[data-run]"), Shot("run", f"/runs/{found[0]['id']}", "tbody tr")]


async def log_in(browser: Any, site: Site) -> Any:
    """The cookies of a login: its link works once."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(site.login)
    await page.wait_for_url(site.url + "/")
    state = await context.storage_state()
    await context.close()
    return state


async def photograph(browser: Any, site: Site, state: Any, wanted: list[Shot]) -> None:
    """Each at every width, dark and light; first those in use, as what is shown goes on."""
    every = [(shot, width, scheme) for shot in wanted for width in SIZES for scheme in ("dark", "light")]
    for shot, width, scheme in sorted(every, key=lambda one: f"{one[0].name}-{one[1]}-{one[2]}" not in IN_USE):
        size = {"width": width, "height": SIZES[width]}
        context = await browser.new_context(viewport=size, color_scheme=scheme, storage_state=state, locale="en-GB")
        name = f"{shot.name}-{width}-{scheme}"
        keep(name, await take(await context.new_page(), site, shot))
        print(name)
        await context.close()


async def take(page: Any, site: Site, shot: Shot) -> bytes:
    await page.goto(site.url + shot.path)
    await page.locator(shot.ready).first.wait_for()
    for label, value in shot.do:
        field = page.get_by_label(label, exact=True)
        await field.fill(value)
        await field.press("Enter")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await page.wait_for_timeout(900)  # charts and sparklines come after the page
    picture: bytes = await page.screenshot()
    await page.close()
    return picture


def keep(name: str, picture: bytes) -> None:
    """With its most common colours only, a picture is half as large, and nobody sees the difference."""
    from PIL import Image

    image = Image.open(BytesIO(picture)).convert("RGB")
    common = sorted(image.getcolors(1 << 24) or [], reverse=True)[:COLOURS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in common for part in colour])
    image = image.quantize(palette=palette, dither=Image.Dither.NONE)
    packed = BytesIO()
    image.save(packed, "PNG", optimize=True)
    (ALL / f"{name}.png").write_bytes(packed.getvalue())
    if name in IN_USE:
        if len(packed.getvalue()) > LARGEST:
            print(f"{name} is larger than {LARGEST // 1024} KB", file=sys.stderr)
        (USED / f"{name}.png").write_bytes(packed.getvalue())


# -- what is photographed


@asynccontextmanager
async def demo() -> AsyncIterator[tuple[Site, Callable[[str], AbstractAsyncContextManager[None]]]]:
    """The demo, and what makes it stand still while it is looked at."""
    async with running("demo", "--port", "0") as (child, line_with):
        url = (await line_with(r"runs at (\S+)")).group(1)
        login = (await line_with(r"log in once: (\S+)")).group(1)
        key = (await line_with(r"CLAWATCH_KEY=(\S+)")).group(1)

        @asynccontextmanager
        async def stopped_at(scene: str) -> AsyncIterator[None]:
            await line_with(re.escape(scene))
            await asyncio.sleep(1.5)
            child.send_signal(signal.SIGSTOP)
            try:
                yield
            finally:
                child.send_signal(signal.SIGCONT)

        yield Site(url, login, key), stopped_at


@asynccontextmanager
async def nothing() -> AsyncIterator[Site]:
    """A daemon that knows no agent."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "config.yaml"
        config.write_text(json.dumps({"server": {"port": 0}, "data_dir": f"{home}/data"}))
        async with running("run", "--config", str(config)) as (_, line_with):
            login = (await line_with(r"http://\S+/login#\S+")).group()
            yield Site(login.partition("/login")[0], login, "")


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """A command of ClaWatch's, and a function that waits for a line it prints."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", *arguments, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "JOURNAL_STREAM": "", "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    stream = child.stdout

    async def line_with(pattern: str) -> re.Match[str]:
        async with asyncio.timeout(PATIENCE):
            while line := (await stream.readline()).decode():
                if found := re.search(pattern, line):
                    return found
        raise SystemExit(f"clawatch {arguments[0]} ended before it said {pattern}")

    try:
        yield child, line_with
    finally:
        child.send_signal(signal.SIGTERM)
        await child.communicate()


async def record(site: Site) -> None:
    """A made-up simulation: heat pumps spread through a town."""
    luck = random.Random(7)  # the same picture every time
    segments, regions, last = ["owners", "tenants", "landlords"], ["centre", "harbour", "hills"], 240

    def curve(tick: int, middle: float, most: float) -> float:
        return round(most / (1 + math.exp((middle - tick) / 22)) + luck.uniform(-0.004, 0.004), 4)

    lines: list[dict[str, Any]] = [
        {"kind": "recording", "node_id": NODE, "run_id": "Heat pumps in a small town", "keyframe_interval": 12,
         "metrics": ["adoption", "awareness", "price_index", "satisfaction"], "segments": segments,
         "regions": regions, "started_at": "2026-01-05T00:00:00Z", "tick_seconds": 86_400},
        *({"kind": "agent", "agent_id": f"household-{number:02}", "persona_name": f"Household {number}",
           "segment": segments[number % 3], "region": regions[number % 3],
           "key_influences": [{"type": "neighbours", "impact": 0.42}, {"type": "price", "impact": -0.18}]}
          for number in range(1, 25)),
    ]  # fmt: skip
    for tick in range(last + 1):
        middles = {"owners": (96, 0.82), "tenants": (150, 0.34), "landlords": (120, 0.55)}
        shares = {segment: curve(tick, *middle) for segment, middle in middles.items()}
        adoption = round(sum(shares.values()) / 3, 4)
        lines.append({
            "kind": "tick", "tick": tick, "by_segment": {"adoption": shares},
            "metrics": {"adoption": adoption, "awareness": curve(tick, 52, 0.97),
                        "price_index": round(118 - 24 * adoption + 5 * math.sin(tick / 17), 2),
                        "satisfaction": round(0.71 + 0.05 * math.sin(tick / 29) + luck.uniform(-0.01, 0.01), 4)},
            "world_state": {"electricity_price": round(0.31 + 0.03 * math.sin(tick / 30), 3), "subsidy": tick >= 60,
                            "installers": 4 + tick // 30, "queue_days": round(30 * curve(tick, 80, 1)),
                            "mood_of_the_press": "kind" if tick >= 100 else "doubtful"},
        })  # fmt: skip
    told = ((0, None, "", 0.1), (38, "read_an_article", "The paper says the bill would halve.", 0.3),
            (74, "asked_a_neighbour", "They are content, though the cellar hums.", 0.6),
            (112, "got_an_offer", "Dear, but the subsidy pays a third.", 0.8),
            (141, "ordered", "Two neighbours have one now, and the boiler is old.", 1.0))  # fmt: skip
    for number in range(1, 25):
        for tick, action, why, trust in told[: 2 + number % 4]:
            lines.append({"kind": "step", "tick": tick + number, "agent_id": f"household-{number:02}",
                          "state": {"trust": trust}, "action": action, "reasoning": why or None})  # fmt: skip
    for number, (tick, kind, what, impact) in enumerate((
        (24, "press", "A winter bill makes the front page", 0.2),
        (60, "policy", "The town pays a third of the price", 0.8),
        (88, "word_of_mouth", "The school has one, and it is warm", 0.4),
        (117, "shortage", "Installers are booked out", -0.5),
        (146, "price_change", "Electricity becomes dearer", -0.3),
        (190, "policy", "Tenants may ask for one", 0.6),
    )):  # fmt: skip
        lines.append({"kind": "event", "id": f"event-{number}", "tick": tick, "type": kind, "source": "script",
                      "description": what, "affected_agents": 40 + 9 * number, "impact_score": impact,
                      "variable_changes": {"awareness": round(impact / 10, 2)}})  # fmt: skip
    lines.append({"kind": "end"})
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    await ask(site, "POST", "/api/recordings", body)


async def ask(site: Site, method: str, path: str, body: bytes | None = None) -> Any:
    import aiohttp

    async with (
        aiohttp.ClientSession(headers={"X-ClaWatch-Key": site.key}, raise_for_status=True) as session,
        session.request(method, site.url + path, data=body) as answer,
    ):
        return await answer.json()


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
