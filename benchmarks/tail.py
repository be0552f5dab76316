"""Following files: stored events a second, bytes a second of lines that carry nothing, delay, and memory."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

from aiohttp import ClientSession

from benchmarks import servers
from benchmarks.clients import asking
from benchmarks.machine import CLIENT_CORE, pin, resident
from benchmarks.servers import KEY, Server
from benchmarks.table import Row, percentile

SESSIONS = 20
CALLS = 2_000
"""Calls of tools in each session; each is told by two lines that make three events."""
EVENTS_A_CALL = 3
FOLDER_FILES = 100
FOLDER_BYTES = 1_000_000_000
APPENDED = 100
EVERY = 0.05
_STORED = re.compile(r'^clawatch_events_total\{outcome="accepted",source="claude_code"\} (\S+)', re.MULTILINE)


async def measure(home: Path, rounds: int) -> list[Row]:
    pin(CLIENT_CORE)
    stored, passed, grown, p50, p99 = [], [], [], [], []
    for number in range(rounds):
        root = home / str(number) / "projects"
        root.mkdir(parents=True)
        config = {"sources": {"claude_code": {"paths": [str(root)]}}, "limits": {"rest": None, "ingest": None}}
        async with servers.daemon(home / str(number), config) as daemon, asking(daemon.url) as session:
            stored.append(await _events(root, daemon, session))
            delays = await _delays(root, session)
            p50.append(percentile(delays, 50))
            p99.append(percentile(delays, 99))
            before = resident(daemon.pid)
            passed.append(await _nothing(root, session))
            grown.append((resident(daemon.pid) - before) / 2**20)
    return [
        Row("stored events of transcripts", tuple(stored), "/s", "15,000"),
        Row("bytes of lines that carry nothing", tuple(passed), "MB/s", "100"),
        Row(f"memory grown by a folder of {FOLDER_BYTES // 10**6} MB", tuple(grown), "MiB", "flat"),
        Row("appended line → frame on a WebSocket, p50", tuple(p50), "ms"),
        Row("the same, p99", tuple(p99), "ms", "200 ms"),
    ]


async def _events(root: Path, daemon: Server, session: ClientSession) -> float:
    """Files that appear at once, so that nothing but reading and storing is timed."""
    made = root.with_name("made")
    for number in range(SESSIONS):
        _write(made / f"-opt-{number}" / f"{_session(number)}.jsonl", _calls(number))
    start, before = time.perf_counter(), await _count(session)
    for folder in made.iterdir():
        folder.rename(root / folder.name)
    wanted = SESSIONS * CALLS * EVENTS_A_CALL
    while await _count(session) - before < wanted:
        await asyncio.sleep(0.05)
    return wanted / (time.perf_counter() - start)


async def _nothing(root: Path, session: ClientSession) -> float:
    """Each file ends with the one line that tells something."""
    made = root.with_name("nothing")
    line = json.dumps({"type": "attachment", "sessionId": "x", "content": "lorem ipsum " * 160}) + "\n"
    size = FOLDER_BYTES // FOLDER_FILES
    for number in range(FOLDER_FILES):
        _write(made / f"-mass-{number}" / f"{_session(10_000 + number)}.jsonl", [line * (size // len(line))])
        with (made / f"-mass-{number}" / f"{_session(10_000 + number)}.jsonl").open("a") as file:
            file.write(_answer(10_000 + number, 0))
    start, before = time.perf_counter(), await _count(session)
    for folder in made.iterdir():
        folder.rename(root / folder.name)
    while await _count(session) - before < FOLDER_FILES:
        await asyncio.sleep(0.02)
    return FOLDER_BYTES / 1e6 / (time.perf_counter() - start)


async def _delays(root: Path, session: ClientSession) -> list[float]:
    """Prompts appended to one file; what comes back on the live stream names the line by its length."""
    file = root / "-opt-live" / f"{_session(5_000)}.jsonl"
    _write(file, [_prompt(5_000, 0)])
    delays = []
    async with session.ws_connect("/ws", headers={"X-ClaWatch-Key": KEY}) as ws:
        await ws.send_json({"type": "subscribe", "topics": ["events"]})
        for number in range(1, APPENDED + 1):
            await asyncio.sleep(EVERY)
            start = time.perf_counter()
            with file.open("a") as opened:
                opened.write(_prompt(5_000, number))
            async with asyncio.timeout(10):
                while not _is_told(await ws.receive_json(), number):
                    pass
            delays.append((time.perf_counter() - start) * 1000)
    return delays


def _is_told(frame: dict[str, object], number: int) -> bool:
    data = frame.get("data")
    return isinstance(data, dict) and isinstance(data.get("data"), dict) and data["data"].get("length") == number + 1


async def _count(session: ClientSession) -> int:
    async with session.get("/metrics") as answer:
        found = _STORED.search(await answer.text())
    return int(float(found[1])) if found else 0


def _write(file: Path, lines: Iterator[str] | list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as opened:
        opened.writelines(lines)


def _session(number: int) -> str:
    return f"5e551011-0000-4000-8000-{number:012}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def _line(session: int, kind: str, ident: str, message: dict[str, object], **fields: object) -> str:
    entry = {
        "parentUuid": None, "isSidechain": False, "type": kind, "message": message, "uuid": ident,
        "timestamp": _now(), "sessionId": _session(session), "cwd": "/opt/bench", **fields,
    }  # fmt: skip
    return json.dumps(entry, separators=(",", ":")) + "\n"


def _prompt(session: int, number: int) -> str:
    return _line(session, "user", f"p{number}", {"role": "user", "content": "x" * (number + 1)}, promptId=f"p{number}")


def _answer(session: int, number: int) -> str:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5_000, "output_tokens": 42}
    call = {"type": "tool_use", "id": f"toolu_{session}_{number}", "name": "Bash", "input": {"command": f"ls {number}"}}
    message = {"id": f"msg_{session}_{number}", "model": "claude-opus-5-5", "usage": usage}
    content = [call] if session < 10_000 else []
    return _line(session, "assistant", f"a{number}", {**message, "content": content}, requestId=f"req_{number}")


def _calls(session: int) -> Iterator[str]:
    """As long as real ones are: some 1.5 KB for an answer, more for a result."""
    for number in range(CALLS):
        yield _answer(session, number)
        result = {"type": "tool_result", "tool_use_id": f"toolu_{session}_{number}", "content": "line of output\n" * 80}
        yield _line(session, "user", f"r{number}", {"role": "user", "content": [result]})
