"""``clawatch replay``: a recording in the terminal, as it went on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import click

_OPEN_WITHIN = 10.0


@click.command()
@click.argument("node", required=False)
@click.option("--speed", type=click.FloatRange(0, 1_000_000, min_open=True), default=60.0, show_default=True,
              help="So many times as fast as it was.")
@click.option("--from", "first", metavar="TICK", type=click.IntRange(0), default=0, help="Where to begin.")
@click.option("--to", "last", metavar="TICK", type=click.IntRange(0), help="Where to end.")
@click.option("--url", metavar="URL", help="The daemon; default $CLAWATCH_URL, else http://127.0.0.1:8787.")
@click.option("--key", metavar="KEY", help="A key with the scope read; default $CLAWATCH_KEY.")
def replay(node: str | None, speed: float, first: int, last: int | None, url: str | None, key: str | None) -> None:
    """Play a recording: the id of its node, or its own. Without one, list those there are."""
    from clawatch.client.transport import DEFAULT_URL

    address = (url or os.environ.get("CLAWATCH_URL") or DEFAULT_URL).rstrip("/")
    secret = key or os.environ.get("CLAWATCH_KEY") or ""
    wanted = {"node": node, "speed": speed, "from": first, **({} if last is None else {"to": last})}
    try:
        asyncio.run(_list(address, secret) if node is None else _play(address, secret, wanted))
    except KeyboardInterrupt:
        return


async def _play(address: str, key: str, wanted: dict[str, Any]) -> None:
    from clawatch.cli.screens import screen

    with screen() as show:
        async for frame in _frames(address, key, wanted):
            if frame["type"] == "error":
                raise click.ClickException(frame["error"])
            show.take(frame)
            if frame["type"] == "replay_ended":
                return
    raise click.ClickException("the daemon has ended the connection")


async def _frames(address: str, key: str, wanted: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """What is told of the replay, and of why there is none."""
    from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

    timeout = ClientTimeout(total=None, sock_connect=_OPEN_WITHIN)
    async with ClientSession(headers=_headers(key), timeout=timeout) as session:
        try:
            async with session.ws_connect(f"{address}/ws", max_msg_size=16 * 1024 * 1024) as ws:
                await ws.send_json({"type": "subscribe", "replay": wanted})
                async for message in ws:
                    frame = message.json() if message.type is WSMsgType.TEXT else {}
                    if frame.get("replay") or frame.get("type") == "error":
                        yield frame
        except (ClientError, OSError, ValueError) as error:
            raise click.ClickException(f"{address} does not answer: {error}") from None


def _headers(key: str) -> dict[str, str]:
    return {"X-ClaWatch-Key": key} if key else {}


async def _list(address: str, key: str) -> None:
    from aiohttp import ClientError, ClientSession, ClientTimeout

    timeout = ClientTimeout(total=_OPEN_WITHIN)
    try:
        async with (
            ClientSession(headers=_headers(key), timeout=timeout) as session,
            session.get(f"{address}/api/recordings") as answer,
        ):
            body = await answer.json()
    except (ClientError, OSError, ValueError) as error:
        raise click.ClickException(f"{address} does not answer: {error}") from None
    if answer.status != 200:
        raise click.ClickException(str(body.get("error", answer.status)))
    _tell(body["recordings"])


def _tell(recordings: list[dict[str, Any]]) -> None:
    from clawatch.log import neutral

    for one in recordings:
        if one["complete"]:
            size = f"{one['total_ticks'] + 1} ticks, {one['agent_count']} agents, {one['event_count']} events"
            click.echo(f"{one['node_id']}  {neutral(one['run_id'])}  {size}")
    if not recordings:
        click.echo("No recordings yet.")
