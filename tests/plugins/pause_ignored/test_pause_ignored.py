"""Pause ignored: critical until the agent is quiet or released."""

from __future__ import annotations

import pytest
from clawatch_plugins.pause_ignored import PauseIgnoredSettings, register_rules
from clawatch_plugins.pause_ignored.rule import PauseIgnored

from clawatch.domain.agents import Control
from clawatch.domain.alerts import Severity
from clawatch.domain.commands import Command, CommandState, CommandType, ControlKind
from clawatch.domain.events import Activity, Origin
from clawatch.domain.journal import CommandChanged, ControlChanged, Removed
from clawatch.domain.time import MINUTE
from clawatch.testing.rules import AGENT, Trial


def command(trial: Trial, state: CommandState, message: str = "", type: CommandType = CommandType.PAUSE) -> None:
    wall = trial.now.wall
    trial.edge(
        CommandChanged(
            command=Command(
                id="cmd_1", agent_id=AGENT, type=type, state=state, requested_at=wall, requested_by="olga",
                changed_at=wall, control_kind=ControlKind.COOPERATIVE, message=message,
            )
        )
    )


def control(trial: Trial, wanted: Control) -> None:
    trial.edge(ControlChanged(agent_id=AGENT, control=wanted, by="olga"))


@pytest.fixture
def trial() -> Trial:
    trial = Trial(PauseIgnored(), PauseIgnoredSettings())
    trial.say("heartbeat")
    control(trial, Control.PAUSED)
    command(trial, CommandState.DELIVERED)
    return trial


@pytest.fixture
def ignoring(trial: Trial) -> Trial:
    trial.advance(MINUTE)
    command(trial, CommandState.FAILED, "still working: reported tool_call")
    return trial


def test_an_agent_that_works_on_though_paused_fires(ignoring: Trial) -> None:
    verdict = ignoring.alert()
    assert verdict is not None
    assert verdict.severity is Severity.CRITICAL
    assert verdict.message == "Agent goes on working though it is to be paused — still working: reported tool_call"
    assert verdict.evidence == {"command": "cmd_1", "type": "pause", "said": "still working: reported tool_call"}


def test_so_does_one_that_works_on_though_stopped(trial: Trial) -> None:
    command(trial, CommandState.FAILED, "still working: reported cost", CommandType.STOP)
    verdict = trial.alert()
    assert verdict is not None
    assert "to be stopped" in verdict.message


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (CommandState.FAILED, "no such process"),
        (CommandState.CONFIRMED, "still working"),
        (CommandState.EXPIRED, ""),
        (CommandState.UNSUPPORTED, ""),
    ],
)
def test_no_other_end_of_a_command_fires(trial: Trial, state: CommandState, message: str) -> None:
    command(trial, state, message)
    assert trial.verdicts == []


def test_work_goes_unremarked_until_the_command_has_failed(trial: Trial) -> None:
    for _ in range(5):
        trial.say("tool_call")
    assert trial.verdicts == []


def test_further_work_does_not_resolve_it_and_is_not_said_again(ignoring: Trial) -> None:
    for _ in range(5):
        ignoring.say("tool_call")
    assert len(ignoring.verdicts) == 1


def test_a_resume_resolves_it(ignoring: Trial) -> None:
    control(ignoring, Control.RUN)
    assert ignoring.alert() is None


@pytest.mark.parametrize("type", [CommandType.PAUSE, CommandType.STOP])
def test_a_confirmed_pause_or_stop_resolves_it(ignoring: Trial, type: CommandType) -> None:
    command(ignoring, CommandState.DELIVERED, type=type)
    assert ignoring.alert() is not None
    command(ignoring, CommandState.CONFIRMED, type=type)
    assert ignoring.alert() is None


def test_asking_to_stop_does_not_resolve_it_by_itself(ignoring: Trial) -> None:
    control(ignoring, Control.STOPPED)
    assert ignoring.alert() is not None


def test_the_agents_own_word_resolves_it_but_not_a_spooled_one(ignoring: Trial) -> None:
    ignoring.say("status_change", activity=Activity.PAUSED, origin=Origin.LATE)
    assert ignoring.alert() is not None
    ignoring.say("status_change", activity=Activity.PAUSED)
    assert ignoring.alert() is None


def test_it_is_said_once_per_end(ignoring: Trial) -> None:
    control(ignoring, Control.RUN)
    for _ in range(5):
        ignoring.say("heartbeat")
    assert [v.severity for v in ignoring.verdicts] == ["critical", None]


def test_a_restart_keeps_it_open_and_still_hears_its_end(ignoring: Trial) -> None:
    ignoring.restart(PauseIgnored(), downtime=5 * 60 * MINUTE)
    assert ignoring.alert() is not None
    control(ignoring, Control.RUN)
    assert ignoring.alert() is None


def test_a_restart_resolves_what_ended_unheard(ignoring: Trial) -> None:
    posting = ignoring._posting()
    posting.edge(ControlChanged(agent_id=AGENT, control=Control.RUN, by="olga"))
    ignoring.books.take_over(posting)
    ignoring.restart(PauseIgnored())
    assert ignoring.alert() is None


def test_a_removed_agent_is_forgotten(ignoring: Trial) -> None:
    ignoring.edge(Removed(agent_id=AGENT, by="olga"))
    ignoring.say("heartbeat")
    assert len(ignoring.verdicts) == 1


async def test_it_is_registered_and_opens() -> None:
    (kind,) = register_rules()
    assert (kind.name, kind.alert_type) == ("pause_ignored", "error")
    async with kind.open(PauseIgnoredSettings(), None) as rule:
        assert isinstance(rule, PauseIgnored)
