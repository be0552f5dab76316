"""The OpenAPI document is kept to, by every door: schemathesis asks what the document allows, and what it does not."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from clawatch.testing.app import App

IN_CI, AT_NIGHT = 6, 500
"""Requests for each operation and mode."""
JSON = (("Content-Type", "application/json"),)
THINGS = [
    {"agentId": "a", "type": "cost", "data": {"costUsd": 0.5, "tokenCount": 30, "model": "gpt-4o"}},
    {"agentId": "a", "type": "run", "data": {"runId": "r", "status": "running", "input": {"x": 1}}},
    {"agentId": "a", "type": "tool_call", "data": {"toolName": "bash", "ok": True}},
]
KNOWN = {"/api/agents/": "agent", "/api/alerts/": "alert", "/api/commands/": "command", "/api/runs/": "run"}
KEPT = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, unsupported_method,
]


@pytest.mark.parametrize(
    "examples", [IN_CI, pytest.param(AT_NIGHT, marks=pytest.mark.nightly)], ids=["some", "many"]
)
async def test_every_operation_answers_as_the_document_says(
    firing_range: Any, names: dict[str, str], examples: int
) -> None:
    shot, gun = firing_range.shot, firing_range.gun
    await gun.fire([shot("POST", "/api/events", JSON, json.dumps(THINGS).encode())])
    document = json.loads((await gun.fire([shot("GET", "/api/openapi.json")]))[0].body)
    tried = await asyncio.to_thread(try_all, document, firing_range.app, examples, names)
    assert tried == sum(len(operations) for operations in document["paths"].values())
    assert not firing_range.failures


def try_all(document: dict[str, Any], app: App, examples: int, names: dict[str, str]) -> int:
    tried = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        known = next((names[name] for path, name in KNOWN.items() if operation.path.startswith(path)), None)
        if operation.method == "get" and (known is not None or "{" not in operation.path):
            answer = keep_to(operation.Case(path_parameters={"id": known}), app)
            assert answer.status_code == 200, operation.path
        for mode in GenerationMode:
            try_one(operation, mode, app, examples, known)
        tried += 1
    return tried


def keep_to(case: Any, app: App) -> Any:
    headers = {"X-ClaWatch-Key": app.key}
    return case.call_and_validate(base_url=app.url, headers=headers, checks=KEPT, timeout=10)


def try_one(operation: Any, mode: GenerationMode, app: App, examples: int, known: str | None) -> None:
    @seed(0)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if known is not None and mode.is_positive and operation.method != "delete":
            case.path_parameters["id"] = known  # what is there has more to show than what is not
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = "0"  # a number is granted: up to a minute
        keep_to(case, app)

    with suppress(Unsatisfiable):  # nothing can be wrong about a request without parameters
        ask()
