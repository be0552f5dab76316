"""An agent of the OpenAI Agents SDK, seen through OpenInference's spans.

    pip install openai-agents openinference-instrumentation-openai-agents \
        opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
    CLAWATCH_KEY=cw_… python -m examples.openai_agents
"""

from __future__ import annotations

from agents import Agent, RunConfig, Runner, function_tool
from openinference.instrumentation import TraceConfig
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

from examples.telemetry import provider


@function_tool
def population(city: str) -> int:
    """How many people live there."""
    return {"Paris": 2_102_650}.get(city, 0)


def main() -> None:
    with provider("openai-agents-example") as traces:
        # Prompts and answers stay here: ClaWatch needs tokens, tools and errors only.
        OpenAIAgentsInstrumentor().instrument(
            tracer_provider=traces, exclusive_processor=True, config=TraceConfig(hide_inputs=True, hide_outputs=True)
        )
        agent = Agent(name="openai-agents-example", model="gpt-5-mini", tools=[population])
        config = RunConfig(workflow_name=agent.name)
        print(Runner.run_sync(agent, "How many people live in Paris?", run_config=config).final_output)


if __name__ == "__main__":
    main()
