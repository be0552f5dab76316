"""What OpenTelemetry exporters send: a mix of model calls and tools of agents, and spans that tell nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

AGENTS = 100
TOLD = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-4-5",
    "gen_ai.response.model": "claude-opus-4-5", "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 60,
    "gen_ai.usage.cache_read.input_tokens": 600, "gen_ai.response.finish_reasons": "stop",
}  # fmt: skip
TOOL = {
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.type": "function",
    "gen_ai.tool.call.arguments": '{"path": "/srv/project/file.py", "line": 12}',
}  # fmt: skip
INTERNAL = {
    "code.file.path": "core/src/session/turn.rs", "code.module.name": "codex_core::session::turn",
    "code.line.number": 3077, "thread.id": 3, "thread.name": "tokio-rt-worker", "target": "codex_core::session::turn",
    "busy_ns": 1200, "idle_ns": 900,
}  # fmt: skip


def agents_requests(size: int) -> Iterator[bytes]:
    """Requests of ``size`` spans, two model calls for each call of a tool; every span is another one."""
    templates = [
        _template([_span("chat", TOLD, f"agent-{agent:03}") if (agent + one) % 3 else
                   _span("execute_tool search", TOOL, f"agent-{agent:03}") for one in range(size)],
                  {"service.name": "bench", "service.instance.id": "one"}, "pydantic-ai")
        for agent in range(AGENTS)
    ]  # fmt: skip
    return _filled(templates)


def internal_requests(size: int) -> Iterator[bytes]:
    """Requests of ``size`` spans that nobody needs, as a Codex turn has hundreds of."""
    spans = [_span("append_items", INTERNAL) for _ in range(size)]
    return _filled([_template(spans, {"service.name": "codex_exec"}, "codex_exec")])


_TRACE, _SPAN, _PARENT = b"<trace-trace-id>", b"<span-->", b"<parent>"


def _filled(templates: list[list[bytes]]) -> Iterator[bytes]:
    """Requests with ids of their own, which costs little more than reading them."""
    for number in count():
        pieces = templates[number % len(templates)]
        random = os.urandom(8 * len(pieces))
        yield b"".join(piece + random[at * 8 : at * 8 + 8] for at, piece in enumerate(pieces[:-1])) + pieces[-1]


def _template(spans: list[Span], resource: dict[str, str | int], scope: str) -> list[bytes]:
    """A request cut where 8 bytes of an id belong."""
    request = _request(resource, scope, spans)
    for marker in (_TRACE, _SPAN, _PARENT):
        request = request.replace(marker, _HOLE * (len(marker) // 8))
    return request.split(_HOLE)


_HOLE = b"\xff\xfe\xfdHOLE\xfc"


def _span(name: str, told: dict[str, str | int], agent: str = "") -> Span:
    now = time.time_ns()
    span = Span(
        name=name, trace_id=_TRACE, span_id=_SPAN, parent_span_id=_PARENT, kind=3,
        start_time_unix_nano=now - 20_000_000, end_time_unix_nano=now,
    )  # fmt: skip
    of_agent = {"gen_ai.agent.name": agent, "gen_ai.conversation.id": f"conversation-of-{agent}"} if agent else {}
    _tell(span, {**told, **of_agent})
    return span


def _request(resource: dict[str, str | int], scope: str, spans: list[Span]) -> bytes:
    group = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    group.scope_spans[0].scope.name = scope
    _tell(group.resource, resource)
    return ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()


def _tell(message: object, told: dict[str, str | int]) -> None:
    for key, value in told.items():
        pair = message.attributes.add(key=key)  # type: ignore[attr-defined]
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
