from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clawatch.domain.access import CORE, Principal
from clawatch.domain.recordings import Recording
from clawatch.recordings import Recordings
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory_recordings import MemoryRecordings

NODE = "4b1f1a3e-6f0c-4d4e-9a6b-0d7f2f6b1c11"


@dataclass
class Studio:
    """Recordings over a store in memory."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: MemoryRecordings = field(default_factory=MemoryRecordings)
    node: str = NODE

    def __post_init__(self) -> None:
        self.recordings = Recordings(self.store, self.clock)

    def header(self, **fields: Any) -> dict[str, Any]:
        return {"kind": "recording", "node_id": NODE, "run_id": "r", **fields}

    async def record(self, *lines: Any, principal: Principal = CORE) -> Recording:
        return await self.recordings.record(pieces(lines), principal)

    async def extend(self, recording: Recording, start: int, *lines: Any, principal: Principal = CORE) -> Recording:
        return await self.recordings.extend(recording.id, start, pieces(lines), principal)

    pieces = staticmethod(lambda *lines: pieces(lines))


async def pieces(lines: Any) -> AsyncIterator[bytes]:
    """Dicts as lines; what is an exception is raised in its place, bytes come as they are."""
    for line in lines:
        if isinstance(line, Exception):
            raise line
        yield line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def new_studio() -> type[Studio]:
    """For tests that need a fresh one for each of their examples."""
    return Studio
