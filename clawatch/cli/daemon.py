"""``clawatch run``: the daemon in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from clawatch.app import Daemon
    from clawatch.config.loading import Loaded
    from clawatch.supervision import Supervision

LOGIN_LIFE_MINUTES = 15
SWITCH_SECONDS = 0.0005
"""How long a thread goes on while another waits for the interpreter. The store's comes back to it dozens of times in
a commit, after each statement; at Python's own 5 ms it waited for the loop longer than it worked."""


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--host", help="Instead of server.host.")
@click.option("--port", type=int, help="Instead of server.port; 0 picks a free one.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of data_dir.")
@click.option("--quiet", is_flag=True, help="Print no login link and no key.")
def run(config: Path | None, host: str | None, port: int | None, data_dir: Path | None, quiet: bool) -> None:
    """Run the daemon until SIGTERM or Ctrl-C. SIGHUP reads the configuration again."""
    from clawatch.app import Misconfigured
    from clawatch.config.loading import find_config, load
    from clawatch.config.problems import ConfigError
    from clawatch.log import configure
    from clawatch.ports import ClaWatchError

    options = _options(host, port, data_dir)

    def read() -> Loaded:
        return load(find_config(config), options=options)

    try:
        loaded = read()
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    configure(loaded.config.redactor)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        _loop(_run(loaded, read, quiet))
    except ClaWatchError as error:
        click.echo(f"clawatch: {error}", err=True)
        sys.exit(2 if isinstance(error, Misconfigured) else 1)


def _options(host: str | None, port: int | None, data_dir: Path | None) -> dict[str, Any]:
    server = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    options: dict[str, Any] = {"server": server} if server else {}
    if data_dir is not None:
        options["data_dir"] = str(data_dir.expanduser().absolute())
    return options


def _loop(main: Any) -> None:
    """Run on uvloop where it exists."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _run(loaded: Loaded, read: Callable[[], Loaded], quiet: bool) -> None:
    import structlog

    from clawatch.app import first_key, keep, work
    from clawatch.clock import SystemClock
    from clawatch.supervision import Supervision
    from clawatch.systemd import ServiceManager

    log = structlog.get_logger("clawatch")
    clock = SystemClock()
    signals = Signals()
    manager = ServiceManager.from_environment(os.environ)
    async with (
        keep(loaded.config, log) as kept,
        Supervision(manager, kept.pulse, kept.metrics, log).watching() as supervision,
    ):
        key = await first_key(loaded.config, kept.store, clock)
        current: Loaded | None = loaded
        good: Loaded | None = None
        while current is not None:
            _say_what_is_missing(current, log)
            try:
                async with work(current, kept, clock, log) as daemon:
                    if good is None:
                        await _greet(daemon, key, quiet)
                        calm_collector()
                    elif good is not current:
                        log.info("config.reloaded")
                    good = current
                    supervision.ready(daemon.status)
                    following = await _next(current, read, signals, supervision, log)
                    (supervision.stopping if following is None else supervision.reloading)()
            except Exception:
                if good is None or good is current:
                    raise
                log.exception("config.failed", kept="the old one")
                supervision.refused()
                following = good
            current = following


def _say_what_is_missing(loaded: Loaded, log: FilteringBoundLogger) -> None:
    for report in loaded.registry.reports:
        if not report.is_well:
            log.warning("plugin.unusable", plugin=report.name, origin=report.origin, state=report.state,
                        why=report.detail)
    for words in loaded.config.left_out:
        log.info("config.left_out", why=words)


async def _next(
    current: Loaded, read: Callable[[], Loaded], signals: Signals, supervision: Supervision,
    log: FilteringBoundLogger,
) -> Loaded | None:
    """The configuration to go on with, once a new one is asked for and right; None when it is time to end."""
    from clawatch.config.effective import keep_fixed, reloadable
    from clawatch.config.problems import ConfigError
    from clawatch.log import configure

    while await signals.wait() == "reload":
        try:
            fresh = read()
        except ConfigError as error:
            log.error("config.refused", kept="the old one", problems=str(error))  # noqa: TRY400 - no trace wanted
            supervision.refused()
            continue
        for key in reloadable(current.config, fresh.config):
            log.warning("config.needs_restart", key=key)
        configure(fresh.config.redactor)
        log.info("config.read")
        return replace(fresh, config=keep_fixed(current.config, fresh.config))
    return None


class Signals:
    """SIGTERM and SIGINT end the daemon, SIGHUP reloads it."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number, word in ((signal.SIGTERM, "stop"), (signal.SIGINT, "stop"), (signal.SIGHUP, "reload")):
            loop.add_signal_handler(number, self._heard.put_nowait, word)

    async def wait(self) -> str:
        return await self._heard.get()


async def _greet(daemon: Daemon, key: str | None, quiet: bool) -> None:
    """Say where we listen, and, where only the owner looks, how to get in."""
    from clawatch.domain.time import MINUTE
    from clawatch.ports import StoreUnavailable

    if not quiet and not is_journal(sys.stdout.fileno()):
        try:
            link = await daemon.access.issue_login(LOGIN_LIFE_MINUTES * MINUTE)
        except StoreUnavailable as error:  # it watches all the same
            click.echo(f"no login link for now: {error}")
        else:
            click.echo(f"log in once, within {LOGIN_LIFE_MINUTES} minutes: {link}")
        if key is not None:
            click.echo(f"the admin key, shown this once: {key}")
    click.echo(f"listening on {daemon.url}")
    sys.stdout.flush()


def calm_collector() -> None:
    """What the start has made is there for good: the garbage collector need not look through it again and again."""
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def is_journal(descriptor: int) -> bool:
    """Whether a descriptor leads to the system's journal, by ``$JOURNAL_STREAM`` (systemd.exec(5))."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
