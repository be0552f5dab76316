"""ClawdNet, CN-26 to CN-40, CN-42: the metrics API."""

from __future__ import annotations

from typing import Any

import pytest
from clawatch_plugins.clawdnet.history import AUTO, PERIODS, RESOLUTIONS

from clawatch.domain.time import DAY, HOUR, MINUTE, Millis, iso, parse_iso

ALL = ("messages", "latency", "errors", "revenue", "sessions", "memory", "cpu")


def values(points: list[Any]) -> list[Any]:
    return [point["value"] for point in points if point["value"] not in (0, "0.00")]


class Bot:
    """Reports by the clock of the test, over the WebSocket."""

    def __init__(self, door: Any, client: Any) -> None:
        self._clock, self._client = door.cw.clock, client

    async def say(self, type: str = "metrics", /, **data: Any) -> None:
        await self._client.say(type, agent_id="a", timestamp=iso(self._clock.now().wall), data=data)
        assert not [said for said in await self._client.until_pong() if said["type"] == "error"]

    async def every(self, period: Millis, *reports: dict[str, Any], type: str = "metrics") -> None:
        for report in reports:
            await self.say(type, **report)
            self._clock.advance(period)


@pytest.fixture
async def bot(door: Any) -> Bot:
    return Bot(door, await door.enter())


# -- what it looks like


async def test_cn_26_the_answer_is_the_report_itself(door: Any, bot: Bot) -> None:
    """CN-26: no envelope around it."""
    await bot.say(messages_1h=142)
    report = await door.metrics()
    assert set(report) == {"agent_id", "period", "resolution", "data", "summary"}
    assert report["agent_id"] == "a"


async def test_cn_27_28_a_day_by_the_hour_is_the_default(door: Any, bot: Bot) -> None:
    """CN-27, CN-28: and the resolved resolution is told."""
    await bot.say(messages_1h=142)
    report = await door.metrics()
    assert (report["period"], report["resolution"]) == ("24h", "1h")
    assert len(report["data"]["messages"]) == 24


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("resolution", [*RESOLUTIONS, "auto"])
async def test_cn_27_28_35_every_period_has_every_resolution(
    door: Any, bot: Bot, period: str, resolution: str
) -> None:
    """CN-27, CN-28, CN-35: ascending points, aligned, as many as the period has; counters filled with zeros."""
    await bot.say(messages_1h=142, cpu_percent=5)
    report = await door.metrics(period=period, resolution=resolution)
    resolved = AUTO[period] if resolution == "auto" else resolution
    assert (report["period"], report["resolution"]) == (period, resolved)
    step, now = RESOLUTIONS[resolved], door.cw.clock.now().wall
    for metric in ("messages", "errors", "revenue"):
        at = [parse_iso(point["timestamp"]) for point in report["data"][metric]]
        assert at == list(range(at[0], now + 1, step))
        assert at[0] % step == 0
        assert len(at) == max(1, PERIODS[period] // step)
    assert len(report["data"]["cpu"]) == len(report["data"]["sessions"]) + 1 == 1


async def test_cn_29_only_the_metrics_asked_for_are_given(door: Any, bot: Bot) -> None:
    """CN-29: with commas; all of them by default."""
    await bot.say(messages_1h=142)
    assert set((await door.metrics())["data"]) == set(ALL)
    assert set((await door.metrics(metrics=""))["data"]) == set(ALL)
    assert set((await door.metrics(metrics="latency, messages,latency"))["data"]) == {"latency", "messages"}


@pytest.mark.parametrize("metric", ALL)
async def test_cn_30_every_metric_is_known(door: Any, bot: Bot, metric: str) -> None:
    """CN-30: messages, latency, errors, revenue, sessions, memory and cpu; each alone has the same summary."""
    await bot.say(messages_1h=142)
    report = await door.metrics(metrics=metric)
    assert list(report["data"]) == [metric]
    assert report["summary"]["total_messages"] == 142


async def test_cn_31_to_34_points_have_the_contracts_types(door: Any, bot: Bot) -> None:
    """CN-31, CN-32, CN-33, CN-34."""
    await bot.say(messages_1h=142, active_sessions=3, avg_response_ms=850, memory_mb=256, cpu_percent=12.5)
    await bot.say("skills", draw={"calls_1h": 45, "revenue_1h": "2.45", "avg_latency_ms": 2100})
    await bot.say("error", message="boom")
    data = (await door.metrics())["data"]
    hour = "2026-03-09T14:00:00Z"
    assert data["messages"][-1] == {"timestamp": hour, "value": 142}
    assert data["latency"] == [{"timestamp": hour, "p50": 850, "p95": 850, "p99": 850}]
    assert data["revenue"][-1] == {"timestamp": hour, "value": "2.45"}
    assert data["errors"][-1] == {"timestamp": hour, "value": 1}
    assert [data[name] for name in ("sessions", "memory", "cpu")] == [
        [{"timestamp": hour, "value": value}] for value in (3, 256, 12.5)
    ]
    assert isinstance(data["messages"][0]["value"], int)


async def test_cn_36_37_the_summary_sums_the_series(door: Any, bot: Bot) -> None:
    """CN-36, CN-37: totals, the mean latency, and errors per message."""
    await bot.every(HOUR, {"messages_1h": 100, "avg_response_ms": 500}, {"messages_1h": 50, "avg_response_ms": 540})
    for _ in range(3):
        await bot.say("error", message="boom")
    report = await door.metrics()
    assert report["summary"] == {
        "total_messages": sum(point["value"] for point in report["data"]["messages"]), "avg_latency_ms": 520,
        "error_rate": 0.02, "total_revenue": "0.00",
    }  # fmt: skip
    assert report["summary"]["total_messages"] == 150


async def test_cn_37_an_error_rate_is_never_above_one_and_0_without_messages(door: Any, bot: Bot) -> None:
    """CN-37."""
    for _ in range(3):
        await bot.say("error", message="boom")
    assert (await door.metrics())["summary"]["error_rate"] == 0
    await bot.say(messages_1h=2)
    assert (await door.metrics())["summary"]["error_rate"] == 1


# -- history from gauges


async def test_by_the_hour_the_last_hourly_count_of_each_hour_is_told(door: Any, bot: Bot) -> None:
    """CN-42: the same numbers that came in over the WebSocket."""
    await bot.every(20 * MINUTE, *({"messages_1h": n, "messages_24h": 9000 + n} for n in (10, 20, 30, 5, 15, 25)))
    assert values((await door.metrics())["data"]["messages"]) == [30, 25]


async def test_by_the_day_the_last_daily_count_of_each_day_is_told(door: Any, bot: Bot) -> None:
    await bot.every(8 * HOUR, *({"messages_1h": 1, "messages_24h": n} for n in (10, 20, 30, 5)))
    report = await door.metrics(period="30d")
    assert (report["resolution"], values(report["data"]["messages"])) == ("1d", [20, 5])


async def test_by_the_day_hourly_counts_are_summed_where_there_is_no_daily_one(door: Any, bot: Bot) -> None:
    await bot.every(30 * MINUTE, *({"messages_1h": n} for n in (1, 10, 1, 20, 1, 30)))
    assert values((await door.metrics(period="7d", resolution="1d"))["data"]["messages"]) == [60]


@pytest.mark.parametrize(("resolution", "told"), [("1m", [3, 4, 5]), ("5m", [7, 5])])
async def test_finer_than_an_hour_the_daily_count_s_rises_are_told(
    door: Any, bot: Bot, resolution: str, told: list[int]
) -> None:
    """What fell out of the last day is no fall in messages."""
    await bot.every(2 * MINUTE, *({"messages_24h": n} for n in (100, 103, 107, 90, 95)))
    report = await door.metrics(period="1h", resolution=resolution)
    assert values(report["data"]["messages"]) == told
    assert report["summary"]["total_messages"] == 12


async def test_an_agent_that_sends_messages_is_counted_by_them_alone(door: Any, bot: Bot) -> None:
    await bot.say(messages_1h=1000, messages_24h=9000)
    for _ in range(3):
        await door.cw.say("a", "message", message="hello")
    for resolution in RESOLUTIONS:
        report = await door.metrics(resolution=resolution)
        assert report["summary"]["total_messages"] == sum(values(report["data"]["messages"])) == 3


async def test_gauges_are_means_and_empty_buckets_are_left_out(door: Any, bot: Bot) -> None:
    """CN-35: zero sessions are told where they were reported, and nowhere else."""
    await bot.every(30 * MINUTE, *({"cpu_percent": n, "active_sessions": 0} for n in (10, 20)))
    door.cw.clock.advance(3 * HOUR)
    data = (await door.metrics())["data"]
    assert [[point["value"] for point in data[name]] for name in ("cpu", "sessions", "memory")] == [[15], [0], []]


async def test_latency_has_true_percentiles_of_calls_and_averages(door: Any, bot: Bot) -> None:
    """CN-32: 1 % of what they are."""
    for ms in range(1, 100):
        await door.cw.say("a", "tool_call", toolName="x", durationMs=ms * 10)
    await bot.say(avg_response_ms=5000)
    report = await door.metrics()
    [point] = report["data"]["latency"]
    assert [point[p] for p in ("p50", "p95", "p99")] == [pytest.approx(ms, rel=0.01) for ms in (500, 950, 990)]
    assert report["summary"]["avg_latency_ms"] == pytest.approx((sum(range(1, 100)) * 10 + 5000) / 100)


# -- money


async def test_cn_33_revenue_of_skills_adds_up_exactly(door: Any, bot: Bot) -> None:
    """CN-33: decimal strings, to the nano-dollar."""
    amounts = {f"s{n}": {"revenue_1h": "0.1"} for n in range(3)}
    await bot.every(HOUR, {**amounts, "dear": {"revenue_1h": "1234567.000000001"}}, amounts, type="skills")
    report = await door.metrics()
    assert values(report["data"]["revenue"]) == ["1234567.300000001", "0.30"]
    assert report["summary"]["total_revenue"] == "1234567.600000001"


async def test_revenue_by_the_minute_and_by_the_day(door: Any, bot: Bot) -> None:
    await bot.every(20 * MINUTE, *({"draw": {"revenue_1h": amount}} for amount in ("0.1", "0.3", "0.2", "0.5")),
                    type="skills")  # fmt: skip
    by_minute = await door.metrics(period="24h", resolution="1m")
    assert values(by_minute["data"]["revenue"]) == ["0.20", "0.30"]
    assert values((await door.metrics(period="30d"))["data"]["revenue"]) == ["0.70"]


async def test_revenue_told_by_events_is_told_alone(door: Any, bot: Bot) -> None:
    await bot.say("skills", draw={"revenue_1h": "9.00"})
    for _ in range(3):
        await door.cw.say("a", "message", revenueUsd=0.1)
    assert (await door.metrics())["summary"]["total_revenue"] == "0.30"


# -- refusals


@pytest.mark.parametrize(("parameter", "word"), [
    ("period", "2h"), ("period", "24H"), ("resolution", "10m"), ("resolution", "1"), ("metrics", "mood"),
    ("metrics", "messages,mood"), ("metrics", "messages;latency"),
])  # fmt: skip
async def test_cn_38_what_is_not_known_is_422(door: Any, bot: Bot, parameter: str, word: str) -> None:
    """CN-38: naming the parameter and what there is."""
    await bot.say(messages_1h=1)
    answer = await door.ask("a", **{parameter: word})
    assert answer.status == 422
    assert answer.body["error"]["code"] == "validation_error"
    assert answer.body["error"]["details"]["parameter"] == parameter
    assert answer.body["error"]["message"].startswith(parameter)


async def test_cn_39_who_asks_and_for_whom_decides_the_refusal(door: Any, bot: Bot) -> None:
    """CN-39: 401 without and with a wrong token, 403 for a foreign agent, 404 for an unknown one."""
    await bot.say(messages_1h=1)
    theirs, writer = await door.cw.make_key("read", agents=["b-*"]), await door.cw.make_key("ingest")
    for agent_id, key, status, code in (
        ("a", None, 401, "auth_required"), ("a", "wrong", 401, "invalid_token"), ("a", theirs, 403, "forbidden"),
        ("nobody", theirs, 403, "forbidden"), ("a", writer, 403, "forbidden"), ("nobody", "", 404, "not_found"),
        ("b-none", theirs, 404, "not_found"),
    ):  # fmt: skip
        answer = await door.ask(agent_id, key)
        assert (answer.status, answer.body["error"]["code"]) == (status, code)
        assert set(answer.body["error"]) == {"code", "message", "details"}


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "/telemetry/metrics/a", 405), ("GET", "/telemetry/elsewhere", 404), ("GET", "/telemetry/metrics/", 404),
    ("GET", "/telemetry", 426),
])  # fmt: skip
async def test_x_07_the_frameworks_refusals_come_in_the_same_envelope(
    door: Any, method: str, path: str, status: int
) -> None:
    """X-07, X-04: and no neighbour's path is taken."""
    answer = await door.cw.ask(method, path)
    assert answer.status == status
    assert set(answer.body["error"]) == {"code", "message", "details"}


async def test_cn_40_a_hundred_a_minute_and_what_is_left_is_told(door: Any, bot: Bot) -> None:
    """CN-40: the heads of every answer, and 429 beyond."""
    await bot.say(messages_1h=1)
    now = door.cw.clock.now().wall
    first = await door.ask()
    assert [first.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == [
        "100", "99", str(-(-(now + 600) // 1000)),
    ]  # fmt: skip
    assert (await door.ask("nobody")).headers["X-RateLimit-Remaining"] == "98"
    for _ in range(98):
        last = await door.ask()
    assert (last.status, last.headers["X-RateLimit-Remaining"]) == (200, "0")
    beyond = await door.ask()
    assert (beyond.status, beyond.body["error"]["code"]) == (429, "rate_limited")
    assert (beyond.headers["X-RateLimit-Remaining"], beyond.headers["Retry-After"]) == ("0", "1")
    assert (await door.ask(key=await door.cw.make_key("read"))).status == 200, "others have their own"
    door.cw.clock.advance(MINUTE)
    assert (await door.ask()).status == 200


async def test_the_limit_can_be_lifted(run_cw: Any) -> None:
    async with run_cw(apis={"clawdnet": {"rest": None}}) as cw:
        await cw.say("a")
        answer = await cw.ask("GET", "/telemetry/metrics/a")
        assert answer.status == 200
        assert "X-RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize("agent_id", ["with space", "slash/ed", "ünï", "<script>", "a?b", "100%", "[x]*"])
async def test_agents_of_any_name_can_be_asked_for(door: Any, agent_id: str) -> None:
    from urllib.parse import quote

    from yarl import URL

    await door.cw.say(agent_id, "message")
    url = URL(f"{door.cw.url}/telemetry/metrics/{quote(agent_id, safe='')}", encoded=True)
    async with door.session.get(url, headers={"X-ClaWatch-Key": door.cw.key}) as answer:
        assert (answer.status, (await answer.json())["summary"]["total_messages"]) == (200, 1)


async def test_a_restart_keeps_the_telemetry(run_cw: Any) -> None:
    """X-10: with a store on disk."""
    for _ in range(2):
        async with run_cw(storage={"use": "sqlite"}) as cw:
            if not (await cw.get("/api/agents"))["agents"]:
                await cw.say("a", "metrics", messages_1h=142, messages_24h=2847, avg_response_ms=850)
            report = (await cw.ask("GET", "/telemetry/metrics/a")).body
            assert report["summary"]["total_messages"] == 142
            assert report["data"]["latency"][-1]["p95"] == 850


def test_every_period_is_a_whole_number_of_what_auto_means() -> None:
    assert {period: PERIODS[period] // RESOLUTIONS[step] for period, step in AUTO.items()} == {
        "1h": 60, "24h": 24, "7d": 168, "30d": 30,
    }  # fmt: skip
    assert max(PERIODS.values()) <= 31 * DAY, "as long as minutes are kept"
