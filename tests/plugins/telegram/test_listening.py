"""Listening for updates outlives every outage, says so once, and never shows the token (CW-03)."""

from __future__ import annotations

import logging

import pytest

from clawatch.domain.deliveries import RetryLater
from clawatch.testing.telegram import BROKEN, CAPTIVE, REVOKED, TOKEN, BotApi, Fault, flood


async def answered(world, times=1):
    await world.api.say("/help", 77, 77)
    await world.api.called("sendMessage", times)


async def test_an_api_that_is_down_at_the_start_is_listened_to_once_it_is_up(world):
    await world.api.stop()
    async with world.bot() as bot:
        assert isinstance(await bot.deliver(world.told()), RetryLater)
        await world.api.start()
        await answered(world)
    assert world.core.log.events("warning", "info") == [
        "telegram.unreachable", "telegram.connected", "telegram.command"
    ]


async def test_a_long_outage_is_one_line_and_its_end_another(world):
    async with world.bot():
        await answered(world)
        world.api.always(BROKEN)
        failed = len(world.api.calls) + 20
        await world.api.until(lambda: len(world.api.calls) >= failed)
        world.api.heal()
        await answered(world, 2)
    assert world.core.log.events("warning") == ["telegram.unreachable"]
    assert world.core.log.events("info").count("telegram.connected") == 2


async def test_one_failed_poll_is_not_worth_a_line(world):
    world.api.fail("getUpdates", BROKEN)
    async with world.bot():
        await answered(world)
        world.api.fail("getUpdates", BROKEN)
        await answered(world, 2)
    assert world.core.log.events("warning") == ["telegram.unreachable"]


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        (REVOKED, "telegram.token_refused"),
        (Fault(404, "Not Found"), "telegram.token_refused"),
        (Fault(409, "Conflict: terminated by other getUpdates request"), "telegram.listened_elsewhere"),
        (CAPTIVE, "telegram.unreachable"),
        (Fault(403, "Forbidden"), "telegram.refused"),
    ],
)
async def test_each_kind_of_trouble_is_named_once(world, fault, event):
    world.api.always(fault)
    async with world.bot():
        await world.api.until(lambda: len(world.api.calls) >= 10)
        world.api.heal()
        await answered(world)
    assert world.core.log.events("warning") == [event]


async def test_a_webhook_set_by_somebody_is_removed(world):
    world.api.webhook = "https://elsewhere.example"
    async with world.bot():
        await answered(world)
        world.api.webhook = "https://elsewhere.example"
        await answered(world, 2)
    assert world.api.webhook == ""


async def test_an_update_is_handled_once(world):
    async with world.bot():
        await answered(world)
        await answered(world, 2)
        polls = len(world.api.of("getUpdates"))
        await world.api.called("getUpdates", polls)
    assert len(world.api.of("sendMessage")) == 2
    offsets = [int(call.data["offset"]) for call in world.api.of("getUpdates") if "offset" in call.data]
    assert offsets == sorted(offsets)


async def test_a_reply_that_cannot_be_sent_does_not_stop_the_ear(world):
    world.api.fail("sendMessage", flood(9))
    async with world.bot():
        await answered(world)
        await answered(world, 2)
    assert world.core.log.events("error") == ["telegram.update_failed"]


async def test_closing_does_not_wait_for_the_long_poll(world):
    async with world.bot():
        await world.api.called("getUpdates")


@pytest.mark.parametrize(
    "fault",
    [
        None,
        REVOKED,
        BROKEN,
        Fault(502, raw=f"cannot reach http://x/bot{TOKEN}/getMe".encode()),
        Fault(500, f"bot{TOKEN.replace(':', '%3A')} failed"),
        Fault(403, f"no {TOKEN}"),
        Fault(200, raw=f"<html>{TOKEN}</html>".encode()),
    ],
)
async def test_the_token_is_in_no_log_line_outcome_or_repr_cw_03(world, fault, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    if fault is not None:
        world.api.always(fault)
    async with world.bot() as bot:
        outcome = await bot.deliver(world.told())
        await world.api.until(lambda: len(world.api.calls) >= 5)
        shown = repr((outcome, bot, vars(bot), world.settings(), world.core.log.lines))
    secret = TOKEN.partition(":")[2]
    assert secret not in shown
    assert secret not in caplog.text
    assert not [record for record in caplog.records if secret in repr(record.__dict__)]
    assert not [record for record in caplog.records if record.name == "httpx"]


async def test_a_login_link_is_in_no_log_line(world, caplog):
    caplog.set_level(logging.DEBUG)
    async with world.bot():
        await world.api.say("/login", 77, 77)
        assert "once_only" in (await world.api.called("sendMessage")).text
    assert "once_only" not in caplog.text
    assert "once_only" not in repr(world.core.log.lines)


async def test_the_loggers_are_left_as_they_were(world):
    before = logging.getLogger("httpx").filters[:]
    async with world.bot():
        assert len(logging.getLogger("httpx").filters) == len(before) + 1
    assert logging.getLogger("httpx").filters == before


async def test_another_clients_requests_stay_in_the_log(world, caplog):
    caplog.set_level(logging.INFO)
    async with world.bot():
        logging.getLogger("httpx").info("HTTP Request: %s", "https://example.com")
    assert "https://example.com" in caplog.text


async def test_a_token_the_api_does_not_know_is_refused_by_the_stand_in(world):
    async with BotApi("1:known") as api, world.bot(api_url=api.url) as bot:
        assert isinstance(await bot.deliver(world.told()), RetryLater)
