"""Cost limits: steps, periods, scopes, corrections, restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clawatch_plugins.cost import register_rules
from clawatch_plugins.cost.settings import CostSettings
from pydantic import ValidationError

from clawatch.domain.alerts import Severity
from clawatch.domain.events import Counter, Origin, Signal, Usage
from clawatch.domain.journal import Removed
from clawatch.domain.money import nanos
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, parse_iso
from clawatch.settings import settings_from_file
from clawatch.testing.rules import AGENT, Trial

TryOut = Callable[..., Trial]
Restart = Callable[..., Any]


def spend(trial: Trial, dollars: float, agent_id: str = AGENT, **fields: Any) -> None:
    trial.say("cost", agent_id, usage=Usage(model="m", cost=nanos(dollars), tokens=10), **fields)


def severity(trial: Trial, subject: str = "total", agent_id: str = AGENT) -> Severity | None:
    verdict = trial.alert(agent_id, subject)
    return verdict.severity if verdict else None


class TestTheDefault:
    def test_is_ten_dollars_in_total(self, try_out: TryOut) -> None:
        """CW-54"""
        trial = try_out()
        spend(trial, 9.99)
        assert severity(trial) is Severity.INFO
        spend(trial, 0.01)
        verdict = trial.alert(subject="total")
        assert verdict is not None
        assert verdict.severity is Severity.WARNING
        assert verdict.message == "Cost limit reached — $10.00 of $10.00 in total"
        assert verdict.is_top
        assert verdict.may_brake

    def test_says_nothing_below_half(self, try_out: TryOut) -> None:
        trial = try_out()
        spend(trial, 4.99)
        assert trial.said == []

    def test_tells_of_half_and_of_four_fifths_as_info(self, try_out: TryOut) -> None:
        trial = try_out()
        for _ in range(10):
            spend(trial, 1.0)
        assert [(v.severity, v.evidence["percent"]) for v in trial.verdicts] == [
            ("info", 50), ("info", 80), ("warning", 100),
        ]
        assert trial.verdicts[0].message == "50 % of the cost limit used — $5.00 of $10.00 in total"
        assert [v.is_top for v in trial.verdicts] == [False, False, True]

    def test_is_restated_only_at_each_doubling(self, try_out: TryOut) -> None:
        trial = try_out()
        for _ in range(85):
            spend(trial, 1.0)
        assert [v.evidence["percent"] for v in trial.verdicts] == [50, 80, 100, 200, 400, 800]

    def test_never_ends_by_itself(self, try_out: TryOut) -> None:
        trial = try_out()
        spend(trial, 10)
        trial.advance(400 * DAY)
        assert severity(trial) is Severity.WARNING

    def test_money_is_added_up_exactly(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1.0})
        for _ in range(9):
            spend(trial, 0.1)
        assert severity(trial) is Severity.INFO
        spend(trial, 0.1)
        assert severity(trial) is Severity.WARNING


class TestPeriods:
    @pytest.mark.parametrize(("per", "long"), [("hour", HOUR), ("day", DAY), ("month", 31 * DAY)])
    def test_a_limit_ends_with_its_period(self, try_out: TryOut, per: str, long: int) -> None:
        trial = try_out({"per": per, "usd": 1}, spike=None)
        trial.clock.jump(parse_iso("2026-03-01T00:00:00Z") - trial.now.wall)
        spend(trial, 1)
        trial.advance(long - 1)
        assert severity(trial, per) is Severity.WARNING
        trial.advance(1)
        assert severity(trial, per) is None

    def test_a_new_period_begins_at_zero(self, try_out: TryOut) -> None:
        trial = try_out({"per": "hour", "usd": 1}, spike=None)
        for _ in range(5):
            spend(trial, 0.4)
            trial.advance(HOUR)
        assert trial.said == []

    def test_a_limit_reached_again_in_the_next_period_is_a_new_episode(self, try_out: TryOut) -> None:
        trial = try_out({"per": "hour", "usd": 1}, spike=None)
        spend(trial, 1)
        trial.clock.jump(HOUR)  # the wake will come late, the money comes first
        spend(trial, 1)
        assert [v.severity for v in trial.verdicts] == ["warning", None, "warning"]

    def test_a_day_begins_at_midnight_of_the_configured_zone(self, try_out: TryOut) -> None:
        trial = try_out({"per": "day", "usd": 1}, spike=None, zone=ZoneInfo("America/New_York"))
        trial.clock.jump(parse_iso("2026-03-10T03:30:00Z") - trial.now.wall)  # 23:30 there
        spend(trial, 1)
        trial.advance(30 * MINUTE - 1)
        assert severity(trial, "day") is Severity.WARNING
        trial.advance(1)
        assert severity(trial, "day") is None

    def test_spooled_money_counts_where_it_was_spent(self, try_out: TryOut) -> None:
        trial = try_out({"per": "hour", "usd": 1}, {"per": "total", "usd": 2}, spike=None)
        spend(trial, 1.5, ago=2 * HOUR, origin=Origin.LATE)
        assert severity(trial, "hour") is None
        assert severity(trial, "total") is Severity.INFO
        spend(trial, 0.5)
        assert severity(trial, "hour") is Severity.INFO
        assert severity(trial, "total") is Severity.WARNING

    def test_a_clock_set_forth_and_back_loses_nothing(self, try_out: TryOut) -> None:
        trial = try_out({"per": "day", "usd": 1}, spike=None)
        spend(trial, 0.9)
        trial.clock.jump(2 * DAY)
        spend(trial, 0.1)
        trial.clock.jump(-2 * DAY)
        spend(trial, 0.1)
        assert severity(trial, "day") is Severity.WARNING

    def test_a_clock_set_back_does_not_end_the_period_early(self, try_out: TryOut) -> None:
        trial = try_out({"per": "hour", "usd": 1}, spike=None)
        spend(trial, 1)
        trial.clock.jump(-30 * MINUTE - 1 * SECOND)
        trial.clock.jump(30 * MINUTE)
        trial.advance(HOUR)
        assert severity(trial, "hour") is Severity.WARNING
        trial.advance(SECOND)
        assert severity(trial, "hour") is None


class TestSeveralLimits:
    def test_are_alerts_of_their_own(self, try_out: TryOut) -> None:
        trial = try_out({"per": "day", "usd": 20}, {"per": "day", "usd": 5}, {"per": "hour", "usd": 2}, spike=None)
        spend(trial, 5)
        assert severity(trial, "day") is Severity.WARNING
        assert severity(trial, "day 2") is None
        assert severity(trial, "hour") is Severity.WARNING
        spend(trial, 15)
        assert severity(trial, "day 2") is Severity.WARNING

    def test_agents_are_counted_apart(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10})
        spend(trial, 4.9, "a")
        spend(trial, 4.9, "b")
        assert trial.said == []

    def test_an_agent_may_have_its_own(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10})
        trial.overrides["cheap"] = CostSettings.model_validate({"limits": [{"per": "total", "usd": 1}]})
        spend(trial, 1, "cheap")
        spend(trial, 1, "other")
        assert severity(trial, agent_id="cheap") is Severity.WARNING
        assert severity(trial, agent_id="other") is None


class TestTheFleet:
    def test_has_limits_over_all_agents(self, try_out: TryOut) -> None:
        trial = try_out({"per": "day", "usd": 10, "scope": "fleet"}, spike=None)
        spend(trial, 6, "a")
        spend(trial, 4, "b")
        verdict = trial.alert("", "day")
        assert verdict is not None
        assert verdict.severity is Severity.WARNING
        assert verdict.message == "Fleet: cost limit reached — $10.00 of $10.00 today"
        assert not verdict.may_brake, "there is nobody to brake"
        assert trial.alert("a", "day") is None

    def test_its_period_ends_though_nobody_spends(self, try_out: TryOut) -> None:
        trial = try_out({"per": "hour", "usd": 1, "scope": "fleet"}, spike=None)
        spend(trial, 1)
        trial.advance(HOUR)
        assert trial.alert("", "hour") is None

    def test_is_the_agents_there_are(self, try_out: TryOut) -> None:
        limit = {"usd": 10, "scope": "fleet"}
        trial = try_out({"per": "total", **limit}, {"per": "day", **limit}, spike=None)
        spend(trial, 9, "a")
        trial.edge(Removed(agent_id="a", by="olga"))
        spend(trial, 4, "b")
        assert trial.alert("", "total") is None
        assert trial.alert("", "day") is None

    async def test_is_remembered_over_a_restart(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "day", "usd": 10, "scope": "fleet"}, {"per": "total", "usd": 20, "scope": "fleet"},
                        spike=None)
        trial.clock.jump(-10 * HOUR)
        spend(trial, 6, "a")
        await restart(trial, downtime=5 * HOUR)
        assert len([v for v in trial.verdicts if v.severity]) == 1, "nothing is said again"
        spend(trial, 4, "b")
        assert severity(trial, "day", "") is Severity.WARNING
        assert severity(trial, "total", "") is Severity.INFO


class TestSessions:
    def test_are_counted_apart(self, try_out: TryOut) -> None:
        trial = try_out({"per": "session", "usd": 1})
        for session in ("s1", "s2"):
            spend(trial, 0.4, session_id=session)
        assert trial.said == []
        spend(trial, 0.6, session_id="s1")
        verdict = trial.alert(subject="session s1")
        assert verdict is not None
        assert verdict.message == "Cost limit reached — $1.00 of $1.00 in the session s1"

    def test_are_over_when_they_spend_nothing_for_an_hour(self, try_out: TryOut) -> None:
        trial = try_out({"per": "session", "usd": 1})
        spend(trial, 1, session_id="s")
        trial.advance(50 * MINUTE)
        spend(trial, 0.1, session_id="s")
        trial.advance(HOUR - 1)
        assert severity(trial, "session s") is Severity.WARNING
        trial.advance(1)
        assert severity(trial, "session s") is None

    async def test_are_remembered_over_a_restart(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "session", "usd": 1})
        spend(trial, 0.9, session_id="s")
        await restart(trial, downtime=3 * DAY)
        spend(trial, 0.1, session_id="s")
        assert severity(trial, "session s") is Severity.WARNING

    async def test_a_firing_one_ends_after_a_restart_too(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "session", "usd": 1})
        spend(trial, 1, session_id="s")
        await restart(trial)
        assert severity(trial, "session s") is Severity.WARNING
        trial.advance(HOUR)
        assert severity(trial, "session s") is None

    def test_hostile_names_are_cut_but_told_apart(self, try_out: TryOut) -> None:
        trial = try_out({"per": "session", "usd": 1})
        for end in ("a", "b"):
            spend(trial, 1, session_id="<b>\n`" + "x" * 180 + end)
        assert len(trial.firing) == 2
        for (_, subject), verdict in trial.firing.items():
            assert len(subject) < 80
            assert subject.isprintable()
            assert verdict.message.isprintable()
            assert len(verdict.message) < 130

    def test_the_fleet_has_none(self) -> None:
        with pytest.raises(ValidationError, match="the fleet has no sessions"):
            CostSettings.model_validate({"limits": [{"per": "session", "usd": 1, "scope": "fleet"}]})


class TestWhatIsNotCounted:
    def test_the_past_is_not(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10}, {"per": "month", "usd": 10})
        spend(trial, 500, origin=Origin.HISTORY, ago=3 * DAY)
        spend(trial, 500, origin=Origin.HISTORY)
        assert trial.said == []
        assert trial.agent().cost == nanos(1000)
        spend(trial, 5)
        assert severity(trial) is Severity.INFO

    async def test_the_past_is_not_counted_after_a_restart_either(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10}, {"per": "month", "usd": 10}, {"per": "session", "usd": 10})
        spend(trial, 500, origin=Origin.HISTORY, session_id="s")
        await restart(trial, downtime=2 * HOUR)
        spend(trial, 4, session_id="s")
        assert trial.firing == {}
        spend(trial, 1, session_id="s")
        assert {subject for _, subject in trial.firing} == {"total", "month", "session s"}

    def test_a_duplicate_is_not(self, try_out: TryOut) -> None:
        trial = try_out()
        for _ in range(5):
            spend(trial, 4, id="same")
        assert trial.said == []

    def test_unknown_cost_is_not(self, try_out: TryOut) -> None:
        trial = try_out()
        trial.say("cost", usage=Usage(model="m", input=10**9))
        assert trial.said == []


class TestBetterSignals:
    """What a worse signal had added is taken back when a better one takes over the session."""

    def test_the_same_money_told_twice_counts_once(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10}, {"per": "day", "usd": 10}, {"per": "session", "usd": 10})
        spend(trial, 4, session_id="s", rank=1, signal=Signal.METRIC)
        spend(trial, 4, session_id="s", rank=3, signal=Signal.LOG)
        spend(trial, 4, session_id="s", rank=1, signal=Signal.METRIC)
        assert trial.said == []
        spend(trial, 1, session_id="s", rank=3, signal=Signal.LOG)
        assert {v.message.split(" — ")[1].split(" of")[0] for v in trial.firing.values()} == {"$5.00"}

    def test_a_limit_that_turns_out_not_to_be_reached_resolves(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10}, {"per": "day", "usd": 10}, spike=None)
        spend(trial, 10, session_id="s", rank=1)
        assert severity(trial) is Severity.WARNING
        spend(trial, 1, session_id="s", rank=3)
        assert trial.firing == {}

    def test_less_than_reached_goes_on_as_a_milder_episode(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 10}, spike=None)
        spend(trial, 10, session_id="s", rank=1)
        spend(trial, 6, session_id="s", rank=3)
        assert [(v.severity, v.subject) for v in trial.verdicts] == [
            ("warning", "total"), (None, "total"), ("info", "total"),
        ]

    async def test_corrections_are_exact_after_a_restart(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "month", "usd": 10}, spike=None)
        spend(trial, 3, session_id="s", rank=1, origin=Origin.HISTORY)
        spend(trial, 9, session_id="s", rank=1)
        await restart(trial, downtime=2 * HOUR)
        spend(trial, 2, session_id="s", rank=3)
        assert trial.firing == {}
        spend(trial, 3, session_id="s", rank=3)
        assert severity(trial, "month") is Severity.INFO

    def test_a_call_that_is_priced_by_a_later_report_counts(self, try_out: TryOut) -> None:
        trial = try_out()
        trial.say("cost", call_id="c", session_id="s")
        spend(trial, 10, call_id="c", session_id="s")
        assert severity(trial) is Severity.WARNING

    def test_cumulative_counters_count_by_their_rise(self, try_out: TryOut) -> None:
        trial = try_out()
        for value in (6, 6, 7):
            counter = Counter(series="x", started=1, value=nanos(value), measure="cost")
            trial.say("cost", session_id="s", rank=1, counters=(counter,), signal=Signal.METRIC)
        assert severity(trial) is Severity.INFO


class TestARestart:
    async def test_sums_reach_back_beyond_the_last_hour(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10}, {"per": "day", "usd": 10}, {"per": "month", "usd": 20}, spike=None)
        spend(trial, 4.9)
        await restart(trial, downtime=3 * HOUR)
        assert trial.firing == {}
        spend(trial, 5.1)
        assert severity(trial, "total") is Severity.WARNING
        assert severity(trial, "day") is Severity.WARNING
        assert severity(trial, "month") is Severity.INFO

    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
    async def test_sums_are_exact_in_any_zone(self, try_out: TryOut, restart: Restart, zone: str) -> None:
        trial = try_out({"per": "hour", "usd": 100}, {"per": "day", "usd": 100}, spike=None, zone=ZoneInfo(zone))
        for _ in range(100):
            spend(trial, 0.01)
            trial.advance(7 * MINUTE)
        before = trial.rule._accounts[AGENT].spending
        await restart(trial, zone=zone)
        after = trial.rule._accounts[AGENT].spending
        assert after._sums == before._sums

    async def test_nothing_from_the_last_hour_is_counted_twice(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "hour", "usd": 10}, spike=None)
        spend(trial, 4)
        for _ in range(5):
            await restart(trial)
        assert trial.firing == {}

    async def test_what_was_stored_but_not_judged_counts_once(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "day", "usd": 10}, spike=None)
        spend(trial, 4)
        trial.write("cost", usage=Usage(cost=nanos(2)))
        await restart(trial)
        assert severity(trial, "day") is Severity.INFO
        spend(trial, 1.9)
        assert severity(trial, "day") is Severity.INFO
        assert trial.alert(subject="day").evidence["spentUsd"] == 6.0
        spend(trial, 2.1)
        assert severity(trial, "day") is Severity.WARNING

    async def test_says_nothing_twice(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "day", "usd": 10}, {"per": "total", "usd": 10}, spike=None)
        spend(trial, 10)
        said = len(trial.said)
        await restart(trial)
        spend(trial, 1)
        assert len(trial.said) == said

    async def test_a_period_that_ended_meanwhile_resolves(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "day", "usd": 10}, spike=None)
        spend(trial, 10)
        await restart(trial, downtime=DAY)
        assert trial.firing == {}

    async def test_a_period_that_goes_on_ends_in_time(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "day", "usd": 10}, spike=None)
        spend(trial, 10)
        await restart(trial, downtime=HOUR)
        trial.advance(9 * HOUR - 1)
        assert severity(trial, "day") is Severity.WARNING
        trial.advance(1)
        assert severity(trial, "day") is None


class TestANewConfiguration:
    async def test_raising_the_limit_resolves_a_total(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10})
        spend(trial, 10)
        await restart(trial, limits=[{"per": "total", "usd": 100}])
        assert trial.firing == {}

    async def test_raising_it_a_little_leaves_a_milder_episode(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10})
        spend(trial, 10)
        await restart(trial, limits=[{"per": "total", "usd": 15}])
        assert [v.severity for v in trial.verdicts] == ["warning", None, "info"]

    async def test_lowering_it_fires_at_once(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10})
        spend(trial, 3)
        await restart(trial, limits=[{"per": "total", "usd": 2}])
        assert severity(trial) is Severity.WARNING

    async def test_removing_it_resolves_it(self, try_out: TryOut, restart: Restart) -> None:
        day = {"per": "day", "usd": 1}
        trial = try_out({"per": "total", "usd": 1}, day, day | {"scope": "fleet"})
        spend(trial, 10)
        await restart(trial, limits=[])
        assert trial.firing == {}

    async def test_alerts_it_does_not_understand_end(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 10})
        spend(trial, 10)
        trial.firing[AGENT, "fortnight"] = trial.firing[AGENT, "total"]
        trial.firing["", "decade"] = trial.firing[AGENT, "total"]
        await restart(trial)
        assert set(trial.firing) == {(AGENT, "total")}


class TestSpikes:
    def usual(self, trial: Trial, hours: int = 5, dollars: float = 0.3) -> None:
        for _ in range(hours):
            spend(trial, dollars)
            trial.advance(HOUR)

    def test_an_hour_that_costs_far_more_than_usual_is_told_of(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        self.usual(trial)
        spend(trial, 1.4)
        assert trial.said == []
        spend(trial, 0.2)
        verdict = trial.alert(subject="spike")
        assert verdict is not None
        assert verdict.severity is Severity.INFO
        assert verdict.message == "Spends more than usual — $1.60 this hour, usually $0.30"
        assert not verdict.may_brake

    def test_it_is_told_once_and_ends_with_the_hour(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        self.usual(trial)
        for _ in range(10):
            spend(trial, 2)
        assert len(trial.said) == 1
        trial.advance(HOUR)
        assert trial.firing == {}

    def test_small_money_does_not_matter(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        self.usual(trial, dollars=0.01)
        spend(trial, 1)
        assert trial.said == []

    def test_a_new_agent_has_no_usual(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        self.usual(trial, hours=2)
        spend(trial, 50)
        assert trial.said == []

    def test_hours_without_cost_are_left_out(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        for _ in range(4):
            spend(trial, 2)
            trial.advance(12 * HOUR)
        spend(trial, 9)
        assert trial.said == []

    def test_it_can_be_switched_off(self, try_out: TryOut) -> None:
        trial = try_out({"per": "total", "usd": 1000}, spike=None)
        self.usual(trial)
        spend(trial, 50)
        assert trial.said == []

    async def test_the_usual_is_known_after_a_restart(self, try_out: TryOut, restart: Restart) -> None:
        trial = try_out({"per": "total", "usd": 1000})
        self.usual(trial)
        await restart(trial, downtime=2 * DAY)
        spend(trial, 1.6)
        assert trial.alert(subject="spike") is not None


def test_it_is_registered_with_its_settings() -> None:
    (kind,) = register_rules()
    assert (kind.name, kind.alert_type) == ("cost", "cost_spike")
    written = {"limits": [{"per": "day", "usd": 25, "scope": "fleet"}], "spike": {"times": 3, "usd": 5}}
    settings = settings_from_file(kind.settings, written)
    assert settings.limits[0].nanos == nanos(25)


@pytest.mark.parametrize(
    "limit",
    [
        {"per": "week", "usd": 1},
        {"per": "day", "usd": 0},
        {"per": "day", "usd": -1},
        {"per": "day", "usd": float("nan")},
        {"per": "day", "usd": float("inf")},
        {"per": "day"},
        {"per": "day", "usd": 1, "scope": "world"},
    ],
)
def test_limits_that_make_no_sense_are_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CostSettings.model_validate({"limits": [limit]})
