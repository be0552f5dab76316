"""The story: every kind of trouble once, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from clawatch_plugins.demo.cast import WRAPPED, Cast
from clawatch_plugins.demo.daemon import BUDGET_USD
from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.following import PATIENCE, News
from clawatch_plugins.demo.narration import Narrator

LOOK_EVERY = 0.2


async def tell(cast: Cast, doors: Doors, news: News, narrator: Narrator) -> None:
    """In order; each scene waits for what it is about. The night watch falls silent first, as that takes longest."""
    story = Story(cast, doors, news, narrator)
    for scene in (
        story.silence, story.errors, story.error, story.loop, story.tasks, story.spending, story.paused_session,
        story.paused_build, story.round_table, story.recovery,
    ):  # fmt: skip
        await scene()
        await cast.translator.rest(2)
    narrator.end("That was all of it. Ordinary life goes on; look around, and end it with Ctrl-C.")


class Story:
    def __init__(self, cast: Cast, doors: Doors, news: News, narrator: Narrator) -> None:
        self._cast = cast
        self._doors = doors
        self._news = news
        self._say = narrator.scene

    async def silence(self) -> None:
        self._say("the night watch falls silent; nobody has noticed yet")
        self._cast.watch.is_silent = True

    async def errors(self) -> None:
        courier = self._cast.courier
        self._say("the courier cannot reach its mail server, again and again")
        for attempt in range(1, 5):
            await courier.say("error", error=f"SMTP: connection refused (attempt {attempt})")
            await courier.rest(0.7)
        await self._news.alert(courier.id, "error_spike", "firing")
        await courier.say("status_change", status="running")

    async def error(self) -> None:
        translator = self._cast.translator
        self._say("the translator fails once; that is a notice, no alert")
        await translator.call("translate", language="pt")
        await translator.rest(1)
        await translator.say("error", error="the glossary is missing")
        await translator.rest(3)
        await translator.say("status_change", status="running")

    async def loop(self) -> None:
        researcher = self._cast.researcher
        self._say("the researcher asks the same thing over and over; its brake is `action: pause`")
        for _ in range(12):
            if researcher.is_paused:
                break
            await researcher.call("search", query="price of tulips in 1637", page=1)
            await self._cast.translator.rest(0.4)
        await self._news.alert(researcher.id, "loop", "firing", "critical")
        await self._news.command(researcher.id, "pause", "confirmed")
        self._say("its owner has a look, and lets it go on with other things")
        await self._doors.control(researcher.id, "resume")
        await self._news.command(researcher.id, "resume", "confirmed")
        for page in range(1, 22):
            await researcher.call("read", page=page)
        await self._news.alert(researcher.id, "loop", "resolved")

    async def tasks(self) -> None:
        self._say("its owner has a task for the commerce agent; it takes it, and reports how it gets on")
        task = await self._doors.submit("commerce", "price the BLACK ROSE collection")
        await self._news.completed(task)
        self._say(f"{task} is completed")

    async def round_table(self) -> None:
        self._say("six models compete on one prompt; a judge scores them, and decides between the best two")
        decided = await self._doors.compete("a slogan for the BLACK ROSE collection")
        self._say(f"the winner is {decided['winner']['provider']}: {decided['ab_test_reasoning']}")

    async def spending(self) -> None:
        coder = self._cast.coder
        self._say(f"the session of Claude Code works on, with a budget of ${BUDGET_USD:.2f}")
        await coder.prompt("make the tests pass")
        for step in range(1, 6):
            await coder.use("Bash", command=f"pytest tests/part_{step}")
            await coder.spend(BUDGET_USD / 4.5)
            await self._cast.translator.rest(0.8)
        await self._news.alert(coder.id, "cost", "firing", "warning")

    async def paused_session(self) -> None:
        coder = self._cast.coder
        await coder.prompt("and now the integration tests")
        await coder.use("Bash", command="pytest tests/integration")
        await self._until(coder.id, lambda agent: agent["turn"] == "open")
        self._say("its owner pauses it: the next tool call is refused, and the turn ends")
        await self._doors.control(coder.id, "pause")
        is_let = await coder.use("Bash", command="rm -rf build")
        if not is_let:
            await coder.stop()
        await self._news.command(coder.id, "pause", "confirmed")
        await self._doors.control(coder.id, "resume")
        await self._news.command(coder.id, "resume", "confirmed")
        await coder.prompt("now clean up")
        await coder.use("Bash", command="make clean")
        await coder.stop()

    async def paused_build(self) -> None:
        self._say("its owner pauses the wrapped build: every process of it stands still")
        await self._until(WRAPPED, lambda agent: True)
        await self._doors.control(WRAPPED, "pause")
        await self._news.command(WRAPPED, "pause", "confirmed")
        await self._cast.translator.rest(3)
        await self._doors.control(WRAPPED, "resume")
        await self._news.command(WRAPPED, "resume", "confirmed")

    async def recovery(self) -> None:
        watch = self._cast.watch
        await self._news.alert(watch.id, "stuck", "firing")
        await watch.rest(2)
        self._say("the night watch wakes up")
        watch.is_silent = False
        await watch.say("heartbeat", message="back again")
        await self._news.alert(watch.id, "stuck", "resolved")
        await self._news.alert(self._cast.courier.id, "error_spike", "resolved")

    async def _until(self, agent_id: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Ask until the list shows an agent to be like this."""
        for _ in range(round(PATIENCE / LOOK_EVERY)):
            agent = await self._doors.agent(agent_id)
            if agent is not None and holds(agent):
                return
            await asyncio.sleep(LOOK_EVERY)
