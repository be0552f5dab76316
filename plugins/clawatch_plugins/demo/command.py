"""The command: puts the demo together, and takes it down again on Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where the demo's daemon listens; 0 picks one.")
@click.option("--pace", type=click.FloatRange(0.5, 20.0), default=1.0, help="How much faster than usual it all goes.")
def demo(port: int, pace: float) -> None:
    """Show what ClaWatch does: simulated agents raise every alert, and are paused and resumed.

    It has a temporary data directory of its own and ends with Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="clawatch-demo-") as home:
        sys.exit(asyncio.run(_show(Path(home), port, pace)))


async def _show(home: Path, port: int, pace: float) -> int:
    """The story, then ordinary life, until a signal ends it; the exit code."""
    from aiohttp import ClientError

    from clawatch_plugins.demo.daemon import DidNotStartError

    show = asyncio.create_task(_play(home, port, pace))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _once(show.cancel))
    try:
        with suppress(asyncio.CancelledError):
            await show
    except (DidNotStartError, ClientError) as error:
        click.echo(f"clawatch demo: {error}", err=True)
        return 1
    return 0


def _once(act: Callable[[], object]) -> Callable[[], None]:
    """A second Ctrl-C does not keep us from ending what we have started."""
    acts = [act]

    def do() -> None:
        if acts:
            acts.pop()()

    return do


async def _play(home: Path, port: int, pace: float) -> None:
    from clawatch_plugins.demo.cast import gather_cast
    from clawatch_plugins.demo.daemon import running_daemon
    from clawatch_plugins.demo.doors import Doors
    from clawatch_plugins.demo.following import following
    from clawatch_plugins.demo.life import live_on
    from clawatch_plugins.demo.narration import Narrator
    from clawatch_plugins.demo.story import tell

    narrator = Narrator()
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(running_daemon(home, port, pace, narrator.notified))
        narrator.greet(place)
        doors = await stack.enter_async_context(Doors(place))
        news = await stack.enter_async_context(following(doors, narrator))
        cast = await stack.enter_async_context(gather_cast(doors, narrator, pace))
        await tell(cast, doors, news, narrator)
        await live_on(cast, doors, pace)
