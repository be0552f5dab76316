"""How many events a second: beside a handler that does nothing, the memory store, and bare SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import servers
from benchmarks.load import Plan
from benchmarks.machine import unpin
from benchmarks.servers import KEY, Server
from benchmarks.table import Row

SECONDS = 4.0
CONNECTIONS = 32
BATCH = 100
BATCH_CONNECTIONS = 4
DATABASE = "executemany.db"

Measure = Callable[[int], Awaitable[float]]


async def measure(home: Path, rounds: int) -> list[Row]:
    """Each round measures everything once, one right after the other; ratios are made within a round."""
    memory = {"storage": {"use": "memory"}}
    async with (
        servers.reference(home / "reference") as nothing,
        servers.daemon(home / "sqlite") as sqlite,
        servers.daemon(home / "memory", memory) as in_memory,
    ):
        found = await _rounds(rounds, {
            "nothing": lambda number: _singles(nothing, f"n{number}"),
            "sqlite": lambda number: _singles(sqlite, f"s{number}"),
            "memory": lambda number: _singles(in_memory, f"m{number}"),
            "batches": lambda number: _batches(sqlite, f"b{number}"),
            "executemany": lambda number: _insert(home / f"{number}-{DATABASE}"),
        })
    return [
        Row("a handler that does nothing, single requests", tuple(found["nothing"]), "/s"),
        Row("single durable events, keyed, all rules", tuple(found["sqlite"]), "/s"),
        Row("the same on the memory store", tuple(found["memory"]), "/s"),
        Row("events in batches of 100, durable", tuple(found["batches"]), "/s"),
        Row("`executemany` in transactions of 100", tuple(found["executemany"]), "/s"),
        Row("single events, of the handler that does nothing", _ratio(found, "sqlite", "nothing"), "×", "0.3", "0.5"),
        Row("single events, of the memory store", _ratio(found, "sqlite", "memory"), "×", "0.5", "0.75"),
        Row("batches, of `executemany`", _ratio(found, "batches", "executemany"), "×", "0.4", "0.8"),
    ]


async def _rounds(rounds: int, measures: dict[str, Measure]) -> dict[str, list[float]]:
    """A first round, not counted, warms everything up; every other one goes backwards."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        names = list(measures) if number % 2 else list(reversed(measures))
        for name in names:
            figure = await measures[name](number)
            if number:
                found[name].append(figure)
    return found


def _ratio(found: dict[str, list[float]], ours: str, theirs: str) -> tuple[float, ...]:
    return tuple(one / other for one, other in zip(found[ours], found[theirs], strict=True))


async def _singles(server: Server, run: str) -> float:
    plan = Plan(url=server.url, run=run, key=KEY, connections=CONNECTIONS, seconds=SECONDS)
    return (await servers.load(plan)).per_second


async def _batches(server: Server, run: str) -> float:
    plan = Plan(
        url=server.url, run=run, key=KEY, connections=BATCH_CONNECTIONS, seconds=SECONDS, batch=BATCH
    )  # fmt: skip
    return (await servers.load(plan)).per_second * BATCH


async def _insert(path: Path) -> float:
    """In a process of its own, like what it is compared with."""
    import sys

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.reference", str(path), str(SECONDS),
        stdout=asyncio.subprocess.PIPE, preexec_fn=unpin,
    )
    said, _ = await child.communicate()
    return float(said)
