"""A subscription does what a plain set of (type, agent) pairs would."""

from __future__ import annotations

from typing import Any

from clawatch_plugins.freeagentics.subscription import Subscription
from clawatch_plugins.freeagentics.wire import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.apis.fanout import News
from clawatch.domain.access import Principal, Scope

TYPES = ["agent_status", "agent_created", "inference_failed"]
AGENTS = ["a", "b", "c"]
STEPS = st.lists(st.tuples(
    st.booleans(), st.lists(st.sampled_from(TYPES), max_size=2), st.lists(st.sampled_from(AGENTS), max_size=2)
), max_size=10)


def principal(*agents: str) -> Principal:
    return Principal(name="k", user="u", scopes=frozenset({Scope.READ}), agents=agents)


def news(type: str, agent_id: str) -> News:
    return News(type, agent_id, Message(type, "", {}))


@settings(max_examples=300)
@given(STEPS, st.sampled_from([("*",), ("a", "b")]))
def test_it_admits_what_was_asked_for_and_may_be_seen(steps: Any, patterns: tuple[str, ...]) -> None:
    subscription = Subscription(principal(*patterns), 20)
    wanted: set[tuple[str, str]] = set()
    for is_added, types, agents in steps:
        pairs = {(one, agent) for one in (types or ([] if is_added else TYPES)) for agent in (agents or AGENTS)}
        if is_added:
            subscription.add(types, agents, None)
            wanted |= pairs
        else:
            subscription.drop(types, agents)
            wanted -= pairs
    seen = AGENTS if patterns == ("*",) else patterns
    for one in TYPES:
        for agent in AGENTS:
            assert subscription.wants(news(one, agent)) == ((one, agent) in wanted and agent in seen)
