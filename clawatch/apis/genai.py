"""The attributes of OpenTelemetry's GenAI semantic conventions, of all three generations, read. Public.

https://opentelemetry.io/docs/specs/semconv/gen-ai/. Older names come after newer ones; libraries emit all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawatch.apis.attributes import count, dollars, text
from clawatch.apis.contents import args_hash, content
from clawatch.domain.events import Tool, Usage

OPERATION = "gen_ai.operation.name"
AGENT_NAME = "gen_ai.agent.name"
MODEL_CALLS = frozenset({"chat", "generate_content", "text_completion", "embeddings", "completion", "embedding"})
"""Operations that are a call of a model. Others may repeat its usage."""
TOOL_CALLS = frozenset({"execute_tool"})
AGENT_RUNS = frozenset({"invoke_agent", "invoke_workflow"})

_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_CACHE_READ = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
_CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
)


def model_of(attributes: Mapping[str, Any]) -> str:
    """The model that answered, else the one that was asked."""
    return text(attributes, "gen_ai.response.model", "gen_ai.request.model") or ""


def provider_of(attributes: Mapping[str, Any]) -> str | None:
    """Who runs the model."""
    return text(attributes, "gen_ai.provider.name", "gen_ai.system")


def usage_of(attributes: Mapping[str, Any]) -> Usage | None:
    """Usage of one call; None when it tells none."""
    told = first(attributes, _INPUT), first(attributes, _OUTPUT)
    cost = dollars(attributes.get("operation.cost", attributes.get("gen_ai.usage.cost")))
    if told == (None, None) and cost is None:
        return None
    return inclusive(
        Usage(
            model=model_of(attributes),
            cost=cost,
            input=told[0] or 0,
            output=told[1] or 0,
            cache_read=first(attributes, _CACHE_READ) or 0,
            cache_write=first(attributes, _CACHE_WRITE) or 0,
            provider=provider_of(attributes),
        )
    )


def inclusive(usage: Usage) -> Usage:
    """With cached tokens in ``input``. The conventions say so; one that leaves them out has more cached than in."""
    cached = usage.cache_read + usage.cache_write
    if cached <= usage.input:
        return usage
    return Usage(
        model=usage.model, cost=usage.cost, input=usage.input + cached, output=usage.output,
        cache_read=usage.cache_read, cache_write=usage.cache_write, provider=usage.provider,
    )


def tool_of(attributes: Mapping[str, Any], ok: bool, name: str = "") -> Tool:
    """A tool's call as a span tells it."""
    return Tool(
        name=text(attributes, "gen_ai.tool.name") or name or "tool",
        args_hash=args_hash(attributes.get("gen_ai.tool.call.arguments")),
        result_hash=args_hash(attributes.get("gen_ai.tool.call.result")),
        ok=ok,
    )


def tool_content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Its arguments and result themselves."""
    return content(attributes, arguments="gen_ai.tool.call.arguments", result="gen_ai.tool.call.result")


def model_content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the model was asked and answered."""
    return content(attributes, prompt="gen_ai.input.messages", response="gen_ai.output.messages")


def first(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """The count under the first key that has one."""
    for key in keys:
        told = count(attributes, key)
        if told is not None:
            return told
    return None
