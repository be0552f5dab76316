"""Knocking at our own door: whether connections are still taken, found out the way that clients would."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from clawatch.web.counters import Counters

KNOCK_EVERY = 10.0
ANSWER_WITHIN = 5.0
"""Seconds, for the first time."""
AGAIN_AFTER = 1.0
LOOK_EVERY = 0.02
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - reached, not bound


async def knock(address: tuple[Any, ...], counters: Counters) -> None:
    """Return once a connection was taken. As a loop's round, it hangs when none is taken any more.

    ``address`` is the listening socket's name. The kernel answers a connection also when we never take it
    from its queue, so what counts is that we did.
    """
    while True:
        with suppress(OSError):  # no descriptor left, for example; then nobody gets in
            await _be_let_in(address, counters)
            return
        await asyncio.sleep(AGAIN_AFTER)


async def is_reachable(address: tuple[Any, ...], counters: Counters) -> bool:
    """Whether we can knock at all; behind a firewall of its own kind our silence means nothing."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await _be_let_in(address, counters)
    except (OSError, TimeoutError):
        return False
    return True


async def _be_let_in(address: tuple[Any, ...], counters: Counters) -> None:
    host, port = address[:2]
    before = counters.accepted
    _, writer = await asyncio.open_connection(_WILDCARDS.get(host, host), port)
    try:
        while counters.accepted == before:  # noqa: ASYNC110 - a number that the hot path raises
            await asyncio.sleep(LOOK_EVERY)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
