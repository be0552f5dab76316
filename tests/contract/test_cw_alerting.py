"""The ClaWatch contract's alerts and notifications, line by line, through the whole daemon."""

from __future__ import annotations

from typing import Any

import pytest

from clawatch.domain.time import HOUR, MINUTE, SECOND, iso
from clawatch.testing.telegram import HANG, TOKEN, BotApi

CHAT = 4711


async def pass_time(cw: Any, by: int) -> None:
    cw.clock.advance(by)
    await cw.settle()


# -- stuck


async def test_cw_50_five_minutes_of_silence_are_not_stuck_and_a_moment_more_is(cw: Any) -> None:
    await cw.say("a", agentName="my-assistant")
    await pass_time(cw, 5 * MINUTE)
    assert (await cw.agent())["status"] == "running"
    assert await cw.alerts() == []
    await pass_time(cw, SECOND)
    assert (await cw.agent())["status"] == "stuck"
    (alert,) = await cw.alerts()
    assert (alert["type"], alert["severity"], alert["agentId"]) == ("stuck", "critical", "a")
    assert "5 min" in alert["message"]


async def test_cw_51_a_stuck_agent_that_gives_a_sign_of_life_is_running(cw: Any) -> None:
    await cw.say()
    await pass_time(cw, 6 * MINUTE)
    assert (await cw.agent())["status"] == "stuck"
    await cw.say()
    await cw.settle()
    assert (await cw.agent())["status"] == "running"
    assert [alert["state"] for alert in await cw.alerts()] == ["resolved"]


@pytest.mark.parametrize("verb", ["pause", "stop"])
async def test_cw_51_a_paused_or_stopped_agent_is_never_stuck(cw: Any, verb: str) -> None:
    await cw.say()
    await cw.post(f"/api/agents/a/{verb}")
    await pass_time(cw, HOUR)
    assert [alert for alert in await cw.alerts() if alert["type"] == "stuck"] == []


async def test_cw_51_an_agent_that_said_it_stopped_is_never_stuck(cw: Any) -> None:
    await cw.say("a", "status_change", status="stopped")
    await pass_time(cw, HOUR)
    assert await cw.alerts() == []


async def test_cw_64_a_timestamp_in_the_future_fakes_no_liveness(cw: Any) -> None:
    await cw.say("a", "heartbeat", timestamp=iso(cw.clock.now().wall + HOUR))
    await pass_time(cw, 5 * MINUTE + SECOND)
    assert (await cw.agent())["status"] == "stuck"


# -- errors


async def fail_at(cw: Any, *seconds: int, agent_id: str = "a") -> None:
    """Errors at these seconds from now."""
    now = 0
    for at in seconds:
        cw.clock.advance((at - now) * SECOND)
        now = at
        await cw.say(agent_id, "error", error=f"boom {at}")
    await cw.settle()


async def test_cw_52_three_errors_in_a_minute_are_none_and_the_fourth_is_a_spike(cw: Any) -> None:
    await fail_at(cw, 0, 1, 2)
    assert await cw.alerts() == []
    await fail_at(cw, 1)
    (alert,) = await cw.alerts()
    assert (alert["type"], alert["agentId"]) == ("error", "a")


async def test_cw_53_four_errors_over_more_than_a_minute_are_no_spike(cw: Any) -> None:
    await fail_at(cw, 0, 20, 40, 61)
    assert await cw.alerts() == []


async def test_cw_53_two_agents_with_two_errors_each_are_no_spike(cw: Any) -> None:
    await fail_at(cw, 0, 1, agent_id="a")
    await fail_at(cw, 0, 1, agent_id="b")
    assert await cw.alerts() == []


# -- cost


async def test_cw_54_reaching_the_cost_limit_is_an_alert(cw: Any) -> None:
    await cw.say("a", "cost", costUsd=9.99, model="m")
    await cw.settle()
    assert [alert for alert in await cw.alerts() if alert["severity"] != "info"] == []
    await cw.say("a", "cost", costUsd=0.01, model="m")
    await cw.settle()
    (alert,) = [alert for alert in await cw.alerts() if alert["severity"] != "info"]
    assert (alert["type"], alert["severity"], alert["agentId"]) == ("cost_spike", "warning", "a")


async def test_cw_54_the_cost_limit_is_configurable(run_cw: Any) -> None:
    async with run_cw(rules={"cost": {"limits": [{"per": "total", "usd": 2}]}}) as cw:
        await cw.say("a", "cost", costUsd=2, model="m")
        await cw.settle()
        assert "warning" in [alert["severity"] for alert in await cw.alerts()]


# -- loops


async def test_cw_60_the_same_call_again_and_again_is_a_loop(cw: Any) -> None:
    for _ in range(10):
        await cw.say("a", "tool_call", toolName="exec", arguments={"cmd": "ls"}, result="same", sessionId="s")
    await cw.settle()
    (alert,) = await cw.alerts()
    assert alert["type"] == "loop_detected"


# -- Telegram


def told(api: BotApi, *, to: int = CHAT) -> list[str]:
    return [shown.text for shown in api.shown.values() if shown.chat == to]


def telegram(api: BotApi) -> dict[str, Any]:
    return {
        "server": {"port": 0, "public_url": "https://watch.example.com"},
        "notifiers": {"telegram": {"bot_token": api.token, "chats": [CHAT], "api_url": api.url}},
    }


async def test_cw_55_running_to_error_is_told_and_running_to_paused_is_not(run_cw: Any) -> None:
    async with BotApi() as api, run_cw(**telegram(api)) as cw:
        await cw.say("quiet")
        await cw.post("/api/agents/quiet/pause")
        await cw.say("loud")
        await cw.say("loud", "error", error="boom")
        await cw.told()
        assert ["loud" in text for text in told(api)] == [True], told(api)
        assert await cw.alerts() == []


async def test_cw_56_and_57_a_message_has_buttons_that_link_to_the_dashboard(run_cw: Any) -> None:
    async with BotApi() as api, run_cw(**telegram(api)) as cw:
        await cw.alert("agent_abc123")
        await cw.told()
        shown = api.last(CHAT)
        assert "agent_abc123" in shown.text
        links = [button["url"] for row in shown.buttons for button in row if "url" in button]
        assert links
        assert all(link.startswith("https://watch.example.com/") for link in links)


async def test_cw_57_a_hostile_name_makes_no_markup(run_cw: Any) -> None:
    async with BotApi() as api, run_cw(**telegram(api)) as cw:
        name = "<b>*x*</b> [a](http://evil.example) `y` & _z_"
        for _ in range(4):
            await cw.say("a", "error", agentName=name, error="<i>boom</i>")
        await cw.told()
        assert name in api.last(CHAT).text


async def test_cw_58_without_a_bot_token_alerts_are_stored_all_the_same(run_cw: Any) -> None:
    async with run_cw(notifiers={"telegram": {"bot_token": "", "chats": []}}) as cw:
        assert (await cw.alert())["state"] == "firing"


async def test_cw_58_a_telegram_that_does_not_answer_blocks_nothing(run_cw: Any) -> None:
    async with BotApi() as api:
        api.always(HANG)
        async with run_cw(**telegram(api)) as cw:
            for _ in range(4):
                await cw.say("a", "error", error="boom")
            assert await cw.eventually(cw.alerts)
            await cw.say()
            api.heal()


async def test_cw_59_a_firing_alert_is_not_raised_again(run_cw: Any) -> None:
    async with BotApi() as api, run_cw(**telegram(api)) as cw:
        await cw.alert()
        for _ in range(20):
            await cw.say("a", "error", error="boom")
        await cw.told()
        assert [alert["type"] for alert in await cw.alerts()].count("error") == 1
        assert len([text for text in told(api) if "errors within" in text]) == 1, told(api)


async def test_cw_03_the_bots_token_is_told_to_nobody(run_cw: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async with BotApi() as api, run_cw(**telegram(api)) as cw:
        await cw.alert()
        await cw.told()
        secret = TOKEN.partition(":")[2]
        for path in ("/api/agents", "/api/alerts", "/api/system", "/api/events", "/api/openapi.json", "/health"):
            assert secret not in str(await cw.get(path))
    logged = capsys.readouterr()
    assert secret not in logged.out + logged.err
