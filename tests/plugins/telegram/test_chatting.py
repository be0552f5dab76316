"""Chat commands: who may, which agent is meant, what comes back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Silence
from clawatch.domain.commands import CommandType
from clawatch.domain.events import Activity
from clawatch.domain.time import HOUR, MINUTE
from clawatch.testing.clock import START
from clawatch.testing.telegram import bad_request


async def asked(world, text, chat=77, user=77, settings=None, **changes):
    """Say it; what came back."""
    async with world.bot(**settings or {}):
        await world.api.say(text, chat, user, **changes)
        answer = await world.api.called("sendMessage")
    return world.api.shown[answer.chat, max(number for _, number in world.api.shown)].text


async def ignored(world, text, chat=77, user=77, settings=None, **changes):
    """Say it, then something that is answered; only that was."""
    async with world.bot(**settings or {}):
        await world.api.say(text, chat, user, **changes)
        await world.api.say("/help", 77, 77)
        await world.api.called("sendMessage")
    assert len(world.api.of("sendMessage")) == 1
    assert "/status" in world.api.of("sendMessage")[0].text


async def test_help_lists_every_command_and_so_does_the_menu(world):
    text = await asked(world, "/help")
    (menu,) = world.api.of("setMyCommands")
    assert [line.split(" ")[0] for line in text.splitlines()] == [f"/{c['command']}" for c in menu.data["commands"]]


async def test_status_counts_agents_and_names_what_fires(world):
    world.core.known_agents["x"] = Agent(id="x", name="X", created_at=0, activity=Activity.RUNNING)
    text = await asked(world, "/status")
    assert text.startswith("ClaWatch 1.2.3: ok\n🟢 1 running\n⚪ 1 pending\n✉️ 2 messages wait")
    assert "Firing: 1\n🔴 build-1 Agent stuck — no heartbeat for 5 minutes (5 min)" in text


async def test_agents_are_listed_worst_first(world):
    world.core.known_agents["s"] = Agent(id="s", name="Silent", created_at=0, is_silent=True, last_seen=START - HOUR)
    text = await asked(world, "/agents")
    assert text.splitlines() == ["Agents: 2", "🔴 Silent stuck, 1 h ago, $0.00", "⚪ Builder pending, 0 s ago, $12.34"]


async def test_costs_are_of_the_last_day_and_of_all_time(world):
    world.core.known_agents["build-1"] = replace(world.agent, unpriced_tokens=1234)
    text = await asked(world, "/costs")
    assert text.startswith("Last 24 h: $6.17\nAll time: $12.34\nBeside that 1,234 tokens")
    assert text.endswith("$6.17 Builder")


async def test_an_empty_fleet_is_said_in_words(world):
    world.core.known_agents.clear()
    assert await asked(world, "/agents") == "No agent has reported yet."


@pytest.mark.parametrize("name", ["build-1", "Builder", "builder", "BUILD-1", "  Builder  "])
async def test_pause_takes_a_name_or_an_id(world, name):
    assert await asked(world, f"/pause {name}") == "Builder: asked to pause; waiting for the agent."
    assert world.core.done[0][:2] == (CommandType.PAUSE, "build-1")


async def test_resume_takes_names_with_spaces(world):
    world.core.known_agents["b"] = Agent(id="b", name="night  shift", created_at=0)
    await asked(world, "/resume@clawatch_test_bot night  shift")
    assert world.core.done[0][:2] == (CommandType.RESUME, "b")


async def test_an_exact_id_wins_over_anothers_name(world):
    world.core.known_agents = {"evil": Agent(id="evil", name="build-1", created_at=0), **world.core.known_agents}
    await asked(world, "/pause build-1")
    assert world.core.done[0][1] == "build-1"


async def test_an_ambiguous_name_is_answered_with_the_ids(world):
    world.core.known_agents["build-2"] = Agent(id="build-2", name="Builder", created_at=0)
    text = await asked(world, "/pause Builder")
    assert text == "More than one is called that; take the id:\nbuild-1 (Builder)\nbuild-2 (Builder)"
    assert not world.core.done


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/pause", "Which agent? Write its name or id after the command."),
        ("/pause nobody", "There is no agent nobody."),
        ("/pause uild", "There is no agent uild. Is it one of these?\nbuild-1 (Builder)"),
        ("/pause <b>", "There is no agent <b>."),
    ],
)
async def test_an_unclear_name_pauses_nothing(world, text, answer):
    assert await asked(world, text) == answer
    assert not world.core.done


@pytest.mark.parametrize(
    ("text", "duration", "agent"),
    [
        ("/silence", HOUR, "*"),
        ("/silence 30m", 30 * MINUTE, "*"),
        ("/silence Builder", HOUR, "build-1"),
        ("/silence builder 2h", 2 * HOUR, "build-1"),
    ],
)
async def test_silence_takes_a_name_and_a_duration_or_neither(world, text, duration, agent):
    answer = await asked(world, text)
    assert world.core.done == [("silence", duration, agent, None)]
    assert answer.startswith("🔕 Silenced ")


async def test_a_silence_of_one_agent_is_no_pattern(world):
    world.core.known_agents["a[1]*"] = Agent(id="a[1]*", name="Odd", created_at=0)
    await asked(world, "/silence Odd")
    assert world.core.done[0][2] == "a[[]1][*]"


@pytest.mark.parametrize("command", ["/unsilence", "/unsilence Builder"])
async def test_a_silence_can_be_ended_early(world, command):
    world.core.known_silences.append(
        Silence(id="silence_1", created_at=0, expires_at=START + HOUR, by="me", agent="build-1")
    )
    assert await asked(world, command) == "🔔 Ended 1 silence."
    assert world.core.done == [("unsilence", "silence_1")]


async def test_without_a_silence_there_is_none_to_end(world):
    assert await asked(world, "/unsilence") == "Nothing is silenced."


@pytest.mark.parametrize("duration", ["0s", "31d", "999999999999999d"])
async def test_a_silence_has_bounds(world, duration):
    assert "lasts up to 30 d" in await asked(world, f"/silence {duration}")
    assert not world.core.done


async def test_login_gives_a_link_in_a_private_chat(world):
    text = await asked(world, "/login")
    assert text.endswith("http://localhost:8787/login#once_only")
    assert world.core.lives == [10 * MINUTE]


async def test_login_gives_none_in_a_group(world):
    text = await asked(world, "/login", chat=-100, settings={"chats": [-100, 77], "users": [77]})
    assert "private chat" in text
    assert not world.core.lives


async def test_a_topic_of_a_forum_is_answered_in_it(world):
    async with world.bot(chats=[-100], users=[77]):
        await world.api.say("/help", -100, 77, is_topic_message=True, message_thread_id=12)
        answer = await world.api.called("sendMessage")
    assert answer.data["message_thread_id"] == "12"


async def test_markup_that_is_refused_is_left_out(world):
    world.api.fail("sendMessage", bad_request("can't parse entities"))
    async with world.bot():
        await world.api.say("/agents", 77, 77)
        answer = await world.api.called("sendMessage", 2)
    assert "Agents: 1\n⚪ Builder" in answer.text


async def test_a_command_that_goes_wrong_says_so_and_the_next_one_works(world):
    async def broken():
        raise KeyError("x")

    world.core.system = broken
    async with world.bot():
        await world.api.say("/status", 77, 77)
        answer = await world.api.called("sendMessage")
        await world.api.say("/agents", 77, 77)
        await world.api.called("sendMessage", 2)
    assert answer.text == "That went wrong; the log of ClaWatch says why."
    assert world.core.log.events("error") == ["telegram.command_failed"]


# -- who may not


@pytest.mark.parametrize(
    ("chat", "user", "changes", "why"),
    [
        (5, 5, {}, "this chat (5) is not listed in chats"),
        (-100, 9, {}, "your id (9) is not listed in users"),
        (-100, 77, {"sender_chat": {"id": -100, "type": "supergroup", "title": "W"}}, "nobody is recognisable"),
        (-100, 77, {"from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}}, "nobody is recognisable"),
        (-100, 77, {"from": None, "chat": {"id": -100, "type": "channel", "title": "C"}}, "nobody is recognisable"),
    ],
)
async def test_a_command_of_anybody_else_is_answered_once_and_does_nothing(world, chat, user, changes, why):
    settings = {"chats": [-100, 77], "users": [77, 1087968824]}
    async with world.bot(**settings):
        for _ in range(3):
            await world.api.say("/pause Builder", chat, user, **changes)
        await world.api.say("/help", 77, 77)
        await world.api.called("sendMessage", 2)
    refusal, helped = world.api.of("sendMessage")
    assert why in refusal.text
    assert "/status" in helped.text
    assert not world.core.done
    assert world.core.log.events("warning") == ["telegram.refused"]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("pause Builder", {}),
        ("/pause@another_bot Builder", {}),
        ("/unknown", {}),
        ("/", {}),
        ("/pause Builder", {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "E"}}),
        ("/pause Builder", {"via_bot": {"id": 3, "is_bot": True, "first_name": "B"}}),
        ("", {"photo": [], "caption": "/pause Builder"}),
    ],
)
async def test_what_is_no_command_to_us_is_ignored(world, text, changes):
    if not text:
        changes["entities"] = []
    await ignored(world, text or " ", **changes)
    assert not world.core.done
