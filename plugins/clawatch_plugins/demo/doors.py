"""The doors as the demo uses them: real HTTP with real keys, nothing behind the daemon's back."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from clawatch_plugins.demo.daemon import Place


class Doors:
    """Open while used as a context manager. Every answer of 400 or more raises aiohttp's ClientResponseError."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._owner = ClientSession(
            place.url, headers={"X-ClaWatch-Key": place.owner_key}, raise_for_status=True
        )
        self._agents = ClientSession(
            place.url, headers={"X-ClaWatch-Key": place.agent_key}, raise_for_status=True
        )

    async def __aenter__(self) -> Doors:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owner.close()
        await self._agents.close()

    # -- what agents do

    async def report(self, *events: dict[str, Any]) -> None:
        async with self._agents.post("/api/events", json=list(events)):
            return

    async def hook(self, body: dict[str, Any]) -> dict[str, Any]:
        """What Claude Code is told; empty: go on."""
        async with self._agents.post("/hooks/claude-code", json=body) as answer:
            return await answer.json() if answer.content_length else {}

    async def export_logs(self, body: dict[str, Any]) -> None:
        async with self._agents.post("/v1/logs", json=body):
            return

    async def commands(self, agent_id: str) -> list[dict[str, Any]]:
        """What an agent is asked to do; waits for something."""
        async with self._agents.get(f"/api/agents/{agent_id}/commands", params={"wait": "20"}) as answer:
            asked: list[dict[str, Any]] = (await answer.json())["commands"]
            return asked

    async def answer(self, command_id: str, message: str, data: Any = None) -> None:
        said = {"state": "confirmed", "message": message, "data": data}
        async with self._agents.post(f"/api/commands/{command_id}/result", json=said):
            return

    # -- what their owner does

    async def control(self, agent_id: str, verb: str) -> None:
        async with self._owner.post(f"/api/agents/{agent_id}/{verb}"):
            return

    async def submit(self, agent_type: str, prompt: str) -> str:
        """Give a task to whoever is of this type; its id."""
        async with self._owner.post("/api/v1/tasks", json={"agentType": agent_type, "prompt": prompt}) as answer:
            task_id: str = (await answer.json())["taskId"]
            return task_id

    async def compete(self, prompt: str) -> dict[str, Any]:
        """Have the models compete; answered when it is decided."""
        async with self._owner.post("/api/v1/round-table/compete", json={"prompt": prompt}) as answer:
            decided: dict[str, Any] = await answer.json()
            return decided

    async def agent(self, agent_id: str) -> dict[str, Any] | None:
        """As the list has it; None while nothing is known of it."""
        async with self._owner.get("/api/agents") as answer:
            agents = (await answer.json())["agents"]
        return next((agent for agent in agents if agent["id"] == agent_id), None)

    async def watch(self) -> ClientWebSocketResponse:
        return await self._owner.ws_connect("/ws")
