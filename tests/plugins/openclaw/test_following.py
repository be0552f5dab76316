"""What the gateway tells, as events: runs, calls, tries, and nothing that raises."""

from __future__ import annotations

from typing import Any

import msgspec
from clawatch_plugins.openclaw.entries import Transcripts
from clawatch_plugins.openclaw.following import Follower
from clawatch_plugins.openclaw.frames import Refused, read_hello
from clawatch_plugins.openclaw.rows import Rows, read_row
from hypothesis import given
from hypothesis import strategies as st

from clawatch.domain.events import Event, EventType, Phase, Turn

KEY = "agent:main:main"
AT = 1_782_896_400_000


class Nobody:
    """A gateway that knows nothing."""

    async def request(self, method: str, params: Any = None, within: float = 0) -> Any:
        return {}


async def hear(name: str, payload: dict[str, Any], is_record: bool = True, knows: str = "s-1") -> list[Event]:
    taken: list[Event] = []

    async def take(events: list[Event]) -> None:
        taken.extend(events)

    rows = Rows(Nobody())  # type: ignore[arg-type]
    if knows:
        rows.change({"key": KEY, "sessionId": knows})
    follower = Follower(
        "openclaw", Nobody(), rows, Transcripts(), is_record, take, lambda agent: None, lambda: AT,  # type: ignore[arg-type]
    )
    await follower.hear(name, payload)
    return taken


def lifecycle(phase: str, **data: Any) -> dict[str, Any]:
    return {"runId": "r1", "stream": "lifecycle", "ts": AT, "sessionKey": KEY, "data": {"phase": phase, **data}}


async def test_a_run_begins_and_ends() -> None:
    (began,) = await hear("agent", lifecycle("start"))
    (ended,) = await hear("agent", lifecycle("end"))
    assert (began.agent_id, began.session_id, began.phase, began.turn) == ("openclaw:main", "s-1", Phase.START, None)
    assert (ended.turn, ended.run and ended.run.status) == (Turn.CLOSED, "completed")


async def test_a_run_that_was_aborted_is_cancelled_and_one_that_failed_says_why() -> None:
    (aborted,) = await hear("agent", lifecycle("end", aborted=True))
    (failed,) = await hear("agent", lifecycle("error", error="it broke"))
    assert aborted.run is not None
    assert failed.run is not None
    assert (aborted.run.status, failed.run.status, failed.run.error) == ("cancelled", "failed", "it broke")


async def test_a_call_is_told_as_it_starts_and_its_end_only_without_transcripts() -> None:
    start = {"runId": "r1", "ts": AT, "sessionKey": KEY, "data": {
        "phase": "start", "name": "exec", "toolCallId": "t1", "args": {"command": "ls"},
    }}
    end = {**start, "data": {"phase": "result", "name": "exec", "toolCallId": "t1", "isError": False}}
    (event,) = await hear("session.tool", start)
    assert event.tool is not None
    assert (event.call_id, event.tool.name, event.turn) == ("t1", "exec", Turn.OPEN)
    assert event.tool.args_hash is not None
    assert [one.phase for one in await hear("session.tool", end)] == [Phase.END]
    assert await hear("session.tool", end, is_record=False) == []


async def test_a_try_after_a_rate_limit_is_an_error_at_once() -> None:
    retry = {"attempt": 2, "maxAttempts": 5, "reason": "rate_limit"}
    (event,) = await hear("chat", {"runId": "r1", "sessionKey": KEY, "state": "status", "retry": retry})
    assert (event.type, event.error) == (EventType.ERROR, "rate_limit, tried again (2 of 5)")


async def test_what_is_told_of_a_session_that_nobody_knows_is_left_to_its_transcript() -> None:
    assert await hear("agent", lifecycle("start"), knows="") == []


async def test_a_message_counts_by_its_content_not_by_how_often_it_is_told(disk: Any) -> None:
    entry = disk.answer("e2", AT)
    payload = {"sessionKey": KEY, "message": entry["message"], "messageId": "e2"}
    (event,) = await hear("session.message", payload)
    (plain,) = await hear("session.message", {"sessionKey": KEY, "message": entry["message"]})
    (read,) = Transcripts().map(_main(), entry, AT)
    assert event.call_id == plain.call_id == read.call_id
    assert (event.id, event.usage, event.rank) == (read.id, read.usage, read.rank)


def _main() -> Any:
    from clawatch_plugins.openclaw.identity import Where

    return Where(gateway="openclaw", agent="main", session_id="s-1", session_key=KEY)


NAMES = st.sampled_from(["agent", "session.tool", "session.message", "sessions.changed", "chat", "tick", "else"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**66, 2**66) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([
    "sessionKey", "key", "stream", "data", "phase", "runId", "ts", "message", "role", "toolCallId", "args", "result",
    "retry", "state", "session", "sessionId", "hasActiveRun", "childSessions",
])
PAYLOADS = st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=4), max_size=7)


@given(name=NAMES, payload=PAYLOADS)
async def test_no_frame_makes_it_raise(name: str, payload: dict[str, Any]) -> None:
    for event in await hear(name, {"sessionKey": KEY, **payload}):
        msgspec.json.encode(event)


@given(payload=PAYLOADS)
def test_no_row_hello_or_refusal_makes_it_raise(payload: dict[str, Any]) -> None:
    read_row(payload)
    read_hello(payload)
    str(Refused(payload))
