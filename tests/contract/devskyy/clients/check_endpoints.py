"""What a dashboard's developers run first: health, three lists and five channels, each a pass or a failure."""

import argparse
import asyncio
import json
import sys

import httpx
import websockets

CHANNELS = ("agents", "round_table", "tasks", "3d_pipeline", "metrics")


async def get(url, path):
    async with httpx.AsyncClient() as client:
        answer = await client.get(url + path)
        answer.raise_for_status()
        return answer.json()


async def health(url):
    told = await get(url, "/health")
    return f"{told['status']}, {len(told['services'])} services"


async def agents(url):
    return ", ".join(f"{one['name']} ({one['type']}): {one['status']}" for one in await get(url, "/api/v1/agents"))


async def providers(url):
    told = await get(url, "/api/v1/round-table/providers")
    return ", ".join(f"{one['display_name']}: {'enabled' if one['enabled'] else 'disabled'}" for one in told)


async def tasks(url):
    told = await get(url, "/api/v1/tasks?limit=5")
    return ", ".join(f"{one['taskId']}: {one['status']} ({one['agentType']})" for one in told)


def channel(name):
    async def ping(url):
        async with websockets.connect(f"{url.replace('http', 'ws', 1)}/api/ws/{name}") as ws:
            await ws.send(json.dumps({"type": "ping"}))
            answer = json.loads(await asyncio.wait_for(ws.recv(), 5))
            assert answer["type"] == "pong", answer
            return answer["timestamp"]

    return ping


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000)
    where = parser.parse_args()
    checks = {"health": health, "agents": agents, "providers": providers, "tasks": tasks}
    checks |= {f"ws_{name}": channel(name) for name in CHANNELS}
    passed = 0
    for name, check in checks.items():
        try:
            print(f"pass {name}: {await check(f'http://{where.host}:{where.port}')}")
            passed += 1
        except Exception as error:
            print(f"FAIL {name}: {error!r}")
    print(f"{passed}/{len(checks)} passed")
    return passed != len(checks)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
