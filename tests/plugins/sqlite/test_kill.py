from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from clawatch_plugins.sqlite.store import SqliteStore

from clawatch.domain.events import Event
from clawatch.testing.store_contract.examples import cost_of

CHILD = Path(__file__).with_name("writing_child.py")


def write_and_kill(path: Path, life: str, lines: int) -> list[str]:
    """Ids that the child was told are stored before it was killed, the last one perhaps just then."""
    with subprocess.Popen([sys.executable, CHILD, path, life], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        acknowledged += child.stdout.readlines()
    return [line.strip() for line in acknowledged if line.endswith("\n")]


async def test_every_acknowledged_event_survives_being_killed_once(path: Path) -> None:
    acknowledged = [name for life in range(6) for name in write_and_kill(path, str(life), 40 + 37 * life)]
    assert len(acknowledged) >= 6 * 40
    store = await SqliteStore.open(path)
    entries = await store.read(0, 1_000_000)
    assert [entry.seq for entry in entries] == list(range(1, store.head + 1))
    events = [entry.body for entry in entries if isinstance(entry.body, Event)]
    times = Counter(event.id for event in events)
    assert set(times.values()) == {1}
    assert set(acknowledged) <= set(times)
    for name in acknowledged:
        life, task, n = name.split("-")
        assert await store.offset(f"{life}-{task}") >= int(n)
    agents = await store.agents()
    assert cost_of(await store.costs(None, None, ("*",))) == sum(agent.cost for agent in agents)
    best = {session: max(e.rank for e in events if (e.agent_id, e.session_id) == session)
            for session in {(e.agent_id, e.session_id) for e in events}}  # fmt: skip
    counted = sum(event.rank == best[event.agent_id, event.session_id] for event in events)
    assert sum(agent.cost for agent in agents) == counted * 1_000_000_000
    await store.close()
