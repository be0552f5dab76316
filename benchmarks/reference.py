"""The bare work: an aiohttp handler that reads the body and answers 201, and ``executemany`` on our own schema."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=201)


async def serve() -> None:
    import asyncio

    app = web.Application()
    app.router.add_post("/api/events", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def insert(path: Path, seconds: float, size: int = 100) -> float:
    """Rows a second: ``executemany`` into the journal and its idents, in durable transactions of ``size``."""
    from clawatch_plugins.sqlite.opening import open_writer

    con = open_writer(path, "full", 5.0)
    body = (
        '{"_":"event","agent_id":"agent-00001","type":"tool_call","at":1760000000000,"received_at":1760000000000,'
        '"id":"r-1","source":"clawatch","data":{"toolName":"exec","arguments":{"path":"/srv/project/file-1.py",'
        '"line":1},"ok":true,"durationMs":12},"tool":{"name":"exec","args_hash":"0123456789abcdef","ok":true},'
        '"latency_ms":12.0}'
    )
    began, seq = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        rows = [_row(seq + place, body) for place in range(size)]
        names = [(_ident(seq + place), seq + place) for place in range(size)]
        con.execute("BEGIN IMMEDIATE")
        con.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        con.executemany("INSERT INTO idents VALUES (?, ?)", names)
        con.execute("COMMIT")
        seq += size
    con.close()
    return seq / passed


def _row(seq: int, body: str) -> tuple[Any, ...]:
    now = 1_760_000_000_000 + seq
    return (seq, now, "event", seq % 100 + 1, "tool_call", now, 0, None, body, now - now % 60_000)


def _ident(seq: int) -> bytes:
    """As scattered as a hash."""
    return (seq * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big")


def main() -> None:
    import uvloop

    try:
        uvloop.run(serve())
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    import signal
    import sys

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if len(sys.argv) > 1:
        print(insert(Path(sys.argv[1]), float(sys.argv[2])))
    else:
        main()
