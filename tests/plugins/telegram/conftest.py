"""A core that implements what the Telegram notifier uses, and a bot at the stand-in API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from clawatch_plugins.telegram.notifier import Telegram, running
from clawatch_plugins.telegram.settings import TelegramSettings
from msgspec.structs import replace

from clawatch.domain.agents import Agent, Control, with_control
from clawatch.domain.alerts import Alert, AlertState, AlertType, Mark, Reason, Severity, Silence
from clawatch.domain.commands import CONTROL_OF, Command, CommandState, ControlKind
from clawatch.domain.deliveries import Notification
from clawatch.domain.time import MINUTE
from clawatch.ports import Controlling, CostLine, Costs, NotFound, Page, StoreHealth, SystemReport
from clawatch.testing.clock import START, FakeClock
from clawatch.testing.telegram import BotApi

ALERT_ID = "alert_0123456789abcdefghjk"


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **fields: self.lines.append((level, event, fields))

    def events(self, *levels: str) -> list[str]:
        return [event for level, event, _ in self.lines if level in levels or not levels]


class FakeCore:
    """Agents and alerts in dicts; every change is recorded with who made it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log = FakeLog()
        self.known_agents: dict[str, Agent] = {}
        self.known_alerts: dict[str, Alert] = {}
        self.newest: dict[str, Command] = {}
        self.known_silences: list[Silence] = []
        self.done: list[tuple[Any, ...]] = []
        self.answer = CommandState.REQUESTED
        self.message = ""
        self.error: Exception | None = None
        self.queries = self.commands = self
        self.access = SimpleNamespace(public_url="http://localhost:8787", issue_login=self._issue_login)
        self.lives: list[int] = []

    # -- queries

    def agents(self, principal: Any) -> list[Agent]:
        return list(self.known_agents.values())

    def agent(self, agent_id: str, principal: Any) -> Agent:
        if agent_id not in self.known_agents:
            raise NotFound("Agent not found")
        return self.known_agents[agent_id]

    async def alert(self, alert_id: str, principal: Any) -> Alert:
        if self.error is not None:
            raise self.error
        if alert_id not in self.known_alerts:
            raise NotFound("Alert not found")
        return self.known_alerts[alert_id]

    async def alerts(self, principal: Any, where: Any, cursor: Any = None, limit: int = 100) -> Page[Alert]:
        return Page(tuple(a for a in self.known_alerts.values() if where.state in (None, a.state)), None)

    def controlling(self, agent: Agent) -> Controlling:
        return Controlling(kind=ControlKind.COOPERATIVE, described="cooperative", command=self.newest.get(agent.id))

    def silenced_until(self, alert: Alert) -> int | None:
        return max((s.expires_at for s in self.known_silences if s.alert_id == alert.id), default=None)

    async def costs(self, principal: Any, since: Any, until: Any, agent_id: Any) -> Costs:
        return Costs(tuple(CostLine(a.id, "m", a.cost // 2, 10) for a in self.known_agents.values()))

    async def system(self) -> SystemReport:
        return SystemReport(
            version="1.2.3", started_at=0, store=StoreHealth(True), outbox=2, journal_head=1, rules_behind=0,
            parts=(), status="ok",
        )

    # -- commands

    async def control(
        self, agent_id: str, verb: Any, principal: Any, alert_id: str | None = None
    ) -> tuple[Agent, Command | None]:
        now = self.clock.now().wall
        self.done.append((verb, agent_id, principal, alert_id))
        agent = with_control(self.agent(agent_id, principal), CONTROL_OF[verb], now)
        command = Command(
            id="cmd_1", agent_id=agent_id, type=verb, state=self.answer, requested_at=now, changed_at=now,
            requested_by=principal.user, message=self.message, alert_id=alert_id,
        )
        self.known_agents[agent_id] = agent
        self.newest[agent_id] = command
        return agent, command

    async def acknowledge(self, alert_id: str, principal: Any, acknowledged: bool = True) -> Alert:
        self.done.append(("acknowledge", alert_id, principal, acknowledged))
        mark = Mark(by=principal.user, at=self.clock.now().wall) if acknowledged else None
        self.known_alerts[alert_id] = replace(self.known_alerts[alert_id], acknowledged=mark)
        return self.known_alerts[alert_id]

    async def silence(
        self, principal: Any, duration: int, reason: str, alert_id: str | None = None, agent: str = "*",
        rule: str = "", severity: str = "",
    ) -> Silence:
        now = self.clock.now().wall
        silence = Silence(
            id="silence_1", created_at=now, expires_at=now + duration, by=principal.user, agent=agent,
            alert_id=alert_id or "",
        )
        self.done.append(("silence", duration, agent, alert_id))
        self.known_silences.append(silence)
        return silence

    async def silences(self, principal: Any) -> list[Silence]:
        return list(self.known_silences)

    async def unsilence(self, silence_id: str, principal: Any) -> None:
        self.done.append(("unsilence", silence_id))
        self.known_silences = []

    async def _issue_login(self, life: int) -> str:
        self.lives.append(life)
        return "http://localhost:8787/login#once_only"


class World:
    """What a test has at hand: the API, the core, one agent with one firing alert, and ways to speak of them."""

    def __init__(self, api: BotApi) -> None:
        self.api = api
        self.core = FakeCore()
        self.agent = Agent(id="build-1", name="Builder", created_at=START, last_seen=START, cost=12_340_000_000)
        self.core.known_agents[self.agent.id] = self.agent
        self.core.known_alerts[ALERT_ID] = Alert(
            id=ALERT_ID,
            fingerprint="f",
            rule="stuck",
            type=AlertType.STUCK,
            severity=Severity.CRITICAL,
            agent_id=self.agent.id,
            subject="",
            message="Agent stuck — no heartbeat for 5 minutes",
            state=AlertState.FIRING,
            started_at=START - 5 * MINUTE,
            fired_at=START - 5 * MINUTE,
        )

    @property
    def alert(self) -> Alert:
        return self.core.known_alerts[ALERT_ID]

    def change(self, **changes: Any) -> None:
        self.core.known_alerts[ALERT_ID] = replace(self.alert, **changes)

    def settings(self, **changes: Any) -> TelegramSettings:
        plain = {"bot_token": self.api.token, "chats": [77], "api_url": self.api.url}
        return TelegramSettings.model_validate(plain | changes)

    def bot(self, **changes: Any) -> AbstractAsyncContextManager[Telegram]:
        """The notifier, open; it tries again without waiting."""
        return running(self.settings(**changes), self.core, backoff=(0.0, 0.0, 0.01))  # type: ignore[arg-type]

    def told(self, reason: Reason = Reason.FIRED, id: str = "out_1", **changes: Any) -> Notification:
        now = self.core.clock.now().wall
        plain = Notification(
            id=id,
            notifier="telegram",
            thread=self.alert.id,
            reason=reason,
            at=now,
            now=now,
            severity=self.alert.severity,
            text=self.alert.message,
            alert=self.alert,
            agent=self.core.known_agents.get(self.agent.id),
            command=self.core.newest.get(self.agent.id),
            silenced_until=self.core.silenced_until(self.alert),
        )
        return replace(plain, **changes)

    def notice(self, text: str, reason: Reason = Reason.NOTICE, **changes: Any) -> Notification:
        return self.told(reason, alert=None, agent=None, text=text, thread="notice_1", **changes)

    def control_is(self, control: Control) -> None:
        self.core.known_agents[self.agent.id] = replace(self.agent, control=control)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with BotApi() as api:
        yield World(api)
