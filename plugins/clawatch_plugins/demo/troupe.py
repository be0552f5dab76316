"""The troupe: agents that take work, report how they get on, and answer with a result."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

from aiohttp import ClientError

from clawatch_plugins.demo.doors import Doors
from clawatch_plugins.demo.performer import Performer
from clawatch_plugins.demo.roles import ENTRANTS, JUDGE, TYPES, Role

HOST = "shop-server"
_STEPS = 4
_STAGES = ("generating", "validating", "uploading")


class Worker(Performer):
    """Does one thing after the other; a pause holds it up between two steps."""

    def __init__(self, role: Role, doors: Doors, pace: float) -> None:
        super().__init__(role.id, role.name, HOST, doors, pace)
        self._role = role
        self._at_work: dict[str, asyncio.Task[None]] = {}

    def facts(self) -> dict[str, Any]:
        role = self._role
        return {"kind": role.kind, "capabilities": list(role.capabilities), "labels": role.labels}

    async def report(self, run_id: str, **run: Any) -> None:
        await self.say("run", runId=run_id, **run)

    async def end(self) -> None:
        for task in self._at_work.values():
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _do(self, command: dict[str, Any]) -> None:
        run_id = command["parameters"].get("runId", command["id"])
        match command["type"]:
            case "execute" | "learn" if run_id not in self._at_work:
                task = asyncio.create_task(self._carry_out(command, run_id))
                self._at_work[run_id] = task
                task.add_done_callback(lambda _: self._at_work.pop(run_id, None))
            case "execute" | "learn":
                return  # handed out again
            case "cancel":
                if run_id in self._at_work:
                    self._at_work[run_id].cancel()
                await self._doors.answer(command["id"], "cancelled")
            case _:
                await super()._do(command)

    async def _carry_out(self, command: dict[str, Any], run_id: str) -> None:
        with suppress(ClientError):  # it was cancelled meanwhile, or the daemon is gone
            done = self._learn() if command["type"] == "learn" else self.work(command["parameters"], run_id)
            await self._doors.answer(command["id"], "done", await done)

    async def _learn(self) -> Any:
        await self.rest(4)
        return {"result": "a little wiser"}

    async def work(self, parameters: dict[str, Any], run_id: str) -> Any:
        """The result of a task, with what it took."""
        for step in range(1, _STEPS + 1):
            await self.call(random.choice(self._role.labels["tools"].split(",")), task=run_id, step=step)  # noqa: S311
            await self.report(run_id, status="running", progress=step / _STEPS)
            await self.rest(random.uniform(0.5, 1.5))  # noqa: S311
        cost, tokens = round(random.uniform(0.002, 0.02), 4), random.randint(300, 3000)  # noqa: S311
        await self.say("cost", costUsd=cost, model="claude-haiku-4-5", tokenCount=tokens)
        return {
            "result": f"{self._role.name} is done with: {parameters.get('prompt', '')}"[:500], "costUsd": cost,
            "tokensUsed": tokens, "provider": "anthropic", "promptTechnique": "chain_of_thought",
        }

    async def model_in_3d(self, number: int) -> None:
        """A pipeline of its own, which it reports stage by stage."""
        run_id, about = f"3d-{self.id}-{number}", {"prompt": f"Victorian rose ring no. {number}", "format": "glb"}
        for step, stage in enumerate(_STAGES):
            progress = step / len(_STAGES)
            await self.report(
                run_id, kind="3d_pipeline", status="running", stage=stage, progress=progress, input=about
            )
            await self.rest(random.uniform(2, 4))  # noqa: S311
        await self.report(run_id, kind="3d_pipeline", status="completed", stage="completed", progress=1.0)


class Entrant(Worker):
    async def work(self, parameters: dict[str, Any], run_id: str) -> Any:
        await self.rest(random.uniform(1, 3))  # noqa: S311
        said = f"{self._role.name} on “{parameters.get('prompt', '')[:80]}”: a rose is a rose is a rose."
        return {"response": said, "costUsd": round(random.uniform(0.001, 0.01), 4)}  # noqa: S311


class Judge(Worker):
    async def work(self, parameters: dict[str, Any], run_id: str) -> Any:
        await self.rest(1.5)
        providers = [entry["provider"] for entry in parameters.get("entries", ())]
        if parameters.get("step") == "ab_testing":
            return {
                "winner": random.choice(providers), "reasoning": "It says more with fewer words.",  # noqa: S311
                "confidence": round(random.uniform(0.6, 0.95), 2),  # noqa: S311
            }
        return {"scores": {
            provider: {name: round(random.uniform(5, 10), 1) for name in parameters.get("criteria", ())}  # noqa: S311
            for provider in providers
        }}  # fmt: skip


def gather_troupe(doors: Doors, pace: float) -> tuple[Worker, ...]:
    workers = [Worker(role, doors, pace) for role in TYPES]
    entrants = [Entrant(role, doors, pace) for role in ENTRANTS]
    return (*workers, *entrants, Judge(JUDGE, doors, pace))
