"""The ladder of a stop: each rung, what it is worth, and what is said when none is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from aiohttp import ClientSession
from clawatch_plugins.openclaw import stopping
from clawatch_plugins.openclaw.device import load_device
from clawatch_plugins.openclaw.gateway import Address, Gateway
from clawatch_plugins.openclaw.rows import Rows
from clawatch_plugins.openclaw.stopping import Ladder, Proof

from clawatch.ports import PassingMarks
from clawatch.testing.openclaw import Refusal, StandInGateway

MAIN = "agent:main:main"
DIRECT = "agent:main:telegram:direct:7"


@asynccontextmanager
async def connected(stand_in: StandInGateway) -> AsyncIterator[Gateway]:
    async def keep(token: str | None) -> None: ...

    opened = asyncio.Event()
    async with ClientSession() as session:
        gateway = Gateway(lambda: Address(stand_in.url, stand_in.token), lambda: session, structlog.get_logger(), keep)
        gateway.device = await load_device(PassingMarks(), "openclaw")
        gateway.on_open = opened.set
        running = asyncio.create_task(gateway.run())
        try:
            async with asyncio.timeout(10):
                await opened.wait()
            yield gateway
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def climb(stand_in: StandInGateway, agent: str = "main", gently: bool = False) -> Proof:
    asked: list[int] = []

    async def note() -> None:
        asked.append(1)

    async with connected(stand_in) as gateway:
        ladder = Ladder(gateway, Rows(gateway), 60, note)
        proof = await (ladder.abort(agent) if gently else ladder.stop(agent))
        assert len(asked) == (1 if proof.rung else 0)
        return proof


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY", 0.01)


async def test_an_agent_at_rest_is_stopped_already(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1")
    proof = await climb(gateway)
    assert (proof.is_stopped, proof.rung, proof.message) == (True, "", "nothing of it was running")
    assert gateway.called("sessions.abort") == []


async def test_an_abort_that_works_is_proved_by_the_list_of_sessions(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1")
    proof = await climb(gateway)
    assert (proof.is_stopped, proof.rung) == (True, "abort")
    assert gateway.called("sessions.abort") == [{"key": MAIN, "clearQueued": True}]
    assert gateway.called("chat.send") == []


async def test_an_older_gateway_is_asked_without_what_it_does_not_know(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1", yields_to="chat.abort")
    gateway.methods = tuple(method for method in gateway.methods if method != "sessions.abort")
    proof = await climb(gateway)
    assert (proof.is_stopped, proof.rung) == (True, "abort")
    assert gateway.called("chat.abort") == [{"sessionKey": MAIN}]


async def test_an_abort_that_was_accepted_and_did_nothing_is_followed_by_a_stop(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1", yields_to="chat.send")
    proof = await climb(gateway)
    assert (proof.is_stopped, proof.rung) == (True, "/stop")
    (said,) = gateway.called("chat.send")
    assert (said["message"], said["sessionKey"]) == ("/stop", MAIN)
    assert said["idempotencyKey"]


async def test_children_of_another_agent_are_stopped_too(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1")
    gateway.add("agent:coder:subagent:1", "s-2", agent_id="coder", parent=MAIN, run_id="r2")
    gateway.add("agent:other:main", "s-3", agent_id="other", run_id="r3")
    proof = await climb(gateway)
    assert proof.is_stopped
    assert [asked["key"] for asked in gateway.called("sessions.abort")] == ["agent:coder:subagent:1"]
    assert gateway.sessions["agent:other:main"].run_id == "r3"


async def test_what_an_abort_leaves_behind_is_asked_for(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1", yields_to="nothing")
    await climb(gateway)
    assert gateway.called("tasks.list") == [{"sessionKey": MAIN}]
    assert gateway.called("sessions.processes.list") == [{"key": MAIN}]


async def test_archiving_is_the_last_rung_for_sessions_other_than_the_main_one(gateway: StandInGateway) -> None:
    gateway.add(DIRECT, "s-2", run_id="r2", yields_to="sessions.patch")
    proof = await climb(gateway)
    assert (proof.is_stopped, proof.rung) == (True, "archive")
    assert gateway.called("sessions.patch") == [{"key": DIRECT, "archived": True, "expectedSessionId": "s-2"}]


async def test_the_main_session_is_never_archived_and_the_failure_says_what_is_left(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1", yields_to="nothing")
    proof = await climb(gateway)
    assert not proof.is_stopped
    assert gateway.called("sessions.patch") == []
    assert "1 session of it still runs after archive: agent:main:main" in proof.message
    assert "restart the gateway" in proof.message


async def test_a_refusal_is_told_with_the_failure(gateway: StandInGateway) -> None:
    gateway.add(MAIN, "s-1", run_id="r1", yields_to="nothing")
    for method in ("sessions.abort", "chat.abort", "chat.send"):
        gateway.refusals[method] = Refusal("FORBIDDEN", "missing scope: operator.write")
    proof = await climb(gateway)
    assert not proof.is_stopped
    assert "missing scope: operator.write" in proof.message


async def test_a_pause_leaves_sessions_as_they_are(gateway: StandInGateway) -> None:
    gateway.add(DIRECT, "s-2", run_id="r2", yields_to="sessions.patch")
    proof = await climb(gateway, gently=True)
    assert not proof.is_stopped
    assert gateway.called("sessions.patch") == []


async def test_a_gateway_that_lists_nothing_proves_nothing(gateway: StandInGateway) -> None:
    gateway.refusals["sessions.list"] = Refusal("FORBIDDEN", "missing scope: operator.read")
    proof = await climb(gateway)
    assert not proof.is_stopped
    assert "does not list its sessions" in proof.message
