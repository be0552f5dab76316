"""The mailbox controller: whose commands wait to be fetched."""

from __future__ import annotations

from typing import Any, cast

import pytest
from clawatch_plugins.mailbox import Mailbox, register_controllers

from clawatch.domain.agents import Agent
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.ports import Core

WRAPPED = Agent(id="w", name="w", created_at=0, kind="wrap")
PYTHON = Agent(id="p", name="p", created_at=0, sources=("clawatch",))
FOREIGN = Agent(id="f", name="f", created_at=0, sources=("otlp",))


@pytest.mark.parametrize(
    ("agent", "kind"), [(WRAPPED, ControlKind.COOPERATIVE), (PYTHON, ControlKind.COOPERATIVE), (FOREIGN, None)]
)
def test_agents_of_our_own_api_are_cooperative(agent: Agent, kind: ControlKind | None) -> None:
    assert Mailbox().kind(agent) is kind


def test_each_is_described_in_its_own_words() -> None:
    assert Mailbox().describe(WRAPPED) == "wrap: stops every process"
    assert Mailbox().describe(PYTHON) == "cooperative (asked, and answers)"


async def test_a_command_waits_to_be_fetched() -> None:
    command = Command(
        id="c", agent_id="p", type=CommandType.PAUSE, state=CommandState.REQUESTED, requested_at=0,
        requested_by="ops", changed_at=0,
    )
    assert await Mailbox().carry(command, PYTHON) is None


async def test_it_is_registered_under_its_name() -> None:
    (contribution,) = register_controllers()
    assert contribution.name == "mailbox"
    async with contribution.open(contribution.settings(), cast(Core, cast(Any, None))) as controller:
        assert isinstance(controller, Mailbox)
