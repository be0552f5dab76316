"""The daemon and what it keeps: whether it runs and answers, its store, its keys."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from clawatch.access import Access
from clawatch.apis.callers import is_loopback
from clawatch.app import ADDRESS, opened
from clawatch.chores import ALIVE
from clawatch.config.effective import Config
from clawatch.doctor.machine import say_bytes
from clawatch.domain.access import Scope
from clawatch.domain.remarks import Remark, fine, warning, wrong
from clawatch.domain.time import MINUTE, Millis, say_duration
from clawatch.ports import ClaWatchError, StorePort

ANSWER_WITHIN = 5.0
WELL = frozenset({"ok", "loaded", "disabled", "running"})
SHORTEST_KEY = 24
LONG_WAIT: Millis = 10 * MINUTE
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - recognised, not bound


def is_running(data_dir: Path) -> bool:
    """Whether a daemon holds the data directory."""
    try:
        with (data_dir / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def is_new(data_dir: Path) -> bool:
    """Whether nothing was ever kept there; then looking must not make anything."""
    try:
        return all(entry.name == "lock" for entry in data_dir.iterdir())
    except OSError:
        return True


async def of_daemon(config: Config, address: str | None) -> AsyncIterator[Remark]:
    """``address``: where it says that it listens."""
    if not is_running(config.data_dir):
        yield fine("it does not run")
        return
    url = _local_url(config, address)
    if url is None:
        yield fine("it runs")
        return
    async with ClientSession(timeout=ClientTimeout(total=ANSWER_WITHIN)) as session:
        try:
            async with session.get(f"{url}/livez") as answer:
                lives = answer.status == 200
            async with session.get(f"{url}/health") as answer:
                health = await answer.json()
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            said = f"it runs, but does not answer at {url} ({type(error).__name__})"
            yield wrong(said, "restart it; its log says more")
            return
    yield fine(f"it runs and answers at {url}") if lives else wrong("it runs, but a part of it hangs", "restart it")
    for remark in _of_services(health):
        yield remark


def _of_services(health: Any) -> Iterator[Remark]:
    services = health.get("services", {}) if isinstance(health, dict) else {}
    for name, state in services.items():
        if state not in WELL:
            yield warning(f"{name}: {state}", "see the daemon's log, or GET /api/system")


def _local_url(config: Config, address: str | None) -> str | None:
    """Where this machine reaches it, which a public URL behind a proxy is not."""
    host, port = WILDCARDS.get(config.server.host, config.server.host), config.server.port
    if port:
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    known = urlsplit(address or "")
    return address if known.hostname and is_loopback(known.hostname) else None


async def of_store(config: Config, now: Millis) -> AsyncIterator[tuple[str, Remark]]:
    """(section, remark) of the store and of the keys in it; an existing one is opened, none is made."""
    if is_new(config.data_dir):
        yield "store", fine("it is not there yet; the first start makes it")
        for remark in of_fixed_keys(config):
            yield "keys", remark
        return
    try:
        async with opened(config) as (store, access):
            async for remark in _of_health(store, now):
                yield "store", remark
            async for remark in of_daemon(config, await store.secret(ADDRESS)):
                yield "daemon", remark
            for remark in (*of_fixed_keys(config), *of_keys(access, config, now)):
                yield "keys", remark
    except ClaWatchError as error:
        problem, _, remedy = str(error).partition("; ")
        yield "store", wrong(problem, remedy or "the daemon's log says more")


async def _of_health(store: StorePort, now: Millis) -> AsyncIterator[Remark]:
    health = await store.health()
    size = f", {say_bytes(health.size_bytes)}" if health.size_bytes else ""
    yield fine(f"it opens: {store.head - store.tail + 1} entries{size}") if health.ok else wrong(
        f"it cannot be written: {health.detail}", "see to the disk"
    )
    oldest, waiting = await store.outbox_oldest(), await store.outbox_size()
    if oldest is not None and now - oldest > LONG_WAIT:
        since = say_duration(now - oldest)
        yield warning(f"{waiting} notifications wait, the oldest for {since}", "run doctor --online; start the daemon")
    alive = await store.secret(ALIVE)
    with suppress(ValueError):
        ahead = int(alive or 0) - now
        if ahead > MINUTE:
            yield wrong(f"it was last used {say_duration(ahead)} in the future", "the clock was set back; set it right")


def of_fixed_keys(config: Config) -> Iterator[Remark]:
    for key in config.auth.keys:
        if key.is_configured and len(key.key.get_secret_value()) < SHORTEST_KEY:
            yield warning(f"the key {key.name} is short enough to be guessed", "make it longer: openssl rand -hex 24")
    server = config.server
    if not is_loopback(server.host) and urlsplit(server.public_url or "").scheme != "https":
        yield warning(
            f"keys travel in the clear: {server.host} can be reached by others, and not over https",
            "put a reverse proxy with TLS in front and set server.public_url",
        )


def of_keys(access: Access, config: Config, now: Millis) -> Iterator[Remark]:
    keys = list(access.keys())
    expired = [key for key in keys if key.expires_at is not None and key.expires_at <= now]
    good = [key for key in keys if key not in expired]
    for key in expired:
        yield warning(f"the key {key.name} has expired", f"clawatch keys revoke {key.name}, and make a new one")
    if not good and not is_loopback(config.server.host):
        yield wrong("there is no key, so ClaWatch will not start", "clawatch keys create --name admin --scope admin")
    elif not any(Scope.ADMIN in key.scopes for key in good):
        yield warning("no key has the scope admin", "clawatch keys create --name admin --scope admin")
    else:
        yield fine("1 key works" if len(good) == 1 else f"{len(good)} keys work")
