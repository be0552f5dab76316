"""No vocabulary fails, whatever stands in a record: one that did would be switched off for everybody."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clawatch_plugins.claude_code import register_vocabularies as claude_code
from clawatch_plugins.codex.vocabulary import Codex
from clawatch_plugins.gemini.vocabulary import Gemini
from clawatch_plugins.genai.vocabulary import GenAi
from clawatch_plugins.openclaw_otlp.vocabulary import OpenClawOtlp
from clawatch_plugins.opencode.vocabulary import OpenCode
from clawatch_plugins.openinference.vocabulary import OpenInference
from clawatch_plugins.openllmetry.vocabulary import OpenLlmetry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawatch.apis.telemetry import LogRecord, MetricPoint, SpanEvent, SpanRecord
from clawatch.domain.events import Event, Usage

VOCABULARIES = [
    *claude_code(), Codex(), Gemini(), GenAi(), OpenClawOtlp(), OpenCode(), OpenInference(), OpenLlmetry(),
]  # fmt: skip
APIS = Path(__file__).parents[3] / "clawatch" / "apis"
SHARED = [APIS / name for name in ("genai.py", "identity.py", "steps.py")]
ODD = [
    "chat", "execute_tool", "invoke_agent", "LLM", "TOOL", "AGENT", "1e999", "-1", "\u0663", "true", "{}", "input",
    "output", "response.completed", "a" * 300, "\x00\x1b", '{"lc_agent_name": 1}', "[" * 2000,
]  # fmt: skip
IDS = st.sampled_from(["", "a" * 16, "b" * 16, "c" * 16])
MILLIS = st.integers(0, 2**53)


def words_of(vocabulary: Any) -> list[str]:
    """Whatever stands in quotes in its code: names of records and of attributes, and their values."""
    package = Path(inspect.getfile(type(vocabulary))).parent
    files = [*package.glob("*.py"), *SHARED]
    return sorted({word for file in files for word in re.findall(r'"([A-Za-z_.]{2,60})"', file.read_text())})


def records_of(vocabulary: Any) -> st.SearchStrategy[list[Any]]:
    words = st.sampled_from(words_of(vocabulary))
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64), st.floats(), st.text(max_size=9), words,
        st.sampled_from(ODD),
    )  # fmt: skip
    values = plain | st.lists(plain, max_size=2) | st.dictionaries(words, plain, max_size=2)
    told = st.dictionaries(words, values, max_size=15)
    common: dict[str, Any] = {"resource": told, "scope": words, "name": words, "at": MILLIS, "attributes": told}
    return st.lists(st.one_of(
        st.builds(LogRecord, **common, trace_id=IDS, span_id=IDS, body=values, nanos=MILLIS),
        st.builds(MetricPoint, **common, kind=st.sampled_from(["sum", "histogram"]), started=MILLIS,
                  value=st.floats(), is_cumulative=st.booleans()),
        st.builds(SpanRecord, **common, started=MILLIS, trace_id=IDS, span_id=IDS, parent_id=IDS,
                  is_error=st.booleans(), status_message=st.text(max_size=9),
                  events=st.just(()) | st.tuples(st.builds(SpanEvent, words, MILLIS, told))),
    ), max_size=5)  # fmt: skip


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda one: one.name)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_record_holds_becomes_an_event_or_nothing(vocabulary: Any, data: st.DataObject) -> None:
    records = data.draw(records_of(vocabulary))
    for record in records:
        assert vocabulary.detects(record.resource, record.scope) in (True, False)
        if hasattr(vocabulary, "recognises"):
            assert vocabulary.recognises(record) in (True, False)
    events = [event for event in vocabulary.map(records, 1_795_180_000_000) if event is not None]
    for event in events:
        assert isinstance(event, Event)
        used = event.usage or Usage()
        assert min(used.input, used.output, used.cache_read, used.cache_write, used.cost or 0) >= 0
        msgspec.json.decode(msgspec.json.encode(event), type=Event)
    vocabulary.accepted(events)


def test_the_words_are_those_of_the_vocabularies() -> None:
    assert {"codex.turn_input", "gen_ai.usage.input_tokens", "sse_event"} <= set(words_of(Codex()))
