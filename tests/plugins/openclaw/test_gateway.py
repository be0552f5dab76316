"""The connection: the handshake, what it is refused, and that it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession
from clawatch_plugins.openclaw import gateway as module
from clawatch_plugins.openclaw.device import Device, load_device
from clawatch_plugins.openclaw.frames import Refused
from clawatch_plugins.openclaw.gateway import Address, Gateway, Unreachable
from clawatch_plugins.openclaw.rows import Rows

from clawatch.ports import PassingMarks
from clawatch.testing.openclaw import Refusal, StandInGateway


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(module, "CHALLENGE_WITHIN", 0.3)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connecting(stand_in: StandInGateway, token: str = "gateway-token", device: Device | None = None) -> AsyncIterator[Gateway]:  # noqa: E501
    kept: list[str | None] = []

    async def keep(value: str | None) -> None:
        kept.append(value)
        assert gateway.device is not None
        gateway.device.token = value or ""

    async with ClientSession() as session:
        gateway = Gateway(lambda: Address(stand_in.url, token), lambda: session, structlog.get_logger(), keep)
        gateway.device = device or await load_device(PassingMarks(), "openclaw")
        running = asyncio.create_task(gateway.run())
        try:
            yield gateway
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_the_device_proves_who_it_is_and_is_let_in(gateway: StandInGateway) -> None:
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        assert (ours.state, ours.may("operator.write"), ours.has("sessions.abort")) == ("ok", True, True)
        (asked,) = gateway.connects
        assert (asked["client"]["id"], asked["client"]["mode"]) == ("gateway-client", "backend")
        assert (asked["role"], asked["scopes"]) == ("operator", ["operator.read", "operator.write"])


async def test_a_device_is_the_same_after_a_restart() -> None:
    marks = PassingMarks()
    first, second = await load_device(marks, "openclaw"), await load_device(marks, "openclaw")
    assert first.id == second.id
    assert (await load_device(marks, "other")).id != first.id


async def test_an_older_gateway_is_spoken_to_in_its_own_version(gateway: StandInGateway) -> None:
    gateway.protocol = 3
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        assert [asked["maxProtocol"] for asked in gateway.connects] == [4, 3]


async def test_a_device_that_waits_for_approval_says_how_it_is_given(gateway: StandInGateway) -> None:
    gateway.approved = False
    async with connecting(gateway) as ours:
        await until(lambda: ours.state == "device not approved")
        assert ours.detail.endswith("openclaw devices approve req-7")
        gateway.approved = True
        await until(lambda: ours.is_open)


async def test_a_wrong_token_is_told(gateway: StandInGateway) -> None:
    async with connecting(gateway, token="wrong") as ours:
        await until(lambda: ours.state == "token refused")


async def test_the_token_of_the_device_lets_it_in_without_the_shared_one(gateway: StandInGateway) -> None:
    device = await load_device(PassingMarks(), "openclaw")
    device.token = f"device-{device.id[:8]}"
    async with connecting(gateway, token="", device=device) as ours:
        await until(lambda: ours.is_open)


async def test_it_comes_back_after_the_gateway_has_gone(gateway: StandInGateway) -> None:
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        await gateway.stop()
        await until(lambda: not ours.is_open)
        with pytest.raises(Unreachable):
            await ours.request("sessions.list")
        await until(lambda: ours.state == "unreachable")
        await gateway.start()
        await until(lambda: ours.is_open)


async def test_a_gateway_that_takes_connections_and_says_nothing_hangs(gateway: StandInGateway) -> None:
    gateway.is_mute = True
    async with connecting(gateway) as ours:
        await until(lambda: ours.state == "handshake hangs")


async def test_a_gateway_that_falls_silent_is_left(gateway: StandInGateway) -> None:
    gateway.tick_ms = 50
    async with connecting(gateway) as ours:
        await until(lambda: len(gateway.connects) >= 2)
        assert ours.state in ("ok", "unreachable")


async def test_a_refusal_says_what_the_gateway_said(gateway: StandInGateway) -> None:
    gateway.refusals["sessions.list"] = Refusal("FORBIDDEN", "missing scope", code="MISSING_SCOPE")
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        with pytest.raises(Refused, match="FORBIDDEN: missing scope"):
            await ours.request("sessions.list")


async def test_a_lost_event_is_noticed_by_its_number(gateway: StandInGateway) -> None:
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        await gateway.tell("tick", {})
        await gateway.tell("tick", {})
        await until(lambda: ours.events.qsize() == 2)
        assert not ours.has_gap.is_set()
        await gateway.tell("tick", {}, skip=3)
        await until(ours.has_gap.is_set)


async def test_a_large_frame_is_taken(gateway: StandInGateway) -> None:
    for number in range(5_000):
        gateway.add(f"agent:main:telegram:direct:{number}:{'x' * 400}", f"s-{number}")
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        rows = Rows(ours)
        await rows.refresh()
        assert len(rows.all) == 5_000


async def test_children_belong_to_the_agent_that_has_spawned_them(gateway: StandInGateway) -> None:
    gateway.add("agent:main:main", "s-1")
    gateway.add("agent:coder:subagent:1", "s-2", agent_id="coder", parent="agent:main:main", run_id="r")
    gateway.add("agent:coder:subagent:2", "s-3", agent_id="coder", parent="agent:coder:subagent:1", run_id="r")
    gateway.add("agent:other:main", "s-4", agent_id="other", run_id="r")
    async with connecting(gateway) as ours:
        await until(lambda: ours.is_open)
        rows = Rows(ours)
        await rows.refresh()
        assert {row.session_id for row in rows.active("main")} == {"s-2", "s-3"}
        assert {row.session_id for row in rows.active("other")} == {"s-4"}
