"""A pydantic-ai agent, seen through its own OpenTelemetry spans.

    pip install 'pydantic-ai-slim[openai]' opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
    CLAWATCH_KEY=cw_… python -m examples.pydantic_ai_agent
"""

from __future__ import annotations

from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

from examples.telemetry import provider

agent = Agent("openai-chat:gpt-5-mini", name="pydantic-ai-example", instructions="Answer with the tool's result.")


@agent.tool_plain
def population(city: str) -> int:
    """How many people live there."""
    return {"Paris": 2_102_650}.get(city, 0)


def main() -> None:
    with provider("pydantic-ai-example") as traces:
        # Prompts and answers stay here: ClaWatch needs tokens, tools and errors only.
        Agent.instrument_all(InstrumentationSettings(tracer_provider=traces, include_content=False))
        print(agent.run_sync("How many people live in Paris?").output)


if __name__ == "__main__":
    main()
