"""``metrics_update``: each connection at its own interval, and one frame for all who see the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from clawatch.apis.host import Host
from clawatch.apis.outbound import Frame, frame_of
from clawatch.apis.sessions import Session
from clawatch.domain.access import CORE, matches
from clawatch.domain.agents import Agent, Status, is_gone
from clawatch.domain.time import HOUR, Millis, iso
from clawatch.ports import Core, SystemReport
from clawatch_plugins.freeagentics.figures import Figures
from clawatch_plugins.freeagentics.subscription import Subscription
from clawatch_plugins.freeagentics.wire import Message, Metrics, SystemLoad
from clawatch_plugins.freeagentics.words import METRICS_UPDATE

DEFAULT_INTERVAL: Millis = 5_000
STEP = 0.05
"""Seconds between two looks at who is due."""
FRESH = 0.25
"""Seconds for which a frame is good for others, too."""
MOST_AGENTS = 1_000
"""In one frame: those heard of last."""
GONE_AFTER: Millis = 24 * HOUR


class View(NamedTuple):
    """Whose figures one gets. Equal views get the same frame."""

    patterns: tuple[str, ...]
    only: frozenset[str] | None
    without: frozenset[str]

    def shows(self, agent_id: str) -> bool:
        if self.only is not None and agent_id not in self.only:
            return False
        return agent_id not in self.without and matches(self.patterns, agent_id)


@dataclass(eq=False, slots=True)
class Metered:
    """A connection, and when it is due on the loop's clock."""

    session: Session
    subscription: Subscription
    interval: Millis = DEFAULT_INTERVAL
    due: float = 0.0

    def set_interval(self, interval: Millis, now: float) -> None:
        self.interval = interval
        self.due = now + interval / 1000

    def advance(self, now: float) -> None:
        """To the next whole interval, without drifting; what was missed is left out."""
        seconds = self.interval / 1000
        self.due = self.due + seconds if now - self.due < seconds else now + seconds


class Meter:
    def __init__(self, core: Core, host: Host, figures: Figures) -> None:
        self._core = core
        self._host = host
        self._figures = figures
        self._metered: dict[Metered, None] = {}
        self._frames: dict[View, tuple[float, Frame]] = {}
        self._is_wanted = asyncio.Event()
        self.report: SystemReport | None = None
        """The newest report of the daemon."""

    def add(self, metered: Metered) -> None:
        """Tell it within a moment, and from then on at its interval."""
        if metered not in self._metered:
            metered.due = asyncio.get_running_loop().time()
            self._metered[metered] = None
            self._is_wanted.set()

    def drop(self, metered: Metered) -> None:
        self._metered.pop(metered, None)
        if not self._metered:
            self._is_wanted.clear()
            self._frames.clear()

    async def run(self) -> None:
        while True:
            await self._is_wanted.wait()
            now = asyncio.get_running_loop().time()
            for metered in [one for one in self._metered if one.due <= now]:
                self._tell(metered, now)
                await asyncio.sleep(0)
            self._frames = {view: made for view, made in self._frames.items() if now - made[0] < FRESH}
            await asyncio.sleep(STEP)

    def _tell(self, metered: Metered, now: float) -> None:
        choice = metered.subscription.choice(METRICS_UPDATE)
        if choice is None or metered not in self._metered:
            return
        metered.advance(now)
        only = None if choice.only is None else frozenset(choice.only)
        view = View(metered.session.principal.agents, only, frozenset(choice.without))
        metered.session.send_frame(self._frame(view, now))

    def _frame(self, view: View, now: float) -> Frame:
        made = self._frames.get(view)
        if made is None or now - made[0] >= FRESH:
            made = self._frames[view] = now, frame_of(msgspec.json.encode(self.message(view)).decode())
        return made[1]

    def message(self, view: View) -> Message:
        now, mono = self._core.clock.now()
        host = self._host.read(mono)
        agents = self._seen(view, now)
        active = sum(agent.status is Status.RUNNING for agent in agents)
        report = self.report
        return Message(METRICS_UPDATE, iso(now), Metrics(
            system=SystemLoad(
                cpu_usage=host.cpu_percent,
                memory_usage=host.memory_percent,
                active_agents=active,
                queue_length=0 if report is None else report.outbox + report.rules_behind,
            ),
            agents={agent.id: self._figures.load(agent, now) for agent in agents[:MOST_AGENTS]},
            cpu_usage=host.cpu_percent,
            memory_usage=host.memory_percent,
            active_agents=active,
        ))

    def _seen(self, view: View, now: Millis) -> list[Agent]:
        """Newest first; sessions that are long over are left out."""
        agents = self._core.queries.agents(CORE)
        return [agent for agent in agents if view.shows(agent.id) and not is_gone(agent, now - GONE_AFTER)]

