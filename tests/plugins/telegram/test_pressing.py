"""A press acts, is answered with what truly happened, and is shown; anybody else's does nothing."""

from __future__ import annotations

import pytest
from clawatch_plugins.telegram.callbacks import Action, Signer

from clawatch.domain.access import Scope
from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertState, Mark
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.time import HOUR
from clawatch.ports import StoreUnavailable
from clawatch.testing.telegram import BOT, flood


async def pressed(world, words, user=77, chats=(77,), **changes):
    """Send the alert, press the button with these words, and wait for the answer; its text."""
    settings = {"chats": list(chats)}
    if "users" in changes:
        settings["users"] = changes.pop("users")
    async with world.bot(**settings) as bot:
        await bot.deliver(world.told())
        shown = world.api.last(chats[0])
        await world.api.press(shown.button(words), shown, user, **changes)
        answer = await world.api.called("answerCallbackQuery")
        await world.api.say("/help", chats[0], 77)
        await world.api.until(lambda: len(world.api.of("sendMessage")) > len(chats) or not world.core.done)
    return answer.text


@pytest.mark.parametrize(
    ("state", "message", "words"),
    [
        (CommandState.REQUESTED, "", "Builder: asked to pause; waiting for the agent."),
        (CommandState.DELIVERED, "", "Builder: asked to pause, delivered; waiting for the agent."),
        (CommandState.CONFIRMED, "", "Builder: paused, confirmed."),
        (CommandState.UNSUPPORTED, "", "Builder: cannot be paused."),
        (CommandState.FAILED, "two processes left", "Builder: could not pause: two processes left"),
    ],
)
async def test_pause_asks_the_agent_and_says_how_far_it_came(world, state, message, words):
    world.core.answer, world.core.message = state, message
    assert await pressed(world, "Pause") == words
    ((verb, agent_id, principal, alert_id),) = world.core.done
    assert (verb, agent_id, alert_id) == (CommandType.PAUSE, "build-1", world.alert.id)
    assert (principal.via, principal.user, principal.agents) == ("telegram", "telegram:user77", ("*",))
    assert principal.scopes == {Scope.READ, Scope.CONTROL}


async def test_the_message_shows_the_command_and_offers_the_way_back(world):
    await pressed(world, "Pause")
    shown = world.api.shown[77, 1]
    assert "Control: asked to pause (by telegram:user77)" in shown.text
    assert shown.labels[0] == ["▶️ Resume"]


@pytest.mark.parametrize(
    ("control", "label", "verb"),
    [(Control.PAUSED, "Resume", CommandType.RESUME), (Control.STOPPED, "Start", CommandType.START)],
)
async def test_a_paused_agent_is_resumed_and_a_stopped_one_started(world, control, label, verb):
    world.control_is(control)
    await pressed(world, label)
    assert world.core.done[0][0] is verb


async def test_a_press_that_changes_nothing_says_so(world):
    async def nothing(agent_id, verb, principal, alert_id=None):
        world.core.done.append(verb)
        return world.agent, None

    world.core.control = nothing
    assert await pressed(world, "Pause") == "Builder: nothing to do, it is pending."


async def test_acknowledge_names_who_did_and_can_be_taken_back(world):
    assert await pressed(world, "Acknowledge") == "Acknowledged by telegram:user77."
    shown = world.api.shown[77, 1]
    assert "Acknowledged by telegram:user77, 2026-03-09 14:00 UTC" in shown.text
    assert shown.labels[1] == ["Unacknowledge", "🔕 Silence 1h"]


async def test_unacknowledge(world):
    world.change(acknowledged=Mark(by="ops", at=1))
    assert await pressed(world, "Unacknowledge") == "No longer acknowledged."
    assert world.core.done[0][3] is False


async def test_silence_lasts_an_hour_and_shows_until_when(world):
    assert await pressed(world, "Silence 1h") == "Silenced until 2026-03-09 15:00 UTC."
    assert world.core.done == [("silence", HOUR, "*", world.alert.id)]
    assert "Silenced until 2026-03-09 15:00 UTC" in world.api.shown[77, 1].text


async def test_a_listed_user_may_press_in_a_listed_group(world):
    await pressed(world, "Pause", user=9, chats=(-100,), users=[9, 77])
    assert world.core.done[0][2].user == "telegram:user9"


async def test_an_old_button_of_a_resolved_alert_disappears(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        world.change(state=AlertState.RESOLVED, resolved_at=world.core.clock.now().wall)
        await world.api.press(shown.button("Acknowledge"), shown, 77)
        await world.api.called("editMessageText")
    assert shown.labels == [["Open"]]


async def test_an_alert_that_is_gone_is_a_refusal_in_words(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        world.core.known_alerts.clear()
        shown = world.api.last(77)
        await world.api.press(shown.button("Pause"), shown, 77)
        answer = await world.api.called("answerCallbackQuery")
    assert (answer.text, answer.data["show_alert"]) == ("Not done: Alert not found", "true")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreUnavailable("the disk is full"), "Not done: the disk is full"),
        (KeyError("secret"), "That went wrong; the log of ClaWatch says why."),
    ],
)
async def test_a_press_that_fails_is_answered_and_the_next_one_works(world, error, words):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        world.core.error = error
        await world.api.press(shown.button("Pause"), shown, 77)
        answer = await world.api.called("answerCallbackQuery")
        world.core.error = None
        await world.api.press(shown.button("Pause"), shown, 77)
        await world.api.called("answerCallbackQuery", 2)
    assert answer.text == words
    assert len(world.core.done) == 1


async def test_a_press_works_when_the_answer_and_the_edit_do_not(world):
    world.api.fail("answerCallbackQuery", flood(5))
    world.api.fail("editMessageText", flood(5))
    await pressed(world, "Pause")
    assert len(world.core.done) == 1


# -- who may not


def anonymous(chat):
    return {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


@pytest.mark.parametrize(
    ("chats", "user", "changes", "why"),
    [
        ((77,), 5, {}, "your id (5) is not listed in users"),
        ((-100,), 9, {}, "your id (9) is not listed in users"),
        ((77,), 77, {"users": [9]}, "your id (77) is not listed in users"),
        ((-100,), 77, {"users": [1087968824], "from": anonymous(-100)}, "nobody is recognisable"),
        ((-100,), 77, {"users": [77], "from": BOT}, "nobody is recognisable"),
        ((-100,), 77, {"users": [77], "chat": {"id": -100, "type": "channel", "title": "C"}}, "nobody is recogn"),
        ((77,), 77, {"chat": {"id": 5, "type": "private", "first_name": "E"}}, "this chat (5) is not listed"),
    ],
)
async def test_a_press_of_anybody_else_is_answered_logged_and_does_nothing(world, chats, user, changes, why):
    answer = await pressed(world, "Pause", user, chats, **changes)
    assert why in answer
    assert not world.core.done
    assert world.core.log.events("warning") == ["telegram.refused"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda data: "",
        lambda data: "p",
        lambda data: "p:alert_1:",
        lambda data: data[:-1],
        lambda data: data[:-1] + ("A" if data[-1] != "A" else "B"),
        lambda data: "r" + data[1:],
        lambda data: data.replace("alert_0", "alert_1"),
        lambda data: "x" + data[1:],
        lambda data: Signer("1:other").sign(Action.PAUSE, "alert_0123456789abcdefghjk", 77),
        lambda data: "p:é:\ud800",
    ],
)
async def test_forged_data_is_refused(world, forge):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        await world.api.press({"callback_data": forge(shown.button("Pause")["callback_data"])}, shown, 77)
        answer = await world.api.called("answerCallbackQuery")
    assert answer.text == "This button is not valid here."
    assert not world.core.done


async def test_a_button_counts_only_in_the_chat_it_was_sent_to(world):
    async with world.bot(chats=[77, 78]) as bot:
        await bot.deliver(world.told())
        mine, other = world.api.last(77), world.api.last(78)
        await world.api.press(mine.button("Pause"), other, 78)
        answer = await world.api.called("answerCallbackQuery")
    assert answer.text == "This button is not valid here."
    assert not world.core.done


async def test_a_stranger_is_logged_once_however_often_they_press(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        for number in range(1, 4):
            await world.api.press(shown.button("Pause"), shown, 5)
            await world.api.called("answerCallbackQuery", number)
    assert world.core.log.events("warning") == ["telegram.refused"]


async def test_a_press_on_a_message_that_telegram_no_longer_shows_still_counts(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        chat = {"id": 77, "type": "private", "first_name": "Ada"}
        await world.api.press(shown.button("Pause"), shown, 77, message={"message_id": 1, "date": 0, "chat": chat})
        await world.api.called("answerCallbackQuery")
    assert world.core.done


async def test_a_press_without_a_message_is_refused(world):
    async with world.bot() as bot:
        await bot.deliver(world.told())
        shown = world.api.last(77)
        await world.api.press(shown.button("Pause"), shown, 77, message=None, inline_message_id="x")
        await world.api.called("answerCallbackQuery")
    assert not world.core.done
