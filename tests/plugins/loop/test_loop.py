"""Loops: each way of going round in circles, what it is judged on, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from clawatch_plugins.loop import open_rule, register_rules
from clawatch_plugins.loop.rule import Loop
from clawatch_plugins.loop.settings import LoopSettings
from pydantic import ValidationError

from clawatch.domain.agents import Control
from clawatch.domain.alerts import Alert, AlertState, AlertType, Severity
from clawatch.domain.events import Origin, Phase, RunReport, Tool, Turn
from clawatch.domain.journal import ControlChanged, Removed
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.settings import settings_from_file
from clawatch.testing.rules import AGENT, Trial

Caller = Callable[..., Any]
numbers = count()


def severity(trial: Trial, subject: str = "s", agent_id: str = AGENT) -> Severity | None:
    verdict = trial.alert(agent_id, subject)
    return verdict.severity if verdict else None


def others(call: Caller, times: int, **fields: Any) -> None:
    """Calls that are no part of any loop."""
    for _ in range(times):
        call("Read", f"other {next(numbers)}", **fields)


def in_turn(call: Caller, arguments: Sequence[str], times: int) -> None:
    for _ in range(times):
        for one in arguments:
            call(f"Tool{one}", one)


class TestTheSameCall:
    def test_five_times_is_a_warning_and_ten_times_critical(self, trial: Trial, call: Caller) -> None:
        for number in range(1, 11):
            call(result_hash="r")
            expected = Severity.CRITICAL if number >= 10 else Severity.WARNING if number >= 5 else None
            assert severity(trial) is expected, number
        first, second = trial.verdicts
        assert first.message == "Loop — Bash called 5 times with the same arguments and result"
        assert not first.is_top
        assert second.is_top
        assert second.may_brake
        assert second.evidence == {
            "kind": "same_call", "count": 10, "ofLast": 50, "tool": "Bash", "session": "s",
            "judgedOn": "the same arguments and result",
        }

    def test_is_restated_only_at_each_doubling(self, trial: Trial, call: Caller) -> None:
        for _ in range(48):
            call()
        assert [v.evidence["count"] for v in trial.verdicts] == [5, 10, 20, 40]

    def test_need_not_be_unbroken(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call()
            others(call, 9)
        assert severity(trial) is Severity.WARNING

    def test_counts_among_the_last_fifty_calls_only(self, trial: Trial, call: Caller) -> None:
        for _ in range(10):
            call()
            others(call, 12)
        assert trial.said == []

    def test_is_counted_by_calls_not_by_time(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            trial.advance(40 * MINUTE)
            call()
        assert severity(trial) is Severity.WARNING

    def test_with_other_arguments_or_by_another_tool_is_another_call(self, trial: Trial, call: Caller) -> None:
        for i in range(40):
            call("Bash", f"{i}")
            call(f"Tool{i}", "a")
        assert trial.said == []

    def test_with_another_result_gets_on(self, trial: Trial, call: Caller) -> None:
        for i in range(40):
            call(result_hash=f"{i}")
        assert trial.said == []

    def test_that_fails_and_then_works_gets_on(self, trial: Trial, call: Caller) -> None:
        for ok in (False, True) * 2:
            call(ok=ok)
        call("Other", "b")
        for ok in (False, True) * 2:
            call(ok=ok)
        assert trial.said == []

    def test_in_other_sessions_and_by_other_agents_counts_apart(self, trial: Trial, call: Caller) -> None:
        for i in range(4):
            call(session_id="s1")
            call(session_id="s2")
            call(agent_id=f"agent{i % 2}")
        assert trial.said == []

    def test_without_a_session_counts_for_the_agent(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call(session_id=None)
        assert severity(trial, "") is Severity.WARNING

    def test_is_judged_on_arguments_where_results_are_not_told(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call()
        assert trial.verdicts[0].message == "Loop — Bash called 5 times with the same arguments"


class TestWhatACallIsJudgedOn:
    def test_sizes_stand_in_for_unknown_arguments(self, trial: Trial, call: Caller) -> None:
        for _ in range(10):
            call(args=None, args_size=31, result_size=1200)
        assert severity(trial) is Severity.CRITICAL
        assert trial.verdicts[0].message == "Loop — Bash called 5 times with arguments and results of the same sizes"
        assert trial.verdicts[-1].may_brake

    def test_the_size_of_arguments_alone_never_brakes(self, trial: Trial, call: Caller) -> None:
        for _ in range(10):
            call(args=None, args_size=31)
        assert severity(trial) is Severity.CRITICAL
        assert not any(v.may_brake for v in trial.verdicts)

    def test_other_sizes_are_other_calls(self, trial: Trial, call: Caller) -> None:
        for i in range(40):
            call(args=None, args_size=31, result_size=i)
        assert trial.said == []

    def test_a_name_alone_needs_thirty_in_a_row_and_is_a_warning_at_most(self, trial: Trial, call: Caller) -> None:
        for number in range(1, 101):
            call(args=None)
            assert severity(trial) is (Severity.WARNING if number >= 30 else None), number
        assert [v.evidence["count"] for v in trial.verdicts] == [30, 60]
        assert trial.verdicts[0].message == "Loop? — Bash called 30 times in a row, nothing known but the name"
        assert not any(v.may_brake or v.is_top for v in trial.verdicts)

    def test_a_name_alone_must_be_unbroken(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            for _ in range(29):
                call(args=None)
            call("Edit", None)
        assert trial.said == []

    def test_names_alone_make_no_cycle(self, trial: Trial, call: Caller) -> None:
        for _ in range(50):
            call("Read", None)
            call("Edit", None)
        assert trial.said == []

    def test_the_start_of_a_call_may_tell_its_arguments(self, trial: Trial, call: Caller) -> None:
        for i in range(5):
            call(args="a", phase=Phase.START, call_id=f"c{i}")
            call(args=None, phase=Phase.END, call_id=f"c{i}", result_hash="r")
        assert trial.verdicts[0].message == "Loop — Bash called 5 times with the same arguments and result"

    def test_a_start_alone_is_no_call(self, trial: Trial, call: Caller) -> None:
        for i in range(20):
            call(phase=Phase.START, call_id=f"c{i}")
        assert trial.said == []

    def test_two_reports_of_one_call_are_one_call(self, trial: Trial, call: Caller) -> None:
        for i in range(4):
            call(phase=Phase.END, call_id=f"c{i}")
            call(phase=Phase.END, call_id=f"c{i}", result_size=7)
            call(phase=Phase.END, call_id=f"c{i}", result_size=7, ok=True)
        assert trial.said == []
        call(phase=Phase.END, call_id="c4")
        assert trial.said == [], "its result is not known yet"
        call(phase=Phase.END, call_id="c4", result_size=7, ok=True)
        assert severity(trial) is Severity.WARNING

    @pytest.mark.parametrize("is_hook_first", [True, False])
    def test_signals_agree_whichever_comes_first(self, trial: Trial, call: Caller, is_hook_first: bool) -> None:
        for i in range(5):
            reports: list[dict[str, Any]] = [
                {"args": "a", "result_hash": "r"},
                {"args": None, "args_size": 10 + i % 2, "result_size": 4},
            ]
            for report in reports if (i % 2 == 0) == is_hook_first else reversed(reports):
                call(phase=Phase.END, call_id=f"c{i}", **report)
        assert trial.verdicts[0].evidence["judgedOn"] == "the same arguments and result"

    def test_a_completed_call_keeps_what_its_start_told(self, trial: Trial, call: Caller) -> None:
        for i in range(5):
            call(args="a", phase=Phase.START, call_id=f"c{i}")
            call(args=None, phase=Phase.END, call_id=f"c{i}")
            call(args=None, phase=Phase.END, call_id=f"c{i}", ok=True)
        assert severity(trial) is Severity.WARNING


class TestCycles:
    def test_two_calls_in_turn_four_times_are_a_ping_pong(self, trial: Trial, call: Caller) -> None:
        in_turn(call, "ab", 3)
        call("Toola", "a")
        assert trial.said == []
        call("Toolb", "b")
        (verdict,) = trial.verdicts
        assert verdict.severity is Severity.WARNING
        assert verdict.message == "Loop — Toola and Toolb in turn, 4 times over, with the same arguments"
        assert verdict.evidence["kind"] == "ping_pong"

    @pytest.mark.parametrize("period", [3, 9, 10, 30, 39, 40])
    def test_a_cycle_fires_the_third_time_round(self, trial: Trial, call: Caller, period: int) -> None:
        others(call, 77)
        arguments = [f"{i}" for i in range(period)]
        in_turn(call, arguments, 2)
        for one in arguments[:-1]:
            call(f"Tool{one}", one)
        assert trial.said == []
        call(f"Tool{arguments[-1]}", arguments[-1])
        (verdict,) = trial.verdicts
        assert verdict.severity is (Severity.CRITICAL if period >= 10 else Severity.WARNING)
        assert verdict.evidence["period"] == period
        assert f"the same {period} calls" in verdict.message

    def test_a_short_cycle_becomes_critical_when_it_goes_on(self, trial: Trial, call: Caller) -> None:
        in_turn(call, "abc", 9)
        assert severity(trial) is Severity.WARNING
        in_turn(call, "abc", 1)
        assert severity(trial) is Severity.CRITICAL

    def test_a_cycle_longer_than_forty_is_not_seen(self, trial: Trial, call: Caller) -> None:
        in_turn(call, [f"{i}" for i in range(41)], 5)
        assert trial.said == []

    def test_a_cycle_that_is_broken_begins_anew(self, trial: Trial, call: Caller) -> None:
        for _ in range(4):
            in_turn(call, "abcdefgh", 2)
            others(call, 40)
        assert trial.said == []

    def test_a_cycle_whose_results_change_gets_on(self, trial: Trial, call: Caller) -> None:
        for i in range(20):
            call("Edit", f"{i}")
            call("Test", "t", result_hash=f"{i}")
        assert trial.said == []


class TestErrors:
    def fail(self, call: Caller, error: str, args: str | None = None) -> None:
        call(args=args or f"{next(numbers)}", ok=False, error=error)

    def test_the_same_text_five_times_fires_whatever_the_arguments(self, trial: Trial, call: Caller) -> None:
        for _ in range(10):
            self.fail(call, "no such table: users")
            others(call, 3)
        assert [v.severity for v in trial.verdicts] == ["warning", "critical"]
        assert trial.verdicts[0].message == "Loop — the same error 5 times: no such table: users"

    def test_numbers_and_addresses_do_not_make_another_text(self, trial: Trial, call: Caller) -> None:
        for i in range(5):
            self.fail(call, f"Timeout after {i * 7} ms  at 0x7f{i}a\n(request 3f2a99b{i}c0de)")
        assert severity(trial) is Severity.WARNING

    def test_other_texts_are_other_errors(self, trial: Trial, call: Caller) -> None:
        for word in ("a", "b", "c", "d", "e", "f", "g", "h"):
            self.fail(call, f"cannot find {word}")
        assert trial.said == []

    def test_errors_that_are_no_calls_count_too(self, trial: Trial, call: Caller) -> None:
        for _ in range(4):
            trial.say("error", session_id="s", error="the model refused")
            others(call, 2)
        self.fail(call, "the model refused")
        assert severity(trial) is Severity.WARNING

    def test_errors_older_than_fifty_calls_do_not(self, trial: Trial, call: Caller) -> None:
        for _ in range(4):
            trial.say("error", session_id="s", error="the model refused")
        others(call, 51)
        trial.say("error", session_id="s", error="the model refused")
        assert trial.said == []

    def test_a_mere_kind_of_error_counts_while_nothing_else_comes_between(self, trial: Trial, call: Caller) -> None:
        for _ in range(12):
            for _ in range(4):
                self.fail(call, "ShellError")
            others(call, 1)
        assert trial.said == []
        for _ in range(5):
            self.fail(call, "ShellError")
        assert severity(trial) is Severity.WARNING

    def test_a_text_on_a_call_that_worked_is_no_error(self, trial: Trial, call: Caller) -> None:
        for _ in range(20):
            call(args=f"{next(numbers)}", ok=True, error="a warning of some kind")
        assert trial.said == []


class TestBlockedCalls:
    def test_three_are_a_warning_and_six_critical(self, trial: Trial, call: Caller) -> None:
        for i in range(6):
            call(args=f"{i}", is_blocked=True)
        assert [(v.severity, v.evidence["count"]) for v in trial.verdicts] == [("warning", 3), ("critical", 6)]
        assert trial.verdicts[0].message == "Loop — 3 calls were blocked and it goes on, last Bash"

    def test_one_refused_at_its_start_is_counted_once(self, trial: Trial, call: Caller) -> None:
        for i in range(2):
            call(args=f"{i}", is_blocked=True, phase=Phase.START, call_id=f"c{i}")
            call(args=f"{i}", is_blocked=True, phase=Phase.END, call_id=f"c{i}")
        assert trial.said == []
        call(args="x", is_blocked=True, phase=Phase.START, call_id="c2")
        assert severity(trial) is Severity.WARNING

    def test_those_that_our_own_brake_refuses_do_not_count(self, trial: Trial, call: Caller) -> None:
        call("Read", "x")
        trial.edge(ControlChanged(agent_id=AGENT, control=Control.PAUSED, by="olga"))
        for i in range(10):
            call(args=f"{i}", is_blocked=True)
        assert trial.said == []


class TestTheEnd:
    @pytest.fixture
    def looping(self, trial: Trial, call: Caller) -> Trial:
        for _ in range(5):
            call()
        assert severity(trial) is Severity.WARNING
        return trial

    def test_comes_after_twenty_other_calls(self, looping: Trial, call: Caller) -> None:
        others(call, 19)
        assert severity(looping) is Severity.WARNING
        others(call, 1)
        assert severity(looping) is None

    def test_is_put_off_by_each_call_of_the_loop(self, looping: Trial, call: Caller) -> None:
        others(call, 19)
        call()
        others(call, 19)
        assert severity(looping) is Severity.WARNING

    def test_comes_with_a_human_prompt_in_the_same_session(self, looping: Trial) -> None:
        looping.say("message", session_id="other", turn=Turn.OPEN)
        assert severity(looping) is Severity.WARNING
        looping.say("message", session_id="s", turn=Turn.OPEN)
        assert severity(looping) is None

    def test_does_not_come_with_a_call_that_shows_that_a_turn_is_open(self, looping: Trial, call: Caller) -> None:
        call("Read", "x", turn=Turn.OPEN)
        assert severity(looping) is Severity.WARNING

    def test_comes_ten_minutes_after_the_last_call_of_the_loop(self, looping: Trial, call: Caller) -> None:
        looping.advance(9 * MINUTE)
        call()
        looping.advance(10 * MINUTE - 1)
        assert severity(looping) is Severity.WARNING
        looping.advance(1)
        assert severity(looping) is None

    @pytest.mark.parametrize("how", ["others", "prompt", "time"])
    def test_lets_nothing_from_before_count(self, looping: Trial, call: Caller, how: str) -> None:
        if how == "others":
            others(call, 20)
        elif how == "prompt":
            looping.say("message", session_id="s", turn=Turn.OPEN)
        else:
            looping.advance(10 * MINUTE)
        for _ in range(4):
            call()
        assert severity(looping) is None
        call()
        assert severity(looping) is Severity.WARNING

    def test_is_said_once(self, looping: Trial, call: Caller) -> None:
        others(call, 60)
        looping.advance(HOUR)
        assert [v.severity for v in looping.verdicts] == ["warning", None]

    def test_a_jump_of_the_wall_clock_changes_nothing(self, looping: Trial) -> None:
        looping.clock.jump(-3 * HOUR)
        looping.advance(10 * MINUTE)
        assert severity(looping) is None

    def test_wakes_do_not_pile_up(self, looping: Trial, call: Caller) -> None:
        for _ in range(45):
            looping.advance(SECOND)
            call()
        assert looping.pending_wakes == 1


class TestRoutines:
    """Equal calls that come once per run warn and never brake."""

    def turn(self, trial: Trial, session_id: str = "s") -> None:
        trial.say("message", session_id=session_id, turn=Turn.OPEN)

    def test_a_call_once_in_each_of_ten_turns_warns(self, trial: Trial, call: Caller) -> None:
        for number in range(1, 51):
            trial.advance(30 * MINUTE)
            self.turn(trial)
            call("heartbeat_respond", "a", result_hash="none")
            others(call, 2)
            assert severity(trial, "every run") is (Severity.WARNING if number >= 10 else None)
        assert [v.evidence["count"] for v in trial.verdicts] == [10, 20, 40]
        (first, *_) = trial.verdicts
        assert first.message == "heartbeat_respond called in each of 10 runs with the same arguments and result"
        assert not any(v.may_brake or v.is_top for v in trial.verdicts)

    def test_a_call_once_in_each_session_warns(self, trial: Trial, call: Caller) -> None:
        for i in range(10):
            call(session_id=f"cron {i}")
        assert severity(trial, "every run") is Severity.WARNING

    def test_a_call_once_in_each_task_warns_and_is_no_loop(self, trial: Trial, call: Caller) -> None:
        for i in range(12):
            trial.say("run", session_id="s", run=RunReport(run_id=f"r{i}", kind="task", status="running"))
            call()
            trial.say("run", session_id="s", run=RunReport(run_id=f"r{i}", kind="task", status="completed"))
        assert set(trial.firing) == {(AGENT, "every run")}

    def test_a_cycle_once_in_each_task_is_no_loop_either(self, trial: Trial, call: Caller) -> None:
        for i in range(9):
            trial.say("run", run=RunReport(run_id=f"r{i}", status="running"))
            in_turn(call, "abcdefghijkl", 1)
        assert trial.said == []

    def test_the_steps_of_a_task_are_no_runs(self, trial: Trial, call: Caller) -> None:
        for i in range(10):
            trial.say("run", session_id="s", run=RunReport(run_id=f"i{i}", kind="inference", status="running"))
            trial.say("run", session_id="s", run=RunReport(run_id=f"p{i}", parent_run_id="p", status="running"))
            call()
        assert severity(trial) is Severity.CRITICAL

    def test_several_times_in_each_task_is_a_loop(self, trial: Trial, call: Caller) -> None:
        for i in range(3):
            trial.say("run", session_id="s", run=RunReport(run_id=f"r{i}", status="running"))
            for _ in range(4):
                call()
        assert severity(trial) is Severity.CRITICAL

    def test_it_is_over_when_runs_go_on_without_it(self, trial: Trial, call: Caller) -> None:
        for i in range(10):
            call(session_id=f"cron {i}")
        for i in range(10, 13):
            call("Read", f"{i}", session_id=f"cron {i}")
        assert severity(trial, "every run") is Severity.WARNING
        call("Read", "x", session_id="cron 13")
        assert severity(trial, "every run") is None

    def test_it_is_over_when_nothing_is_heard_for_a_day(self, trial: Trial, call: Caller) -> None:
        for i in range(11):
            trial.advance(HOUR)
            call(session_id=f"cron {i}")
        trial.advance(DAY - 1)
        assert severity(trial, "every run") is Severity.WARNING
        trial.advance(1)
        assert severity(trial, "every run") is None


class TestOrigins:
    def test_the_past_never_fires(self, trial: Trial, call: Caller) -> None:
        for i in range(20):
            call(origin=Origin.HISTORY, phase=Phase.END, call_id=f"c{i}")
            call(origin=Origin.HISTORY, phase=Phase.END, call_id=f"c{i}", ok=True)
        assert trial.said == []

    def test_spooled_calls_fire_and_never_brake_and_are_over_by_their_own_time(
        self, trial: Trial, call: Caller
    ) -> None:
        for _ in range(10):
            call(origin=Origin.LATE, ago=HOUR)
        assert severity(trial) is Severity.CRITICAL
        assert not any(v.may_brake for v in trial.verdicts)
        trial.advance(0)
        assert severity(trial) is None


class TestARestart:
    def test_remembers_the_calls_of_before(self, trial: Trial, call: Caller) -> None:
        for _ in range(4):
            call()
        trial.restart(Loop(), downtime=20 * MINUTE)
        assert severity(trial) is None
        call()
        assert severity(trial) is Severity.WARNING

    def test_says_nothing_twice(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call()
        trial.restart(Loop())
        call()
        assert len([v for v in trial.verdicts if v.severity]) == 1

    def test_ends_a_loop_in_time(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call()
        trial.restart(Loop(), downtime=4 * MINUTE)
        trial.advance(6 * MINUTE - 1)
        assert severity(trial) is Severity.WARNING
        trial.advance(1)
        assert severity(trial) is None

    @pytest.mark.parametrize("downtime", [11 * MINUTE, 5 * HOUR])
    async def test_ends_one_whose_time_is_up(self, trial: Trial, call: Caller, downtime: int) -> None:
        for _ in range(5):
            call()
        trial.firing[AGENT, "every run"] = trial.verdicts[0]

        class Queries:
            def open_alerts(self, rule: str) -> list[Alert]:
                return [alert(subject) for _, subject in trial.firing]

        class Core:
            queries = Queries()

        async with open_rule(LoopSettings(), Core()) as rule:  # type: ignore[arg-type]
            trial.restart(rule, downtime)
        assert trial.firing == {}


def alert(subject: str) -> Alert:
    return Alert(
        id="alert_1", fingerprint="", rule="loop", type=AlertType.LOOP_DETECTED, severity=Severity.WARNING,
        agent_id=AGENT, subject=subject, message="", state=AlertState.FIRING, started_at=0,
    )


class TestSettings:
    def test_tools_can_be_left_out_by_pattern(self, call: Caller, trial: Trial) -> None:
        trial.settings = LoopSettings(ignore=("wait_*", "Poll"))
        for _ in range(20):
            call("wait_for_ci")
            call("Poll")
        assert trial.said == []
        for _ in range(5):
            call("poll")
        assert severity(trial) is Severity.WARNING

    def test_thresholds_can_be_set_for_one_agent(self, call: Caller, trial: Trial) -> None:
        trial.overrides["strict"] = LoopSettings(warn=2, critical=3)
        for _ in range(3):
            call(agent_id="strict")
            call()
        assert severity(trial, agent_id="strict") is Severity.CRITICAL
        assert severity(trial) is None

    @pytest.mark.parametrize("written", [{"warn": 1}, {"warn": 8, "critical": 7}, {"critical": 51}, {"ignores": []}])
    def test_what_makes_no_sense_is_refused(self, written: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            settings_from_file(LoopSettings, written)

    def test_it_is_registered_with_its_defaults(self) -> None:
        (kind,) = register_rules()
        assert (kind.name, kind.alert_type) == ("loop", "loop_detected")
        settings = settings_from_file(kind.settings, {})
        assert (settings.warn, settings.critical, settings.ignore) == (5, 10, ())


class TestHostileInput:
    def test_names_and_errors_are_cut_and_kept_on_one_line(self, trial: Trial, call: Caller) -> None:
        nasty = "<img src=x>\x1b[31m*_`'; DROP TABLE\r\n" * 50
        for i in range(10):
            call(nasty, "a", session_id=nasty)
            call("Read", f"{i}", session_id="e" + nasty, ok=False, error=nasty)
            call(nasty, None, session_id="b" + nasty, is_blocked=True)
        assert len(trial.firing) == 3
        for (_, subject), verdict in trial.firing.items():
            for text in (subject, verdict.message, *map(str, verdict.evidence.values())):
                assert text.isprintable()
                assert len(text) < 220

    def test_sessions_are_bounded_per_agent_and_in_all(self, trial: Trial, call: Caller) -> None:
        from clawatch_plugins.loop import sessions

        for i in range(3 * sessions.PER_AGENT):
            call(session_id=f"{i}")
        assert len(trial.rule._sessions.agent(AGENT).sessions) == sessions.PER_AGENT
        for i in range(sessions.IN_ALL + 50):
            call(agent_id=f"agent{i}")
        assert len(trial.rule._sessions._by_use) == sessions.IN_ALL
        assert sum(len(a.sessions) for a in trial.rule._sessions._agents.values()) == sessions.IN_ALL

    def test_the_alert_of_a_forgotten_session_ends(self, trial: Trial, call: Caller) -> None:
        for _ in range(5):
            call()
        for i in range(40):
            call("Read", f"{i}", session_id=f"{i}")
        trial.advance(10 * MINUTE)
        assert severity(trial) is None


def test_a_removed_agent_is_forgotten(trial: Trial, call: Caller) -> None:
    for _ in range(4):
        call()
    trial.edge(Removed(agent_id=AGENT, by="olga"))
    call()
    assert trial.said == []


def test_a_tool_call_without_a_tool_is_passed_over(trial: Trial) -> None:
    for _ in range(20):
        trial.say("tool_call", session_id="s")
    assert trial.said == []


def test_a_tool_told_with_another_kind_of_event_is_no_call(trial: Trial) -> None:
    for _ in range(20):
        trial.say("message", session_id="s", tool=Tool(name="Bash", args_hash="a"))
    assert trial.said == []
