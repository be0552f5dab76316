"""The bare work of a fan-out: an aiohttp server that sends what it is told to every WebSocket there is."""

from __future__ import annotations

import asyncio
import json
import signal

from aiohttp import web

CLIENTS: set[web.WebSocketResponse] = set()


async def listen(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    CLIENTS.add(ws)
    try:
        async for _ in ws:
            pass
    finally:
        CLIENTS.discard(ws)
    return ws


async def say(request: web.Request) -> web.Response:
    """Each item of the list goes to everybody."""
    for item in json.loads(await request.read()):
        text = json.dumps(item)
        for ws in list(CLIENTS):
            await ws.send_str(text)
    return web.Response(status=201)


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/ws", listen)
    app.router.add_post("/say", say)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()


def main() -> None:
    import uvloop

    uvloop.run(serve())


if __name__ == "__main__":
    main()
