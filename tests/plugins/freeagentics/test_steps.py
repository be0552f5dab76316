"""However a run is reported, its steps make a story: started once, then on its way, then over once."""

from __future__ import annotations

from clawatch_plugins.freeagentics import steps
from clawatch_plugins.freeagentics.steps import Steps
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.events import Event, EventType, RunReport
from clawatch.domain.runs import Run, RunStatus, fold_run

ENDS = {"inference_completed", "inference_failed"}
REPORTS = st.lists(
    st.builds(
        RunReport,
        run_id=st.just("r"),
        status=st.sampled_from([None, *map(str, RunStatus)]),
        progress=st.sampled_from([None, 0.0, 0.5, 1.0]),
        stage=st.sampled_from([None, "a", "b"]),
    ),
    min_size=1, max_size=8,
)


def runs(reports: list[RunReport]) -> list[Run]:
    run: Run | None = None
    folded = []
    for number, report in enumerate(reports):
        run = fold_run(run, Event(agent_id="a", type=EventType.RUN, at=1_000 + number, run=report))
        folded.append(run)
    return folded


@settings(max_examples=200)
@given(REPORTS)
def test_a_run_that_is_seen_from_its_beginning(reports: list[RunReport]) -> None:
    told = Steps()
    folded = runs(reports)
    story = [step for run in folded for step in told.of(run)]
    has_begun = any(run.status is not RunStatus.PENDING for run in folded)
    assert story.count("inference_started") == has_begun
    assert not story or story[0] == "inference_started"
    assert sum(step in ENDS for step in story) == (folded[-1].status not in (RunStatus.PENDING, RunStatus.RUNNING))
    assert not any(step in ENDS for step in story[:-1])


@settings(max_examples=200)
@given(REPORTS, st.integers(min_value=1, max_value=8))
def test_a_run_that_is_seen_from_somewhere_on(reports: list[RunReport], first: int) -> None:
    told = Steps()
    story = [step for run in runs(reports)[first:] for step in told.of(run)]
    assert story.count("inference_started") <= 1
    assert "inference_started" not in story[1:]
    assert not any(step in ENDS for step in story[:-1])


def test_what_is_remembered_is_bounded() -> None:
    told = Steps()
    for number in range(steps.MEMORY + 10):
        told.of(Run(id=f"r{number}", agent_id="a", created_at=1, updated_at=1, status=RunStatus.RUNNING))
    assert len(told._told) == steps.MEMORY
