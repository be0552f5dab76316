"""Whether connections are still taken is found out by making one."""

from __future__ import annotations

import asyncio
import socket

from clawatch.web.counters import Counters
from clawatch.web.knocking import is_reachable, knock


async def test_a_server_that_takes_connections_answers() -> None:
    async def count(reader: object, writer: asyncio.StreamWriter) -> None:
        counters.accepted += 1
        writer.close()

    counters = Counters()
    server = await asyncio.start_server(count, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        assert await is_reachable(address, counters)
        async with asyncio.timeout(5):
            await knock(address, counters)
    assert counters.accepted == 2


async def test_a_queue_that_nobody_empties_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        knocking = asyncio.create_task(knock(listening.getsockname(), Counters()))
        done, _ = await asyncio.wait([knocking], timeout=0.3)
        assert not done
        knocking.cancel()
        await asyncio.wait([knocking])


async def test_where_nobody_listens_there_is_nothing_to_watch() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
    assert not await is_reachable(address, Counters())
