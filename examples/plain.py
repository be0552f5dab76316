"""Any Python program, with nothing but ClaWatch's own client (standard library only).

    CLAWATCH_KEY=cw_… python -m examples.plain
"""

from __future__ import annotations

import time

from clawatch.client import Client


def search(query: str) -> str:
    """What your agent does; it may fail."""
    return f"three results for {query}"


def main() -> None:
    with Client("plain-example", kind="python") as agent:
        for query in ("watchdogs", "heartbeats", "brakes"):
            if not agent.wait_if_paused():
                return  # its owner has stopped it
            began = time.perf_counter()
            answer = search(query)
            took = (time.perf_counter() - began) * 1000
            agent.tool_call("search", {"query": query}, result=answer, duration_ms=took)
            agent.cost(model="gpt-5-mini", input_tokens=900, output_tokens=120)


if __name__ == "__main__":
    main()
