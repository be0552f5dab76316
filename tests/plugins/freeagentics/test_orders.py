"""What clients that gave commands hear of them."""

from __future__ import annotations

from typing import Any, cast

from clawatch_plugins.freeagentics.asking import Asked
from clawatch_plugins.freeagentics.orders import Orders
from clawatch_plugins.freeagentics.wire import Message
from msgspec.structs import replace

from clawatch.apis.sessions import Session
from clawatch.domain.access import CORE
from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.ports import Core
from clawatch.testing.clock import FakeClock

GIVEN = Asked(type="command", data={"command": "update_config", "agent_id": "a", "parameters": {}})


class Client:
    principal = CORE
    closing = None

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def send(self, message: Message) -> None:
        self.heard.append(message)

    @property
    def states(self) -> list[str]:
        return [message.data.status for message in self.heard]


class StandInCore:
    """Its one command may be confirmed, in the journal's words, before the answer to whoever gave it is there."""

    def __init__(self, is_quick: bool) -> None:
        self.clock = FakeClock()
        self.queries = self.commands = self
        self.orders = Orders(cast(Core, self), lambda agent: Message("agent_status", "", None))
        now = self.clock.now().wall
        self.command = Command(
            id="c1", agent_id="a", type=CommandType.UPDATE_CONFIG, state=CommandState.REQUESTED,
            control_kind=ControlKind.COOPERATIVE, requested_at=now, requested_by="ops", changed_at=now,
        )
        self._is_quick = is_quick

    def agent(self, agent_id: str, principal: object) -> Agent:
        return Agent(id=agent_id, name=agent_id, created_at=0)

    async def send(self, *given: Any) -> Command:
        if self._is_quick:
            self.confirm()
        return self.command

    def confirm(self) -> None:
        confirmed = replace(self.command, state=CommandState.CONFIRMED)
        self.orders.follow(confirmed, self.clock.now().wall)


async def test_a_command_is_followed_to_its_end() -> None:
    core, client = StandInCore(is_quick=False), Client()
    await core.orders.give(cast(Session, client), GIVEN)
    core.confirm()
    core.confirm()
    assert client.states == ["requested", "confirmed"]


async def test_what_became_of_a_command_before_its_answer_was_there_is_told_with_it() -> None:
    core, client = StandInCore(is_quick=True), Client()
    await core.orders.give(cast(Session, client), GIVEN)
    assert client.states == ["confirmed"]
    core.confirm()
    assert client.states == ["confirmed"]
