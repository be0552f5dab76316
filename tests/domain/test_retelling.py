"""What the journal retells of agents is what the books say of them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clawatch.domain.agents import Control
from clawatch.domain.alerts import AlertState, Reason
from clawatch.domain.commands import CommandState, CommandType
from clawatch.domain.events import Activity, Event, EventType, Facts, Origin, Phase, Signal, Tool, Turn, Usage
from clawatch.domain.journal import AlertChanged, CommandChanged, ControlChanged, Entry, Removed, Silenced
from clawatch.domain.ledger import Posting
from clawatch.domain.retelling import Past
from clawatch.domain.time import SECOND
from clawatch.testing.memory_books import MemoryBooks
from clawatch.testing.store_contract.examples import NOW, alert, command

AGENTS = st.sampled_from(["a", "b"])
EVENTS = st.fixed_dictionaries(
    {"agent_id": AGENTS, "type": st.sampled_from(EventType), "ago": st.integers(0, 5)},
    optional={
        "call_id": st.sampled_from(["c1", "c2"]),
        "phase": st.sampled_from(Phase),
        "signal": st.sampled_from(Signal),
        "rank": st.integers(0, 2),
        "session_id": st.sampled_from(["s1", "s2"]),
        "origin": st.sampled_from(Origin),
        "activity": st.sampled_from(Activity),
        "turn": st.sampled_from(Turn),
        "is_progress": st.booleans(),
        "error": st.just("boom"),
        "tool": st.sampled_from([Tool(name="t"), Tool(name="t", ok=False)]),
        "usage": st.sampled_from([Usage(input=10, cost=5), Usage(model="m", output=3), Usage(tokens=7)]),
        "latency_ms": st.just(1.0),
    },
)
CALLS = st.fixed_dictionaries(
    {
        "agent_id": st.just("a"), "type": st.sampled_from([EventType.TOOL_CALL, EventType.ERROR]),
        "ago": st.integers(0, 3), "call_id": st.just("c"), "session_id": st.just("s"),
    },
    optional={
        "signal": st.sampled_from(Signal), "activity": st.sampled_from(Activity), "turn": st.sampled_from(Turn),
        "error": st.just("boom"), "latency_ms": st.just(1.0), "usage": st.just(Usage(input=10, cost=5)),
        "facts": st.sampled_from([Facts(host="h1"), Facts(host="h2")]),
    },
)  # fmt: skip
"""Reports of one and the same call, which complete each other."""
EDGES = st.one_of(
    st.builds(ControlChanged, agent_id=AGENTS, control=st.sampled_from(Control), by=st.just("ops")),
    st.builds(Silenced, agent_id=AGENTS),
    st.builds(Removed, agent_id=AGENTS, by=st.just("ops")),
    st.builds(
        lambda agent_id, state, verb: CommandChanged(
            command=replace(command(), agent_id=agent_id, state=state, type=verb)
        ),
        AGENTS, st.sampled_from(CommandState), st.sampled_from(CommandType),
    ),
    st.builds(
        lambda agent_id, state: AlertChanged(
            alert=replace(alert(), agent_id=agent_id, state=state, says_silent=True), reason=Reason.UPDATED
        ),
        AGENTS, st.sampled_from(AlertState),
    ),
)  # fmt: skip


def post(books: MemoryBooks, number: int, what: Any) -> None:
    now = NOW + number * SECOND
    posting = Posting(books, books.head + 1, now)
    if isinstance(what, dict):
        fields = {name: value for name, value in what.items() if name != "ago"}
        posting.event(Event(at=now - what["ago"] * SECOND, received_at=now, **fields), "ops")
    else:
        posting.edge(what)
    books.take_over(posting)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(EVENTS, EVENTS, EVENTS, EDGES), max_size=30))
def test_the_journal_retells_agents_as_they_stood(happened: list[Any]) -> None:
    check(happened)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(CALLS, CALLS, EVENTS, EDGES), max_size=15))
def test_reports_that_complete_each_other_are_retold_as_they_came(happened: list[Any]) -> None:
    check(happened)


def test_what_completes_a_call_of_a_removed_agent_is_not_the_new_ones() -> None:
    call = {"agent_id": "a", "type": EventType.TOOL_CALL, "ago": 0, "call_id": "c", "session_id": "s"}
    fresh = {"agent_id": "a", "type": EventType.HEARTBEAT, "ago": 0}
    later = {**call, "activity": Activity.ERROR, "latency_ms": 1.0}
    check([call, Removed(agent_id="a", by="ops"), fresh, later])


def check(happened: list[Any]) -> None:
    books, past = MemoryBooks(1_000), Past()
    for number, what in enumerate(happened):
        post(books, number, what)
        for seq in range(past.seq + 1, books.head + 1):
            past.take(_as_stored(books.journal[seq]))
        told = {agent_id: replace(agent, owner="") for agent_id, agent in books.agents.items()}
        assert past.agents == told


def _as_stored(entry: Entry) -> Entry:
    return msgspec.json.decode(msgspec.json.encode(entry), type=Entry)
