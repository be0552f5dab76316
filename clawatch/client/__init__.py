"""Tell ClaWatch what your agent does. Python's standard library only; never raises into your agent.

::

    from clawatch.client import Client, watch

    with Client("nightly") as agent:                 # running ... stopped, an exception is told as an error
        agent.tool_call("search", {"query": "x"}, result=hits, duration_ms=120)
        agent.cost(model="claude-sonnet-4-5", input_tokens=900, output_tokens=120)
        if not agent.wait_if_paused():               # blocks while a human has it paused; False: asked to stop
            return

    @watch("nightly")
    async def main(): ...

``$CLAWATCH_URL`` and ``$CLAWATCH_KEY`` say where to and as whom.
"""

from __future__ import annotations

from clawatch.client.agent import Client
from clawatch.client.commands import Command, Result
from clawatch.client.watching import watch

__all__ = ["Client", "Command", "Result", "watch"]
