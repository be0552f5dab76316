"""Recordings as they are shown."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from clawatch.domain.recordings import Recording
from clawatch.domain.time import iso


class Begun(Struct, kw_only=True, omit_defaults=True):
    id: str
    node_id: str
    run_id: str
    complete: bool
    next_line: int | None = None
    """Of one that is not complete: the number of the line that comes next."""


class Extended(Struct, kw_only=True):
    next_line: int
    ended: bool
    """The line `end` has come: only the completion is still to be asked for."""


class RecordingView(Struct, kw_only=True):
    id: str
    node_id: str
    run_id: str
    source: str
    """`import`, or `fleet` for what ClaWatch records of the agents it watches."""
    owner: str
    complete: bool
    next_line: int | UnsetType = UNSET
    total_ticks: int
    keyframe_interval: int
    agent_count: int
    event_count: int
    size_bytes: int
    created_at: str
    completed_at: str | None
    started_at: str | None
    ended_at: str | None
    """When the last tick was, where that is known."""


class RecordingList(Struct, kw_only=True):
    recordings: tuple[RecordingView, ...]
    next: str | None


class RecordedAgents(Struct, kw_only=True):
    agents: tuple[str, ...]
    """Their ids, in the order in which they came up."""
    total: int


def view_of(recording: Recording) -> RecordingView:
    ended_at = recording.instant(recording.total_ticks)
    return RecordingView(
        id=recording.id, node_id=recording.node_id, run_id=recording.run_id, source=recording.source.value,
        owner=recording.owner, complete=recording.is_complete,
        next_line=UNSET if recording.is_complete else recording.progress.next_line,
        total_ticks=recording.total_ticks, keyframe_interval=recording.keyframe_interval,
        agent_count=recording.agent_count, event_count=recording.event_count, size_bytes=recording.size_bytes,
        created_at=iso(recording.created_at),
        completed_at=iso(recording.completed_at) if recording.completed_at else None,
        started_at=None if recording.started_at is None else iso(recording.started_at),
        ended_at=None if ended_at is None or recording.tick_length is None else iso(ended_at),
    )  # fmt: skip
