"""One message per alert and chat, through every kind of trouble with the API."""

from __future__ import annotations

import json

import pytest
from clawatch_plugins.telegram import open_telegram, register_notifiers
from clawatch_plugins.telegram.settings import TelegramSettings

from clawatch.domain.alerts import AlertState, Reason, Severity
from clawatch.domain.deliveries import Delivered, RetryLater, Undeliverable
from clawatch.domain.time import MINUTE, SECOND
from clawatch.testing.telegram import (
    BLOCKED,
    BROKEN,
    CAPTIVE,
    HANG,
    NO_CHAT,
    REVOKED,
    BotApi,
    Fault,
    bad_request,
    flood,
    moved_to,
)


async def test_an_alert_is_sent_once_and_then_edited(world):
    async with world.bot() as bot:
        fired = await bot.deliver(world.told())
        assert fired == Delivered('{"77":[1]}')
        world.change(state=AlertState.RESOLVED, resolved_at=world.core.clock.now().wall)
        resolved = await bot.deliver(world.told(Reason.RESOLVED, "out_2", ref=fired.ref))
    assert resolved == fired
    assert [call.method for call in world.api.calls if "Message" in call.method] == ["sendMessage", "editMessageText"]
    assert "resolved" in world.api.last(77).text
    assert world.api.last(77).labels == [["Open"]]


async def test_the_message_reads_as_the_contract_says_cw_57(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
    shown = world.api.last(77)
    assert shown.text.startswith(
        "🔴 ClaWatch Alert\nType: stuck\nSeverity: critical\nAgent: Builder (build-1)\n\nAgent stuck — no heartbeat"
    )
    assert "Since: 2026-03-09 13:55 UTC, for 5 min" in shown.text


async def test_buttons_act_and_link_to_the_dashboard_cw_56(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
    shown = world.api.last(77)
    assert shown.labels == [["⏸ Pause"], ["✔️ Acknowledge", "🔕 Silence 1h"], ["Open", "View Agent"]]
    assert shown.button("Open")["url"] == f"http://127.0.0.1:8787/alerts/{world.alert.id}"
    assert shown.button("View Agent")["url"] == "http://127.0.0.1:8787/agents/build-1"


@pytest.mark.parametrize("reason", [Reason.RAISED, Reason.REPEATED, Reason.UNSILENCED])
async def test_what_rings_again_is_a_new_message_and_the_first_one_shows_it_too(world, reason):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        world.change(message="worse")
        again = await bot.deliver(world.told(reason, "out_2", ref=first.ref))
        third = await bot.deliver(world.told(reason, "out_3", ref=again.ref))
    assert again == Delivered('{"77":[1,2]}')
    assert third == Delivered('{"77":[1,3]}')
    assert all("worse" in shown.text for shown in world.api.shown.values())


async def test_an_update_without_a_message_and_a_silenced_alert_send_nothing(world):
    async with world.bot() as bot:
        for reason, quiet in ((Reason.UPDATED, True), (Reason.RESOLVED, False), (Reason.FIRED, True)):
            assert await bot.deliver(world.told(reason, is_quiet=quiet)) == Delivered(None)
    assert not world.api.of("sendMessage")


async def test_a_silenced_alert_that_is_raised_is_edited_without_ringing(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        world.change(severity=Severity.CRITICAL, message="worse")
        assert await bot.deliver(world.told(Reason.RAISED, "out_2", ref=first.ref, is_quiet=True)) == first
    assert len(world.api.of("sendMessage")) == 1
    assert "worse" in world.api.last(77).text


async def test_a_message_that_says_it_already_counts_as_delivered(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        assert await bot.deliver(world.told(Reason.UPDATED, "out_2", ref=first.ref)) == first
    assert len(world.api.of("editMessageText")) == 1


async def test_a_deleted_message_is_sent_anew_unless_quiet(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        world.api.shown.clear()
        quiet = await bot.deliver(world.told(Reason.UPDATED, "out_2", ref=first.ref, is_quiet=True))
        assert quiet == Delivered("{}")
        assert await bot.deliver(world.told(Reason.RESOLVED, "out_3", ref=first.ref)) == Delivered('{"77":[2]}')


async def test_a_summary_is_edited_as_it_grows(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.notice("11 more alerts", Reason.SUMMARY))
        grown = await bot.deliver(world.notice("12 more alerts", Reason.SUMMARY, ref=first.ref))
    assert grown == first
    assert "12 more alerts" in world.api.last(77).text
    assert world.api.last(77).labels == [["View Alerts"]]


async def test_a_notice_and_a_test_are_messages_of_their_own(world):
    async with world.bot() as bot:
        await bot.deliver(world.notice("disk full"))
        await bot.deliver(world.notice("This is a test", Reason.TEST, id="out_2"))
    assert [shown.text for shown in world.api.shown.values()] == [
        "🔴 ClaWatch\n\ndisk full", "🔔 ClaWatch test\n\nThis is a test"
    ]


# -- trouble


async def test_a_flood_limit_is_waited_out_as_long_as_asked(world):
    world.api.fail("sendMessage", flood(7))
    async with world.bot() as bot:
        assert await bot.deliver(world.told()) == RetryLater("Telegram asks us to wait", 7 * SECOND)
        assert await bot.deliver(world.told()) == Delivered('{"77":[1]}')


@pytest.mark.parametrize("fault", [BROKEN, CAPTIVE, Fault(500, "x"), Fault(502, raw=b"<html>"), Fault(409, "x")])
async def test_a_broken_api_is_tried_again(world, fault):
    world.api.fail("sendMessage", fault)
    async with world.bot() as bot:
        assert isinstance(await bot.deliver(world.told()), RetryLater)
        assert await bot.deliver(world.told()) == Delivered('{"77":[1]}')


async def test_an_api_that_does_not_answer_is_given_up_for_now(world):
    world.api.fail("sendMessage", HANG)
    async with world.bot(timeout="200ms") as bot:
        outcome = await bot.deliver(world.told())
    assert outcome == RetryLater("the Bot API is out of reach: Timed out")


async def test_an_api_that_refuses_connections_is_tried_again(world):
    async with world.bot() as bot:
        await world.api.stop()
        assert isinstance(await bot.deliver(world.told()), RetryLater)
        await world.api.start()
        assert await bot.deliver(world.told()) == Delivered('{"77":[1]}')


@pytest.mark.parametrize("fault", [REVOKED, Fault(404, "Not Found")])
async def test_a_revoked_token_loses_nothing_and_says_what_to_do(world, fault):
    world.api.always(fault)
    async with world.bot(chats=[77, 78]) as bot:
        outcome = await bot.deliver(world.told())
        assert isinstance(outcome, RetryLater)
        assert "put a valid one into bot_token" in outcome.why
        assert len(world.api.of("sendMessage")) == 1
        world.api.heal()
        assert await bot.deliver(world.told()) == Delivered('{"77":[1],"78":[2]}')


@pytest.mark.parametrize("fault", [BLOCKED, NO_CHAT, bad_request("not enough rights to send text messages")])
async def test_a_chat_that_is_lost_does_not_hold_up_the_others(world, fault):
    world.api.faults_by_chat[77] = fault
    async with world.bot(chats=[77, 78]) as bot:
        assert await bot.deliver(world.told()) == Delivered('{"78":[1]}')
    assert "telegram.chat_refused" in world.core.log.events("warning")


async def test_when_every_chat_is_lost_it_is_undeliverable(world):
    world.api.always(BLOCKED, "sendMessage")
    async with world.bot(chats=[77, 78]) as bot:
        assert await bot.deliver(world.told()) == Undeliverable("Forbidden: bot was blocked by the user")


async def test_a_retry_goes_only_to_the_chats_that_lack_it(world):
    world.api.faults_by_chat[78] = flood(3)
    async with world.bot(chats=[77, 78, 79]) as bot:
        assert await bot.deliver(world.told()) == RetryLater("Telegram asks us to wait", 3 * SECOND)
        world.api.heal()
        assert await bot.deliver(world.told()) == Delivered('{"77":[1],"79":[2],"78":[3]}')
    assert [call.chat for call in world.api.of("sendMessage")] == [77, 78, 79, 78]


async def test_a_delivery_cut_short_remembers_whom_it_told(world):
    import asyncio

    world.api.faults_by_chat[78] = HANG
    async with world.bot(chats=[77, 78]) as bot:
        delivery = asyncio.create_task(bot.deliver(world.told()))
        await world.api.called("sendMessage", 2)
        delivery.cancel()
        await asyncio.wait([delivery])
        world.api.heal()
        await bot.deliver(world.told())
    assert [call.chat for call in world.api.of("sendMessage")] == [77, 78, 78]


async def test_a_group_that_became_a_supergroup_is_followed(world):
    world.api.faults_by_chat[-5] = moved_to(-1005)
    async with world.bot(chats=[-5], users=[9]) as bot:
        assert await bot.deliver(world.told()) == Delivered('{"-5":[1]}')
        shown = world.api.last(-1005)
        await world.api.press(shown.button("Acknowledge"), shown, user=9)
        await world.api.called("answerCallbackQuery")
    assert world.core.done


async def test_links_that_are_refused_are_left_out(world):
    world.core.access.public_url = "http://watchbox:8787"
    async with world.bot() as bot:
        assert isinstance(await bot.deliver(world.told()), Delivered)
    assert world.api.last(77).labels == [["⏸ Pause"], ["✔️ Acknowledge", "🔕 Silence 1h"]]
    assert len(world.api.of("sendMessage")) == 2


async def test_markup_that_is_refused_is_left_out_as_well(world):
    refused = bad_request("can't parse entities")
    world.api.fail("sendMessage", refused, refused)
    async with world.bot() as bot:
        await bot.deliver(world.told())
    assert "<b>" not in world.api.last(77).source
    assert "parse_mode" not in world.api.of("sendMessage")[-1].data


async def test_what_is_refused_in_every_form_is_undeliverable(world):
    world.api.always(bad_request("no"), "sendMessage")
    async with world.bot() as bot:
        assert await bot.deliver(world.told()) == Undeliverable("No")
    assert len(world.api.of("sendMessage")) == 3


async def test_an_edit_that_is_refused_for_its_links_is_tried_without(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        world.core.access.public_url = "http://watchbox:8787"
        world.change(message="worse")
        assert await bot.deliver(world.told(Reason.UPDATED, "out_2", ref=first.ref)) == first
    assert "worse" in world.api.last(77).text


async def test_a_ref_of_somebody_else_is_ignored(world):
    async with world.bot() as bot:
        for number, ref in enumerate(("nonsense", "[1]", '{"x":[1]}', "")):
            assert isinstance(await bot.deliver(world.told(id=f"out_{number}", ref=ref)), Delivered)
    assert len(world.api.shown) == 4


async def test_the_ref_names_the_messages_by_chat(world):
    async with world.bot(chats=[77, -1001, 77]) as bot:
        outcome = await bot.deliver(world.told())
    assert json.loads(outcome.ref) == {"77": [1], "-1001": [2]}


async def test_opening_does_not_touch_the_network(world):
    await world.api.stop()
    async with open_telegram(world.settings(), world.core):
        pass
    assert not world.api.calls


async def test_without_a_token_or_a_chat_nothing_is_sent_cw_58(world):
    for settings in (TelegramSettings(), world.settings(chats=[]), world.settings(bot_token="")):
        assert not settings.is_configured
        async with open_telegram(settings, world.core) as notifier:
            assert isinstance(await notifier.deliver(world.told()), Undeliverable)
    assert not world.api.calls


async def test_a_message_is_for_how_long_it_was_firing(world):
    async with world.bot() as bot:
        first = await bot.deliver(world.told())
        now = world.core.clock.advance(7 * MINUTE).wall
        world.change(state=AlertState.RESOLVED, resolved_at=now)
        await bot.deliver(world.told(Reason.RESOLVED, "out_2", ref=first.ref))
    assert "Resolved after 12 min, 2026-03-09 14:07 UTC" in world.api.last(77).text


def test_the_plugin_registers_its_notifier():
    (contribution,) = register_notifiers()
    assert (contribution.name, contribution.settings) == ("telegram", TelegramSettings)


@pytest.mark.parametrize(
    "wrong", [{"bot_token": "a/b"}, {"bot_token": "a b"}, {"api_url": "api.telegram.org"}, {"chats": ["@me"]}, {"x": 1}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError) as refused:
        TelegramSettings.model_validate(wrong)
    assert "a/b" not in str(refused.value)


def test_the_people_of_private_chats_are_the_users_unless_others_are_named():
    assert TelegramSettings(chats=(5, -100)).operators == {5}
    assert TelegramSettings(chats=(5, -100), users=(9,)).operators == {9}


async def test_two_stand_ins_do_not_know_each_other():
    async with BotApi() as one, BotApi("1:other") as two:
        assert one.url != two.url
