"""Appends as fast as it can, and says the id of each event once it is acknowledged. Made to be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.testing.store_contract.examples import NOW, alert, alerts_unit, spend


async def main(path: Path, life: str) -> None:
    store = await SqliteStore.open(path)

    async def write(task: int) -> None:
        for n in range(100_000):
            name = f"{life}-{task}-{n}"
            events = [spend(f"agent{task}", id=name, session_id=life, rank=1 + n % 3)]
            await store.append(events, NOW)
            await store.commit(alerts_unit(alert(f"alert-{task}", version=n), offsets={f"{life}-{task}": n}), NOW)
            os.write(1, f"{name}\n".encode())

    await asyncio.gather(*(write(task) for task in range(8)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
