"""The source as a whole: files, databases, the ledger and the gateway of one OpenClaw, and the brake on its agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace as with_changes
from typing import Any

from msgspec.structs import replace

from clawatch.apis.tailing import follow
from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, ControlKind
from clawatch.domain.events import Activity, Event, EventType, Signal, Turn
from clawatch.domain.time import MINUTE, Millis, iso
from clawatch.domain.words import count_of
from clawatch.ports import Condition, Core, Receipt, Source, StoreUnavailable
from clawatch_plugins.openclaw.brake import Brake
from clawatch_plugins.openclaw.device import keep_token, load_device
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.files import followed
from clawatch_plugins.openclaw.following import Follower
from clawatch_plugins.openclaw.following_databases import Databases
from clawatch_plugins.openclaw.frames import Refused
from clawatch_plugins.openclaw.gateway import Address, Gateway, Unreachable
from clawatch_plugins.openclaw.identity import GATEWAY_SOURCE
from clawatch_plugins.openclaw.intake import Intake
from clawatch_plugins.openclaw.probing import Prober
from clawatch_plugins.openclaw.rows import Rows
from clawatch_plugins.openclaw.settings import OpenClawSettings

BEGAN = "began"
AGAIN = 1.0
"""Seconds until what has failed goes on."""
RECONCILE_EVERY = 60.0
"""Seconds between two comparisons of open turns with what the gateway says is at work."""


Work = Callable[[], Coroutine[Any, Any, None]]


class OpenClaw:
    """Implements ``ports.Source`` and ``ports.Controller``."""

    def __init__(self, settings: OpenClawSettings, core: Core, began: Millis) -> None:
        self._settings = settings
        self._core = core
        self._began = began
        self._homes = settings.homes()
        self._files: Source | None = None
        self.intake = Intake(core, settings.name, began, began - settings.since)
        url = settings.gateway_url()
        self.gateway = None if not url else Gateway(
            lambda: Address(settings.gateway_url(), settings.gateway_token()), lambda: core.http.session, core.log,
            self._keep_token,
        )
        self.rows = None if self.gateway is None else Rows(self.gateway)
        self.brake = Brake(settings.name, core, self.gateway, self.rows, settings.proof_within, self._aborted_again)
        self.intake.is_held = self.brake.is_held
        self.databases = [
            Databases(home, core, self.intake.take, began - settings.since, settings.poll, settings.keep_text)
            for home in self._homes
        ]

    # -- ports.Source and ports.Controller

    def report(self) -> Condition:
        trouble = [why for databases in self.databases for why in databases.trouble.values()]
        files = Condition() if self._files is None or not self._homes else self._files.report()
        told = [*self._seen(), files.detail, *trouble, *self._of_gateway()]
        detail = "; ".join(one for one in told if one)
        if self.gateway is not None and self.gateway.state != "ok":
            return Condition(state=self.gateway.state, detail=detail)
        return Condition(state="unreadable" if trouble else files.state, detail=detail)

    def _seen(self) -> list[str]:
        newest = f", the newest of {iso(self.intake.newest)}" if self.intake.newest else ""
        return [f"{count_of(self.intake.taken, 'event')} taken{newest}; watched since {iso(self._began)}"]

    def _of_gateway(self) -> list[str]:
        return [] if self.gateway is None else [f"gateway: {self.gateway.detail or self.gateway.state}"]

    def kind(self, agent: Agent) -> ControlKind | None:
        return self.brake.kind(agent)

    def describe(self, agent: Agent) -> str:
        return self.brake.describe(agent)

    async def carry(self, command: Command, agent: Agent) -> CommandState | None:
        return await self.brake.carry(command, agent)

    # -- working

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            core = with_changes(self._core, ingest=_Ordered(self.intake, self._core))
            settings = self._settings
            followings = [followed(home, settings.since, settings.keep_text) for home in self._homes]
            self._files = await stack.enter_async_context(follow(core, *followings))
            work = [databases.run for databases in self.databases]
            tasks = [asyncio.create_task(self._keep(one), name="openclaw") for one in (*work, *self._of_the_gateway())]
            stack.push_async_callback(_end, tasks)
            stack.push_async_callback(self.brake.close)
            yield

    async def _keep(self, work: Work) -> None:
        """Do it for ever: what nobody foresaw ends one round of it, not all that follows."""
        while True:
            try:
                await work()
            except Exception:
                self._core.log.exception("openclaw.failed")
            await asyncio.sleep(AGAIN)

    def _of_the_gateway(self) -> Sequence[Work]:
        gateway, rows = self.gateway, self.rows
        if gateway is None or rows is None:
            return ()
        follower = Follower(
            self._settings.name, gateway, rows, Transcripts(self._settings.keep_text), not self._homes,
            self.intake.take, self.brake.saw_work, self._now,
        )
        prober = Prober(
            self._settings.name, self._settings.gateway_url, lambda: self._core.http.session, lambda: gateway.is_open,
            self.intake.take, self._now,
        )
        return (
            lambda: self._connect(gateway), lambda: self._subscribe(gateway, rows), follower.run, prober.run,
            self.brake.watch,
        )

    def _now(self) -> Millis:
        return self._core.clock.now().wall

    async def _connect(self, gateway: Gateway) -> None:
        while gateway.device is None:
            with suppress(StoreUnavailable):
                gateway.device = await load_device(self._core.marks, self._settings.marks)
                break
            await asyncio.sleep(1.0)
        await gateway.run()

    async def _keep_token(self, token: str | None) -> None:
        if self.gateway is not None and self.gateway.device is not None:
            with suppress(StoreUnavailable):
                await keep_token(self._core.marks, self._settings.marks, self.gateway.device, token)

    async def _subscribe(self, gateway: Gateway, rows: Rows) -> None:
        """After each connecting, each gap and now and then: ask for everything again."""
        opened = asyncio.Event()
        gateway.on_open = opened.set
        is_subscribed = False
        while True:
            is_subscribed = is_subscribed and not opened.is_set()
            # Cleared before anything is asked: what happens meanwhile is another reason to ask.
            opened.clear()
            gateway.has_gap.clear()
            if gateway.is_open:
                is_subscribed = await self._catch_up(gateway, rows, is_subscribed)
            await _first_of(opened, gateway.has_gap, within=RECONCILE_EVERY)

    async def _catch_up(self, gateway: Gateway, rows: Rows, is_subscribed: bool) -> bool:
        """Whether this connection is subscribed then."""
        try:
            if not is_subscribed:
                await gateway.request("sessions.subscribe")
                is_subscribed = True
            await rows.refresh()
            self.brake.review()
            await self._close_turns(rows)
        except Refused as refusal:
            self._core.log.warning("openclaw.not_told", why=str(refusal))
            return True  # it would refuse again
        except (Unreachable, TimeoutError):
            pass  # asked again after a while, or on the next connection
        return is_subscribed

    async def _close_turns(self, rows: Rows) -> None:
        """Turns whose end nobody has told: the gateway says that nothing of that session runs."""
        before = self._now() - MINUTE
        active = {row.session_id for row in rows.all if row.is_active}
        known = {row.session_id for row in rows.all}
        ended = [
            _turn_over(agent_id, session_id, self._now())
            for agent_id in self.intake.turns.agents
            for session_id, at in self.intake.turns.open_since(agent_id).items()
            if session_id in known and session_id not in active and at < before
        ]
        if ended:
            await self.intake.take(ended)

    async def _aborted_again(self, agent: Agent, said: str, times: int) -> None:
        await self.intake.take([Event(
            agent_id=agent.id, type=EventType.STATUS_CHANGE, at=self._now(), signal=Signal.API, source=GATEWAY_SOURCE,
            activity=Activity.PAUSED, is_progress=False, is_inferred=True,
            data={"status": "paused", "reason": f"a new start was aborted: {said}", "times": times},
        )])


class _Ordered:
    """The way in for what the files' follower reads: it knows how old it is, and nothing of turns and orders."""

    def __init__(self, intake: Intake, core: Core) -> None:
        self._intake = intake
        self._core = core

    async def accept(self, events: Sequence[Event], principal: Principal) -> Receipt:
        ordered = [self._intake.order(event) for event in events]
        receipt = await self._core.ingest.accept([*ordered, *self._intake.claims(ordered)], principal)
        self._intake.taken += len(events)
        return receipt


def _turn_over(agent_id: str, session_id: str, at: Millis) -> Event:
    return replace(
        Event(agent_id=agent_id, type=EventType.HEARTBEAT, at=at, session_id=session_id, source=GATEWAY_SOURCE),
        turn=Turn.CLOSED, is_progress=False, is_hidden=True, is_inferred=True,
    )


async def _first_of(*events: asyncio.Event, within: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_source(settings: OpenClawSettings, core: Core) -> AsyncIterator[OpenClaw]:
    source = OpenClaw(settings, core, await _first_start(settings, core))
    async with source.at_work():
        yield source


async def _first_start(settings: OpenClawSettings, core: Core) -> Millis:
    """When this OpenClaw was watched for the first time."""
    known = (await core.marks.read(settings.marks)).get(BEGAN, "")
    if known.isdigit():
        return int(known)
    now = core.clock.now().wall
    await core.marks.write(settings.marks, {BEGAN: str(now)})
    return now
