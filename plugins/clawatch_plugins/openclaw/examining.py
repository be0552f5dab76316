"""What ``clawatch doctor`` says of an OpenClaw: what there is to see, since when, and what is wrong with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSession, WSMsgType

from clawatch.domain.remarks import Remark, fine, warning, wrong
from clawatch.domain.time import DAY, HOUR, LATEST, Millis, iso, say_duration
from clawatch.domain.words import count_of
from clawatch.settings import Surroundings
from clawatch_plugins.openclaw.database import columns, is_orphaned, reading
from clawatch_plugins.openclaw.places import Home, Store, ledger, stores
from clawatch_plugins.openclaw.probing import probe
from clawatch_plugins.openclaw.reading import decode, word

if TYPE_CHECKING:
    from clawatch_plugins.openclaw.settings import OpenClawSettings

CHALLENGE_WITHIN = 5.0
_OLD: Millis = 2 * DAY


async def examine(settings: OpenClawSettings, surroundings: Surroundings) -> list[Remark]:
    """Without a session nobody is asked. The handshake goes as far as the challenge: nothing is announced."""
    remarks = [remark for home in settings.homes() for remark in await asyncio.to_thread(_of_home, home)]
    if settings.files and not settings.homes():
        remarks.append(wrong(
            "there is no state directory of OpenClaw on this machine",
            "set state_dir to it and let ClaWatch's user read it, or files: false for a gateway elsewhere",
        ))
    remarks += list(_of_settings(settings))
    url = settings.gateway_url()
    if surroundings.session is not None and url:
        remarks += await _of_gateway(surroundings.session, url)
    return remarks


def _of_settings(settings: OpenClawSettings) -> Iterator[Remark]:
    url = settings.gateway_url()
    if not url:
        yield warning("no gateway: its agents can be watched, not paused", "set gateway: auto, or its ws:// URL")
    elif not settings.gateway_token():
        yield warning(
            "no token for the gateway: it lets ClaWatch in only once its device is approved there",
            "set token: !file PATH, or let ClaWatch's user read openclaw.json",
        )
    else:
        yield fine(f"gateway {url}, with a token")


def _of_home(home: Home) -> list[Remark]:
    if not home.path.is_dir():
        return [wrong(f"{home.path} is no directory", "set state_dir to OpenClaw's state directory")]
    try:
        found = list(stores(home.path))
        next(iter((home.path / "agents").iterdir()), None)
    except PermissionError:
        return [wrong(f"{home.path} may not be read", "let ClaWatch's user read it (a group, or an ACL)")]
    except OSError:
        return [warning(f"{home.path} has no agents yet", "send one a message; then look again")]
    remarks = [remark for store in found for remark in _of_store(home, store)]
    return [*remarks, *_of_ledger(ledger(home.path))]


def _of_store(home: Home, store: Store) -> Iterator[Remark]:
    agent = f"agent {store.agent} of {home.path}"
    files = _files(store.sessions)
    newest_file = max((path.stat().st_mtime for path in files), default=0.0) * 1000
    if store.database.is_file():
        yield from _of_database(agent, store.database, newest_file, len(files))
    elif files:
        yield fine(f"{agent}: {count_of(len(files), 'session')} in files{_span(_first_of(files), round(newest_file))}")
        if _now() - newest_file > _OLD:
            yield warning(
                f"{agent}: no transcript has grown for {say_duration(round(_now() - newest_file))}",
                "if it works all the same, its transcripts are elsewhere: set state_dir",
            )
    else:
        yield fine(f"{agent}: no transcripts yet")


def _of_database(agent: str, path: Path, newest_file: float, files: int) -> Iterator[Remark]:
    if is_orphaned(path):
        yield wrong(
            f"{agent}: {path.name} was left in the middle of its work, and cannot be read without writing to it",
            "start OpenClaw once: it puts it in order",
        )
        return
    try:
        sessions, first, last, version = _summary(path)
    except (sqlite3.Error, OSError) as error:
        remedy = "let ClaWatch's user read it, with its -wal and -shm"
        yield wrong(f"{agent}: {path.name} cannot be read: {error}", remedy)
        return
    if sessions is None:
        yield wrong(
            f"{agent}: {path.name} (schema {version}) is of a form that ClaWatch does not know",
            "update ClaWatch; until then connect OpenClaw's OpenTelemetry",
        )
        return
    yield fine(f"{agent}: {count_of(sessions, 'session')} in the database{_span(first, last)}")
    if files and newest_file < last:
        yield fine(f"{agent}: {count_of(files, 'older file')} beside the database; what is in both counts once")
    elif files and newest_file > last + HOUR:
        yield warning(
            f"{agent}: its files are newer than its database",
            "an older OpenClaw has run after a newer one; both are read, but run one version",
        )


def _summary(path: Path) -> tuple[int | None, Millis, Millis, int]:
    """(sessions, first, last, schema); None sessions for a form that is not known."""
    with reading(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not columns(connection, "transcript_events") >= {"session_id", "seq", "event_json", "created_at"}:
            return None, 0, 0, version
        sessions, first, last = connection.execute(
            "SELECT count(DISTINCT session_id), min(created_at), max(created_at) FROM transcript_events"
        ).fetchone()
    return sessions, _instant(first), _instant(last), version


def _of_ledger(path: Path) -> Iterator[Remark]:
    if not path.is_file():
        return
    try:
        with reading(path) as connection:
            if not columns(connection, "audit_events"):
                return
            (last,) = connection.execute("SELECT max(occurred_at) FROM audit_events").fetchone()
    except (sqlite3.Error, OSError) as error:
        yield warning(f"the audit ledger cannot be read: {error}", "let ClaWatch's user read it")
        return
    yield fine(f"the audit ledger tells of runs{_ago(_instant(last))}")


async def _of_gateway(session: ClientSession, url: str) -> list[Remark]:
    try:
        health = await probe(session, url)
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        return [wrong(f"the gateway does not answer at {url} ({type(error).__name__})", "start it: openclaw gateway")]
    if not health.is_live:
        return [wrong(f"what answers at {url} is no gateway of OpenClaw", "set gateway to the right address")]
    version = f" {health.version}" if health.version else ""
    try:
        is_challenged = await _is_challenged(session, url)
    except (ClientError, OSError, TimeoutError):
        is_challenged = False
    if not is_challenged:
        return [wrong(f"the gateway{version} is half alive: healthy, but its WebSocket says nothing", "restart it")]
    return [fine(f"the gateway{version} lives, and its WebSocket answers")]


async def _is_challenged(session: ClientSession, url: str) -> bool:
    async with asyncio.timeout(CHALLENGE_WITHIN), session.ws_connect(url) as socket:
        message = await socket.receive()
        told = decode(message.data) if message.type is WSMsgType.TEXT else None
        return told is not None and word(told, "event") == "connect.challenge"


def _files(sessions: Path) -> list[Path]:
    return [path for path in sessions.glob("*.jsonl") if "." not in path.stem] if sessions.is_dir() else []


def _first_of(files: list[Path]) -> Millis:
    return round(min((path.stat().st_ctime for path in files), default=0.0) * 1000)


def _span(first: Millis, last: Millis) -> str:
    return f" since {iso(first)}{_ago(last)}" if first else _ago(last)


def _ago(last: Millis) -> str:
    return f", the newest {say_duration(max(0, _now() - last))} ago" if last else ""


def _instant(value: object) -> Millis:
    """0 for what is none: a column holds whatever was written into it."""
    return value if isinstance(value, int) and 0 <= value <= LATEST else 0


def _now() -> Millis:
    return round(time() * 1000)
