"""Agents: what each report and each word of the owner makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.agents import (
    Agent,
    Control,
    Status,
    counts_progress,
    enrol,
    fold,
    is_watched_for_silence,
    with_control,
    with_session_cost,
)
from clawatch.domain.events import Activity, Event, EventType, Facts, Origin, Phase, Signal, Tool, Turn

NOW = 1_800_000_000_000


def event(type: str = "heartbeat", at: int = NOW, **fields: Any) -> Event:
    received_at = fields.pop("received_at", max(at, NOW))
    return Event(agent_id="a", type=EventType(type), at=at, received_at=received_at, **fields)


def agent(*events: Event, **fields: Any) -> Agent:
    """One that has said all this."""
    one = Agent(id="a", name="a", created_at=NOW, watch_from=NOW, **fields)
    for said in events:
        one = fold(one, said)
    return one


class TestEnrolment:
    def test_takes_the_name_that_is_told_else_the_id(self) -> None:
        """CW-25"""
        assert enrol(event(facts=Facts(name="Ada")), NOW, "olga").name == "Ada"
        one = enrol(event(), NOW, "olga")
        assert (one.name, one.host, one.created_at, one.owner) == ("a", "", NOW, "olga")

    def test_later_facts_are_taken_over_and_labels_merged(self) -> None:
        one = agent(event(facts=Facts(name="Ada", host="h", labels={"x": "1"})))
        one = fold(one, event(facts=Facts(host="i", labels={"y": "2"}, capabilities=("judge",))))
        assert (one.name, one.host, one.labels, one.capabilities) == ("Ada", "i", {"x": "1", "y": "2"}, ("judge",))

    def test_remembers_who_spoke_for_it_within_bounds(self) -> None:
        one = agent(*(event(source=f"s{i}") for i in range(40)), event(source="s39"))
        assert len(one.sources) == 16
        assert one.sources[-1] == "s39"


class TestStatus:
    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({}, Status.PENDING),
            ({"activity": Activity.IDLE}, Status.IDLE),
            ({"activity": Activity.RUNNING}, Status.RUNNING),
            ({"activity": Activity.ERROR}, Status.ERROR),
            ({"activity": Activity.ERROR, "is_silent": True}, Status.STUCK),
            ({"activity": Activity.PAUSED, "is_silent": True}, Status.PAUSED),
            ({"control": Control.PAUSED, "activity": Activity.RUNNING, "is_silent": True}, Status.PAUSED),
            ({"control": Control.PAUSED, "activity": Activity.STOPPED}, Status.STOPPED),
            ({"control": Control.STOPPED, "activity": Activity.PAUSED}, Status.STOPPED),
            ({"control": Control.STOPPED, "activity": Activity.RUNNING, "is_silent": True}, Status.STOPPED),
        ],
    )
    def test_is_derived_in_order(self, fields: dict[str, Any], status: Status) -> None:
        assert agent(**fields).status is status

    @pytest.mark.parametrize("type", ["heartbeat", "tool_call", "cost", "message", "metrics", "run", "error"])
    def test_an_agent_that_says_anything_runs(self, type: str) -> None:
        """CW-28"""
        assert agent(event(type)).status is Status.RUNNING

    @pytest.mark.parametrize("type", ["status_change", "entity"])
    def test_what_says_nothing_of_work_leaves_it_pending(self, type: str) -> None:
        assert agent(event(type)).status is Status.PENDING

    @pytest.mark.parametrize("word", list(Activity))
    def test_a_reported_status_is_taken(self, word: Activity) -> None:
        """CW-31"""
        assert agent(event("status_change", activity=word)).activity is word

    def test_an_idle_agent_stays_so_through_heartbeats_and_runs_when_it_works(self) -> None:
        one = agent(event("status_change", activity=Activity.IDLE), event("heartbeat"), event("metrics"))
        assert one.status is Status.IDLE
        assert fold(one, event("tool_call")).status is Status.RUNNING


class TestErrors:
    def test_an_error_with_words_sets_the_status(self) -> None:
        """CW-30"""
        assert agent(event(), event("error", error="it broke")).status is Status.ERROR

    def test_one_without_words_does_not(self) -> None:
        """CW-30"""
        assert agent(event(), event("error")).status is Status.RUNNING

    def test_a_failed_tool_never_does(self) -> None:
        failed = event("tool_call", tool=Tool(name="Bash", ok=False), error="exit 2")
        assert agent(event(), failed).status is Status.RUNNING
        assert agent(failed).status is Status.RUNNING

    def test_the_next_heartbeat_ends_it_and_other_work_does_not(self) -> None:
        """CW-28"""
        broken = agent(event("error", error="x"))
        assert fold(broken, event("tool_call")).status is Status.ERROR
        assert fold(broken, event("heartbeat")).status is Status.RUNNING


class TestPausedAndStopped:
    @pytest.mark.parametrize("type", ["heartbeat", "tool_call", "cost", "message", "error"])
    def test_nothing_but_its_own_word_takes_back_that_it_paused(self, type: str) -> None:
        """CW-19, CW-28"""
        for paused in (
            agent(event("status_change", activity=Activity.PAUSED)),
            with_control(agent(event()), Control.PAUSED, NOW),
            with_control(agent(activity=Activity.PAUSED), Control.PAUSED, NOW),
        ):
            assert fold(paused, event(type, error="x")).status is Status.PAUSED
        paused = agent(event("status_change", activity=Activity.PAUSED))
        assert fold(paused, event("status_change", activity=Activity.RUNNING)).status is Status.RUNNING

    def test_a_paused_agent_that_reports_running_stays_paused(self) -> None:
        paused = with_control(agent(event()), Control.PAUSED, NOW)
        one = fold(paused, event("status_change", activity=Activity.RUNNING))
        assert (one.status, one.control, one.activity) == (Status.PAUSED, Control.PAUSED, Activity.RUNNING)

    def test_its_heartbeat_still_moves_its_last_heartbeat(self) -> None:
        """CW-19"""
        paused = with_control(agent(event()), Control.PAUSED, NOW)
        assert fold(paused, event(at=NOW + 5)).last_heartbeat == NOW + 5

    def test_an_agent_that_stopped_by_itself_lives_when_it_beats(self) -> None:
        """CW-28"""
        stopped = agent(event("status_change", activity=Activity.STOPPED))
        assert fold(stopped, event("cost")).status is Status.STOPPED, "a last bill comes late"
        assert fold(stopped, event("heartbeat")).status is Status.RUNNING

    def test_one_that_its_owner_stopped_does_not(self) -> None:
        stopped = with_control(agent(event()), Control.STOPPED, NOW)
        for one in (stopped, fold(stopped, event("status_change", activity=Activity.STOPPED))):
            assert fold(one, event("heartbeat")).status is Status.STOPPED

    def test_after_a_confirmed_stop_a_reported_running_is_a_new_start(self) -> None:
        stopped = agent(control=Control.STOPPED, activity=Activity.STOPPED)
        one = fold(stopped, event("status_change", at=NOW + 9, activity=Activity.RUNNING))
        assert (one.status, one.control, one.watch_from) == (Status.RUNNING, Control.RUN, NOW + 9)

    def test_before_it_is_confirmed_it_is_not(self) -> None:
        asked = agent(control=Control.STOPPED, activity=Activity.RUNNING)
        assert fold(asked, event("status_change", activity=Activity.RUNNING)).control is Control.STOPPED


class TestTheOwnersWord:
    def test_a_resume_makes_it_run_and_seen_now(self) -> None:
        """CW-16"""
        paused = with_control(agent(event(), is_silent=True), Control.PAUSED, NOW)
        one = with_control(paused, Control.RUN, NOW + 60)
        assert (one.status, one.last_heartbeat, one.watch_from) == (Status.RUNNING, NOW + 60, NOW + 60)

    def test_a_resume_works_for_one_that_paused_by_itself(self) -> None:
        """CW-16"""
        for word in (Activity.PAUSED, Activity.STOPPED):
            paused = agent(event("status_change", activity=word))
            assert with_control(paused, Control.RUN, NOW).status is Status.RUNNING

    def test_one_between_turns_is_idle_after_a_resume(self) -> None:
        paused = with_control(agent(event("message", turn=Turn.CLOSED)), Control.PAUSED, NOW)
        assert with_control(paused, Control.RUN, NOW).status is Status.IDLE

    @pytest.mark.parametrize("control", list(Control))
    def test_saying_it_twice_changes_nothing(self, control: Control) -> None:
        """CW-17"""
        once = with_control(agent(event()), control, NOW + 1)
        assert with_control(once, control, NOW + 2) == once


class TestTurns:
    def test_open_runs_and_closed_or_waiting_is_idle(self) -> None:
        one = agent(event("message", turn=Turn.OPEN))
        assert one.status is Status.RUNNING
        assert fold(one, event("message", turn=Turn.CLOSED)).status is Status.IDLE
        assert fold(one, event("message", turn=Turn.WAITING)).status is Status.IDLE

    def test_between_turns_nothing_makes_it_run(self) -> None:
        one = agent(event("message", turn=Turn.CLOSED), event("heartbeat"), event("cost"), event("metrics"))
        assert one.status is Status.IDLE

    def test_an_error_outlasts_the_end_of_its_turn_but_not_the_next(self) -> None:
        one = agent(event("message", turn=Turn.OPEN), event("error", error="x", turn=Turn.CLOSED))
        assert (one.status, one.turn) == (Status.ERROR, Turn.CLOSED)
        one = fold(one, event("message", turn=Turn.CLOSED))
        assert one.status is Status.ERROR
        assert fold(one, event("message", turn=Turn.OPEN)).status is Status.RUNNING

    def test_work_that_goes_on_ends_an_error_and_a_failed_tool_does_not(self) -> None:
        one = agent(event("message", turn=Turn.OPEN), event("error", error="retrying"))
        assert fold(one, event("tool_call", tool=Tool(name="Bash", ok=False))).status is Status.ERROR
        assert fold(one, event("heartbeat", is_progress=False)).status is Status.ERROR
        assert fold(one, event("cost")).status is Status.RUNNING

    def test_a_new_turn_revives_a_session_that_ended(self) -> None:
        ended = agent(event("message", turn=Turn.CLOSED, activity=Activity.STOPPED))
        assert fold(ended, event("cost")).status is Status.STOPPED
        assert fold(ended, event("message", turn=Turn.OPEN)).status is Status.RUNNING


class TestLiveness:
    def test_last_seen_is_our_time_and_the_last_heartbeat_its_own(self) -> None:
        """CW-64"""
        one = agent(event(at=NOW - 5000, received_at=NOW))
        assert (one.last_seen, one.last_heartbeat) == (NOW, NOW - 5000)

    def test_an_older_event_moves_nothing_back(self) -> None:
        """CW-28"""
        one = agent(event(at=NOW), event(at=NOW - 1, received_at=NOW + 50))
        assert (one.last_seen, one.last_heartbeat, one.newest_at) == (NOW, NOW, NOW)

    @pytest.mark.parametrize("origin", [Origin.LATE, Origin.HISTORY])
    def test_only_live_events_are_signs_of_life(self, origin: Origin) -> None:
        one = agent(event(origin=origin), event("error", error="x", origin=origin))
        assert (one.last_seen, one.last_progress, one.status) == (0, 0, Status.PENDING)

    def test_a_sign_of_life_ends_silence(self) -> None:
        assert fold(agent(is_silent=True), event()).status is Status.RUNNING

    def test_one_that_must_progress_stays_silent_without(self) -> None:
        one = agent(event(is_progress=False), is_silent=True, watches_progress=True)
        assert one.is_silent
        assert not fold(one, event()).is_silent

    def test_after_our_clock_was_set_back_it_is_heard_again(self) -> None:
        one = agent(event(at=NOW), event("heartbeat", at=NOW - 3_600_000, received_at=NOW - 3_600_000))
        assert (one.last_seen, one.last_progress, one.newest_at) == (NOW - 3_600_000,) * 3

    def test_what_we_conclude_ourselves_is_no_sign_of_life(self) -> None:
        one = agent(event(turn=Turn.CLOSED, is_inferred=True))
        assert (one.last_seen, one.turn) == (0, Turn.CLOSED)


class TestSilence:
    def test_is_watched_for_in_agents_that_were_ever_live(self) -> None:
        assert not is_watched_for_silence(agent())
        assert is_watched_for_silence(agent(event()))
        assert is_watched_for_silence(agent(event("error", error="x")))

    @pytest.mark.parametrize("turn", [Turn.CLOSED, Turn.WAITING])
    def test_is_allowed_between_turns_and_to_those_who_wait(self, turn: Turn) -> None:
        assert not is_watched_for_silence(agent(event("message", turn=turn)))
        assert is_watched_for_silence(agent(event("message", turn=Turn.OPEN)))

    def test_is_allowed_to_paused_and_stopped_agents(self) -> None:
        """CW-51"""
        for control in (Control.PAUSED, Control.STOPPED):
            assert not is_watched_for_silence(with_control(agent(event()), control, NOW))

    def test_counts_from_progress_in_open_turns_and_under_a_wrapper(self) -> None:
        assert not counts_progress(agent(event()))
        assert counts_progress(agent(event("message", turn=Turn.OPEN)))
        assert counts_progress(agent(event(is_progress=False)))
        assert not counts_progress(agent(event(is_progress=False, signal=Signal.METRIC)))


def test_what_it_does_is_the_tool_it_has_started() -> None:
    one = agent(event("tool_call", tool=Tool(name="Bash"), phase=Phase.START))
    assert one.doing == "Bash"
    assert fold(one, event("tool_call", tool=Tool(name="Bash"), phase=Phase.END)).doing == ""


class TestSessionCosts:
    def test_grow_by_session(self) -> None:
        one = agent()
        for session, amount in (("s", 5), ("t", 1), ("s", -2)):
            one = Agent(id="a", name="a", created_at=0, session_costs=with_session_cost(one, session, amount))
        assert one.session_costs == {"t": 1, "s": 3}

    def test_leave_out_what_belongs_to_no_session_or_costs_nothing(self) -> None:
        assert with_session_cost(agent(), None, 5) == {}
        assert with_session_cost(agent(), "s", 0) == {}
        assert with_session_cost(agent(), "s" * 201, 5) == {}

    def test_are_kept_for_the_latest_eight(self) -> None:
        one = agent()
        for i in range(20):
            one = Agent(id="a", name="a", created_at=0, session_costs=with_session_cost(one, f"{i}", 1))
        assert list(one.session_costs) == [f"{i}" for i in range(12, 20)]


said = st.builds(
    event,
    st.sampled_from([str(t) for t in EventType]),
    st.integers(NOW - 1000, NOW),
    error=st.sampled_from([None, "x"]),
    activity=st.sampled_from([None, *Activity]),
    turn=st.sampled_from([None, Turn.OPEN, Turn.CLOSED, Turn.WAITING]),
    origin=st.sampled_from(list(Origin)),
    is_progress=st.booleans(),
)


@settings(max_examples=100)
@given(st.lists(said, max_size=12))
def test_nothing_an_agent_says_lifts_a_pause(events: list[Event]) -> None:
    """Only control verbs change control; a stop may only be ended by a new start."""
    paused = with_control(agent(event(at=NOW - 2000)), Control.PAUSED, NOW)
    for one in events:
        paused = fold(paused, one)
        assert paused.control is Control.PAUSED
        assert paused.status in (Status.PAUSED, Status.STOPPED)


@settings(max_examples=100)
@given(st.lists(said, max_size=12))
def test_times_never_run_backwards(events: list[Event]) -> None:
    one = agent()
    for each in events:
        after = fold(one, each)
        for field in ("last_seen", "last_heartbeat", "last_progress", "newest_at", "progress_at"):
            assert getattr(after, field) >= getattr(one, field)
        one = after


def test_a_group_the_agent_claims_is_heeded_once_it_is_vouched_for() -> None:
    claimed = fold(agent(), event(facts=Facts(group="night", claims_group=True)))
    assert (claimed.group, claimed.ruled_as) == ("night", "")
    vouched = fold(claimed, event(facts=Facts(group="night")))
    assert vouched.ruled_as == "night"
    assert fold(vouched, event(facts=Facts(group="night", claims_group=True))).ruled_as == "night"
    assert fold(vouched, event(facts=Facts(group="day", claims_group=True))).ruled_as == ""
