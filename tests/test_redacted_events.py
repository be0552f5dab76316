"""No secret that an agent says, wherever it says it, gets into the store."""

from __future__ import annotations

import msgspec
import pytest

from clawatch.domain.events import Event, EventType, Facts, RunReport, Tool, Usage
from clawatch.domain.redaction import MASK, Redactor
from clawatch.ingest import redact_with

SECRET = "ghp_" + "Ab3" * 12
REDACT = redact_with(Redactor().text, Redactor().value)


def event(**fields: object) -> Event:
    return Event(agent_id="a", type=EventType.HEARTBEAT, at=1, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said",
    [
        event(data={"message": f"see {SECRET}", SECRET: [SECRET]}),
        event(error=f"refused {SECRET}"),
        event(facts=Facts(name=SECRET, host=SECRET, kind=SECRET, group=SECRET)),
        event(facts=Facts(labels={"note": SECRET, SECRET: "x"}, capabilities=("ok", SECRET))),
        event(tool=Tool(name=SECRET)),
        event(usage=Usage(model=SECRET)),
        event(id=SECRET, session_id=SECRET, call_id=SECRET),
        event(run=RunReport(run_id=SECRET, parent_run_id=SECRET, kind=SECRET, stage=SECRET, error=SECRET,
                            input={"x": SECRET}, result=[SECRET])),
        event(gauges={SECRET: 1.0}),
    ],
)
def test_a_secret_goes_from_every_field(said: Event) -> None:
    kept = msgspec.json.encode(REDACT(said))
    assert SECRET.encode() not in kept
    assert MASK.encode() in kept


def test_identifiers_with_secrets_stay_different_and_the_same_ones_the_same() -> None:
    one, other = event(session_id=SECRET), event(session_id=SECRET + "x")
    assert REDACT(one).session_id != REDACT(other).session_id
    assert REDACT(one).session_id == REDACT(event(session_id=SECRET)).session_id
    assert REDACT(REDACT(one)) == REDACT(one)


def test_what_holds_no_secret_stays_as_it_was() -> None:
    said = event(
        id="e1", session_id="s1", call_id="c1", error="boom", data={"x": 1}, tool=Tool(name="Bash", ok=True),
        usage=Usage(model="m", cost=5), facts=Facts(name="A", labels={"l": "v"}, capabilities=("judge",)),
        run=RunReport(run_id="r", kind="task", progress=0.5, input={"a": 1}),
    )
    assert REDACT(said) == said
