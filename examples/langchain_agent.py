"""A LangChain agent, seen through OpenInference's spans.

    pip install langchain langchain-openai openinference-instrumentation-langchain \
        opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
    CLAWATCH_KEY=cw_… python -m examples.langchain_agent
"""

from __future__ import annotations

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation import TraceConfig
from openinference.instrumentation.langchain import LangChainInstrumentor

from examples.telemetry import provider


@tool
def population(city: str) -> int:
    """How many people live there."""
    return {"Paris": 2_102_650}.get(city, 0)


def main() -> None:
    with provider("langchain-example") as traces:
        # Prompts and answers stay here: ClaWatch needs tokens, tools and errors only.
        LangChainInstrumentor().instrument(
            tracer_provider=traces, config=TraceConfig(hide_inputs=True, hide_outputs=True)
        )
        agent = create_agent(ChatOpenAI(model="gpt-5-mini"), [population], name="langchain-example")
        answer = agent.invoke({"messages": [{"role": "user", "content": "How many people live in Paris?"}]})
        print(answer["messages"][-1].content)


if __name__ == "__main__":
    main()
