"""Agents and tasks over REST: shapes, rights, refusals, and what really happens to an agent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clawatch_plugins.devskyy.words import TASK_WORDS

from clawatch.domain.runs import RunStatus
from clawatch.domain.time import iso

VERCEL = "https://devskyy-dashboard.vercel.app"


class TestAccess:
    async def test_every_request_needs_a_bearer_and_health_none(self, ds: Any) -> None:
        """DS-23, DS-55, X-07"""
        for method, path in (
            ("GET", "/api/v1/agents"), ("GET", "/api/v1/tasks"), ("POST", "/api/v1/tasks"),
            ("GET", "/api/v1/round-table"), ("GET", "/api/v1/monitoring/metrics"),
        ):  # fmt: skip
            for token in (None, "wrong"):
                answer = await ds.ask(method, path, token=token)
                assert (answer.status, set(answer.body) & {"detail"}) == (401, {"detail"})
        health = (await ds.ask("GET", "/health", token=None)).body
        assert {"status", "services", "version", "uptime", "timestamp"} <= set(health)
        assert isinstance(health["uptime"], int | float)

    async def test_a_jwt_from_the_token_endpoint_is_as_good(self, ds: Any) -> None:
        """DS-23, X-06: one credential store."""
        token = (await ds.post("/api/auth/token"))["access_token"]
        assert token.count(".") == 2
        assert await ds.get("/api/v1/agents", token=token) == []

    async def test_clients_without_a_token_work_where_this_machine_is_granted_it(self, run_ds: Any) -> None:
        """DS-24: the contract's own script sends none."""
        async with run_ds(auth={"loopback": ["read"]}) as ds:
            assert (await ds.ask("GET", "/api/v1/agents", token=None)).status == 200
            refused = await ds.ask("POST", "/api/v1/tasks", token=None, json={"agentType": "a", "prompt": "b"})
            assert refused.status == 403

    async def test_rest_is_limited_by_rate_and_sockets_are_not(self, run_ds: Any) -> None:
        """DS-25, DS-20, X-07"""
        async with run_ds(limits={"rest": "5/m", "ingest": None, "login": None}) as ds:
            answers = [await ds.ask("GET", "/api/v1/agents") for _ in range(6)]
            assert [answer.status for answer in answers] == [200] * 5 + [429]
            assert set(answers[-1].body) >= {"detail"}
            assert int(answers[-1].headers["Retry-After"]) > 0
            assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
            assert answers[0].headers["X-RateLimit-Limit"] == "5"
            assert int(answers[0].headers["X-RateLimit-Reset"]) == ds.cw.clock.now().wall // 1000 + 12
            listener = await ds.listen("agents")
            for _ in range(20):
                await listener.ping()

    @pytest.mark.parametrize("origin", ["http://localhost:3000", VERCEL, "https://a-branch.vercel.app"])
    async def test_the_dashboards_pages_may_call(self, ds: Any, origin: str) -> None:
        """DS-22"""
        wanted = {
            "Origin": origin, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
        }  # fmt: skip
        preflight = await ds.ask("OPTIONS", "/api/v1/tasks", token=None, headers=wanted)
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in ("authorization", "content-type", "x-request-id"))
        answer = await ds.ask("GET", "/api/v1/agents", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in answer.headers

    @pytest.mark.parametrize("origin", ["https://evil.vercel.app.x.com", "http://localhost:9999", "https://vercel.app"])
    async def test_other_pages_may_not_and_nobody_may_elsewhere(self, ds: Any, origin: str) -> None:
        """DS-22"""
        wanted = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        assert (await ds.ask("OPTIONS", "/api/v1/agents", token=None, headers=wanted)).status == 403
        answer = await ds.ask("GET", "/api/v1/agents", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        answer = await ds.ask("GET", "/api/agents", headers={"Origin": VERCEL})
        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize(("method", "path", "status"), [
        ("GET", "/api/v1/agents/nobody", 404), ("GET", "/api/v1/tasks/none", 404),
        ("GET", "/api/v1/round-table/none", 404), ("GET", "/api/v1/agents/a/b/c", 404),
        ("PUT", "/api/v1/agents", 405), ("DELETE", "/api/v1/tasks/x", 405), ("GET", "/api/v1/monitoring/x", 404),
        ("GET", "/api/ws/agents", 426), ("GET", "/api/v1/tasks?limit=0", 422), ("GET", "/api/ws/x/y", 404),
    ])  # fmt: skip
    async def test_every_refusal_is_in_this_doors_words(self, ds: Any, method: str, path: str, status: int) -> None:
        """DS-54, X-07"""
        answer = await ds.ask(method, path)
        assert answer.status == status
        assert isinstance(answer.body["detail"], str)
        assert "error" not in answer.body

    async def test_paths_of_neighbours_are_their_own(self, ds: Any) -> None:
        """X-04"""
        await ds.worker("commerce")
        assert isinstance(await ds.get("/api/v1/agents"), list)
        assert isinstance((await ds.get("/api/agents"))["agents"], list)
        unmatched = await ds.ask("GET", "/api/v1/nothing")
        assert set(unmatched.body) == {"error"}


class TestAgents:
    async def test_are_listed_as_the_dashboard_reads_them(self, ds: Any) -> None:
        """DS-26, DS-27, DS-28, X-01: whichever door they came in by."""
        await ds.worker(
            "commerce", "commerce-001", "product_management", description="E-commerce operations",
            tools="create_product, update_inventory", ml_models="demand_forecast",
        )
        await ds.worker("creative")
        await ds.cw.say("commerce-001", "cost", costUsd=2.5, model="gpt-4o")
        agents = await ds.get("/api/v1/agents")
        assert [agent["id"] for agent in agents] == ["commerce-001", "creative-001"]
        assert agents[0] == {
            "id": "commerce-001", "type": "commerce", "name": "commerce-001", "description": "E-commerce operations",
            "status": "running", "capabilities": ["product_management"],
            "tools": [
                {"name": name, "description": None, "category": None, "parameters": []}
                for name in ("create_product", "update_inventory")
            ],
            "mlModels": ["demand_forecast"],
            "stats": {
                "tasksCompleted": 0, "successRate": None, "avgLatencyMs": None, "totalCostUsd": 2.5,
                "learningCycles": 0,
            },
        }  # fmt: skip
        assert agents[1]["description"] is None

    async def test_their_figures_come_from_what_they_did(self, ds: Any) -> None:
        """DS-26"""
        worker = await ds.worker("commerce")
        for state in ("confirmed", "confirmed", "failed"):
            task = await ds.submit()
            command = await worker.take()
            ds.cw.clock.advance(250)
            await worker.answer(command, state=state)
            await ds.task(task["taskId"], {"confirmed": "completed", "failed": "failed"}[state])
        stats = (await ds.get("/api/v1/agents/commerce"))["stats"]
        assert (stats["tasksCompleted"], stats["successRate"], stats["avgLatencyMs"]) == (2, 0.6667, 250.0)

    async def test_one_is_found_by_its_type_or_its_id(self, ds: Any) -> None:
        """DS-29"""
        await ds.worker("commerce")
        assert (await ds.get("/api/v1/agents/commerce"))["id"] == "commerce-001"
        assert (await ds.get("/api/v1/agents/commerce-001"))["type"] == "commerce"
        answer = await ds.ask("GET", "/api/v1/agents/%3Cscript%3E")
        assert (answer.status, answer.body["detail"]) == (404, "there is no agent of type '<script>'")

    async def test_execute_hands_a_task_to_an_agent_of_the_type(self, ds: Any) -> None:
        """DS-30, DS-31"""
        worker = await ds.worker("commerce")
        done = await ds.post("/api/v1/agents/commerce/execute", {
            "task": "Create a new product", "parameters": {"collection": "BLACK ROSE"}, "use_round_table": True,
        })  # fmt: skip
        assert set(done) == {"task_id", "agent_type", "status", "result", "latency_ms", "technique_used"}
        assert (done["agent_type"], done["status"], done["result"]) == ("commerce", "started", None)
        assert done["latency_ms"] > 0
        command = await worker.take()
        assert (command["type"], command["requestedBy"]) == ("execute", "ops")
        assert command["parameters"] == {
            "runId": done["task_id"], "prompt": "Create a new product", "parameters": {"collection": "BLACK ROSE"},
            "useRoundTable": True,
        }  # fmt: skip

    @pytest.mark.parametrize("body", [
        {}, {"task": ""}, {"task": " "}, {"task": 3}, {"task": "x" * 10_001}, {"task": "x", "parameters": []}, [], "x",
        {"task": "x", "use_round_table": "yes"},
    ])  # fmt: skip
    async def test_execute_refuses_what_is_no_task(self, ds: Any, body: Any) -> None:
        """DS-31, X-07"""
        await ds.worker("commerce")
        answer = await ds.ask("POST", "/api/v1/agents/commerce/execute", json=body)
        assert (answer.status, "detail" in answer.body) == (422, True)

    async def test_execute_with_only_a_task_will_do_and_nobody_connected_will_not(self, ds: Any) -> None:
        """DS-31, DS-29: 404 for a type that nobody is of, 409 where nobody of it is connected."""
        answer = await ds.ask("POST", "/api/v1/agents/commerce/execute", json={"task": "x"})
        assert answer.status == 404
        await ds.worker("commerce")
        assert (await ds.post("/api/v1/agents/commerce/execute", {"task": "x"}))["status"] == "started"
        await ds.cw.post("/api/agents/commerce-001/pause")
        answer = await ds.ask("POST", "/api/v1/agents/commerce/execute", json={"task": "x"})
        assert answer.status == 409
        assert "connected" in answer.body["detail"]

    async def test_start_and_stop_reach_the_agent_and_are_told(self, ds: Any) -> None:
        """DS-32, X-03"""
        worker = await ds.worker("commerce")
        listener = await ds.ready("agents")
        stopped = await ds.post("/api/v1/agents/commerce/stop")
        assert stopped == {"success": True, "status": "idle", "agents": {"commerce-001": "idle"}}
        assert (await listener.hear(type="agent_status_update"))["status"] == "idle"
        assert (await ds.cw.agent("commerce-001"))["status"] == "stopped"
        assert (await worker.take())["type"] == "stop"
        assert (await ds.post("/api/v1/agents/commerce/start"))["success"] is True
        assert (await listener.hear(type="agent_status_update"))["status"] == "running"
        await ds.post("/api/v1/agents/commerce/start")
        assert (await listener.hear(type="agent_status_update"))["status"] == "running"

    async def test_learning_is_a_command_a_status_and_a_cycle(self, ds: Any) -> None:
        """DS-33, DS-08"""
        worker = await ds.worker("commerce")
        listener = await ds.ready("agents")
        learning = await ds.post("/api/v1/agents/commerce/learn")
        assert (learning["success"], learning["learningCycles"]) == (True, 1)
        assert (await listener.hear(type="agent_status_update"))["status"] == "learning"
        agent = await ds.get("/api/v1/agents/commerce")
        assert (agent["status"], agent["stats"]["learningCycles"]) == ("learning", 1)
        command = await worker.take()
        assert command["type"] == "learn"
        await worker.answer(command)
        await listener.hear(status="completed")
        assert (await listener.next())["status"] == "running"


class TestTasks:
    async def test_a_submitted_task_waits_and_is_found(self, ds: Any) -> None:
        """DS-36, DS-37, DS-38, DS-39"""
        body = {"agentType": "commerce", "prompt": "Analyze pricing", "parameters": {}, "useRoundTable": False}
        task = await ds.post("/api/v1/tasks", body)
        now = iso(ds.cw.clock.now().wall)
        assert task == {
            "taskId": task["taskId"], "agentType": "commerce", "prompt": "Analyze pricing", "status": "pending",
            "result": None, "error": None, "createdAt": now, "metrics": {"startTime": now}, "agentId": None,
            "progress": 0.0,
        }  # fmt: skip
        assert await ds.get(f"/api/v1/tasks/{task['taskId']}") == task
        answer = await ds.ask("GET", "/api/v1/tasks/none")
        assert (answer.status, answer.body["detail"]) == (404, "Task not found: none")

    async def test_both_spellings_are_understood(self, ds: Any) -> None:
        """DS-37"""
        task = await ds.post("/api/v1/tasks", {"agent_type": "creative", "prompt": "x", "use_round_table": True})
        assert task["agentType"] == "creative"

    @pytest.mark.parametrize("body", [
        {}, {"prompt": "x"}, {"agentType": "commerce"}, {"agentType": "", "prompt": "x"},
        {"agentType": 1, "prompt": "x"}, {"agentType": "a\nb", "prompt": "x"}, {"agentType": "commerce", "prompt": ""},
        {"agentType": "x" * 201, "prompt": "x"}, {"agentType": "commerce", "prompt": "x", "parameters": [1]},
    ])  # fmt: skip
    async def test_what_is_no_task_is_refused(self, ds: Any, body: Any) -> None:
        """DS-37, X-07"""
        answer = await ds.ask("POST", "/api/v1/tasks", json=body)
        assert (answer.status, "detail" in answer.body) == (422, True)

    @pytest.mark.parametrize(("body", "status"), [
        (b"{", 400), (b"\xff", 400), (b'{"a":' * 5_000, 400), (b"[" * 100_000, 413), (b"x" * 70_000, 413),
        (b'{"agentType":"a","prompt":"b","parameters":' + b'{"a":' * 60 + b"1" + b"}" * 61, 422),
    ])  # fmt: skip
    async def test_a_hostile_body_is_refused_and_never_an_error_of_ours(
        self, ds: Any, body: bytes, status: int
    ) -> None:
        answer = await ds.ask("POST", "/api/v1/tasks", data=body, headers={"Content-Type": "application/json"})
        assert answer.status in (status, 400), answer
        assert "detail" in answer.body
        assert await ds.get("/api/v1/tasks") == []

    async def test_a_task_goes_from_pending_to_its_end(self, ds: Any) -> None:
        """DS-41, DS-39"""
        task = await ds.submit()
        worker = await ds.worker("commerce")
        command = await worker.take()
        running = await ds.task(task["taskId"], "running")
        assert running["agentId"] == "commerce-001"
        ds.cw.clock.advance(1_500)
        await worker.answer(command, {
            "result": "all priced", "tokensUsed": 120, "costUsd": 0.02, "provider": "anthropic",
            "promptTechnique": "chain_of_thought",
        })  # fmt: skip
        done = await ds.task(task["taskId"], "completed")
        assert done["result"]["result"] == "all priced"
        metrics = done["metrics"]
        assert metrics.pop("startTime") < metrics.pop("endTime")
        assert metrics == {
            "durationMs": 1500.0, "tokensUsed": 120, "costUsd": 0.02, "provider": "anthropic",
            "promptTechnique": "chain_of_thought",
        }  # fmt: skip

    async def test_are_listed_newest_first_by_type_and_status(self, ds: Any) -> None:
        """DS-34, DS-35"""
        for n in range(25):
            ds.cw.clock.advance(1)
            await ds.submit("commerce" if n % 5 else "creative", f"task {n}")
        assert [task["prompt"] for task in await ds.get("/api/v1/tasks")] == [f"task {n}" for n in range(24, 4, -1)]
        assert len(await ds.get("/api/v1/tasks", params={"limit": "100"})) == 25
        creative = await ds.get("/api/v1/tasks", params={"agent_type": "creative", "limit": "3"})
        assert [task["prompt"] for task in creative] == ["task 20", "task 15", "task 10"]
        await ds.post(f"/api/v1/tasks/{creative[0]['taskId']}/cancel")
        failed = await ds.get("/api/v1/tasks", params={"status": "failed"})
        assert [task["prompt"] for task in failed] == ["task 20"]
        assert len(await ds.get("/api/v1/tasks", params={"status": "pending", "limit": "100"})) == 24
        assert await ds.get("/api/v1/tasks", params={"status": "running"}) == []

    @pytest.mark.parametrize("query", [
        "limit=0", "limit=101", "limit=x", "limit=-1", "limit=1e1", "limit=٣", "limit=" + "9" * 30, "status=done",
        "status=cancelled",
    ])  # fmt: skip
    async def test_a_wrong_question_is_refused(self, ds: Any, query: str) -> None:
        """DS-34, DS-35"""
        assert (await ds.ask("GET", f"/api/v1/tasks?{query}")).status == 422

    async def test_can_be_cancelled_until_they_end(self, ds: Any) -> None:
        """DS-40"""
        worker = await ds.worker("commerce")
        task = await ds.submit()
        await worker.take()
        await ds.task(task["taskId"], "running")
        path = f"/api/v1/tasks/{task['taskId']}/cancel"
        assert await ds.post(path) == {"success": True, "message": f"Task {task['taskId']} cancelled"}
        cancelled = await ds.get(f"/api/v1/tasks/{task['taskId']}")
        assert (cancelled["status"], cancelled["error"]) == ("failed", "cancelled by ops")
        assert (await worker.take())["type"] == "cancel"
        answer = await ds.ask("POST", path)
        assert (answer.status, "Cannot cancel" in answer.body["detail"]) == (400, True)
        assert (await ds.ask("POST", "/api/v1/tasks/none/cancel")).status == 404

    async def test_what_agents_report_of_themselves_is_listed_too(self, ds: Any) -> None:
        """DS-35, X-01: a task is a run, whoever speaks of it."""
        worker = await ds.worker("support")
        await worker.report("ticket-7", status="running", progress=0.5, input={"prompt": "answer the customer"})
        [task] = await ds.get("/api/v1/tasks", params={"agent_type": "support"})
        assert (task["taskId"], task["status"], task["progress"]) == ("ticket-7", "running", 50.0)
        assert task["prompt"] == "answer the customer"

    def test_every_status_of_a_run_has_a_word(self) -> None:
        """X-02"""
        assert set(TASK_WORDS) == set(RunStatus)
        assert set(TASK_WORDS.values()) == {"pending", "running", "completed", "failed"}

    async def test_survive_a_restart(self, run_ds: Any) -> None:
        """X-10"""
        async with run_ds(storage={"use": "sqlite"}) as ds:
            task = await ds.submit()
        async with run_ds(storage={"use": "sqlite"}) as ds:
            worker = await ds.worker("commerce")
            await worker.answer(await worker.take(), "late but well")
            assert (await ds.task(task["taskId"], "completed"))["result"] == "late but well"

    async def test_of_two_at_once_each_goes_to_another_agent(self, ds: Any) -> None:
        workers = [await ds.worker("commerce", f"commerce-00{n}") for n in (1, 2)]
        await asyncio.gather(*(ds.submit() for _ in workers))
        commands = await asyncio.gather(*(worker.take() for worker in workers))
        assert len({command["id"] for command in commands}) == 2
