"""A loop rule on a trial of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from clawatch_plugins.loop.rule import Loop
from clawatch_plugins.loop.settings import LoopSettings

from clawatch.testing.rules import AGENT, Trial

Caller = Callable[..., Any]


@pytest.fixture
def trial() -> Trial:
    return Trial(Loop(), LoopSettings())


@pytest.fixture
def call(trial: Trial) -> Caller:
    """``call("Bash", "a")``: a finished call with these arguments, in session s; fields of tool or event follow."""
    from clawatch.domain.events import Tool

    tool_fields = set(Tool.__struct_fields__)

    def make(name: str = "Bash", args: str | None = "a", agent_id: str = AGENT, **fields: Any) -> None:
        tool = Tool(name=name, args_hash=args, **{k: v for k, v in fields.items() if k in tool_fields})
        rest = {"session_id": "s"} | {k: v for k, v in fields.items() if k not in tool_fields}
        trial.say("tool_call", agent_id, tool=tool, **rest)

    return make
