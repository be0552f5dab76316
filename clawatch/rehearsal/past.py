"""The recorded past, shown to rules again: out of the journal where it reaches back so far, else out of a recording."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from clawatch.config.loading import Loaded
from clawatch.domain.agents import Agent, Control
from clawatch.domain.events import Activity, Event, EventType, RunReport
from clawatch.domain.journal import CommandChanged, ControlChanged, Entry, Fill, Removed, RunChanged
from clawatch.domain.recordings import EventLine, Profile, Recording, Source, Step
from clawatch.domain.time import MINUTE, Millis, parse_iso
from clawatch.ports import EventsWanted, RecordingsPort, StorePort
from clawatch.rehearsal.running import OWNER, Episode, Rehearsal, rehearsing

BATCH = 1_000
STEPS_AT_ONCE = 200_000
_TOO_MANY = f"the recording has more than {STEPS_AT_ONCE:,} steps; they were left out"
_ACTIVITIES = frozenset(activity.value for activity in Activity)


@dataclass(frozen=True)
class Rehearsed:
    start: Millis
    end: Millis
    from_journal: bool
    """Else the recording was all there was."""
    raised: list[Episode]
    recorded: list[EventLine]
    """The alerts that fired then."""
    failures: list[str]
    """Rules that could not go on, and what was left out, in words."""
    is_fleet: bool
    """Whether it is of agents that ClaWatch watched; else there is little in it for rules."""


async def rehearse(
    loaded: Loaded, recordings: RecordingsPort, recording: Recording, store: StorePort | None
) -> Rehearsed:
    """What the configuration would have raised. ``store`` has the journal."""
    start = recording.started_at or 0
    end = start + (recording.total_ticks + 1) * (recording.tick_length or MINUTE)
    profiles = [profile async for profile in recordings.profiles(recording)]
    agents = [msgspec.convert(one.initial_state["agent"], Agent) for one in profiles if "agent" in one.initial_state]
    seq = None if store is None else await _seq_at(store, recording)
    async with rehearsing(loaded, start, agents) as rehearsal:
        if store is not None and seq is not None:
            await _retell(rehearsal, store, seq, end)
        else:
            await _reenact(rehearsal, [step async for step in _steps(recordings, recording)], profiles, start, end)
        await rehearsal.until(end)
        is_left_out = seq is None and recording.step_count > STEPS_AT_ONCE
        failures = [*rehearsal.failures, *([_TOO_MANY] if is_left_out else [])]
        recorded = await _recorded(recordings, recording)
        return Rehearsed(start, end, seq is not None, rehearsal.episodes, recorded, failures, _is_fleets(recording))


def _is_fleets(recording: Recording) -> bool:
    """Also of one that was read from a file."""
    return recording.run_id.startswith(("hour ", "day "))


# -- out of the journal


async def _seq_at(store: StorePort, recording: Recording) -> int | None:
    """The last row before it; None when rows of it may be gone, or it is not of this fleet."""
    if recording.started_at is None or recording.source is not Source.FLEET:
        return None
    seq = await store.seq_before(recording.started_at)
    return None if seq == store.tail - 1 and store.tail > 1 else seq


async def _retell(rehearsal: Rehearsal, store: StorePort, seq: int, end: Millis) -> None:
    asked: RunReport | None = None
    while entries := await store.read(seq, BATCH):
        for entry in entries:
            if entry.at >= end:
                return
            await rehearsal.until(entry.at)
            if not (isinstance(entry.body, RunChanged) and asked is not None and entry.body.run.id == asked.run_id):
                await _show(rehearsal, entry)
            asked = entry.body.run if isinstance(entry.body, Event) else None
        seq = entries[-1].seq


async def _show(rehearsal: Rehearsal, entry: Entry) -> None:
    """What rules have said then is left out: they speak for themselves."""
    body = entry.body
    if isinstance(body, Event):
        await rehearsal.store(body)
    elif isinstance(body, Fill) and not body.event.is_moved:
        await rehearsal.store(_later(body))
    elif isinstance(body, ControlChanged | CommandChanged | RunChanged | Removed):
        await rehearsal.move(body)


def _later(fill: Fill) -> Event:
    """The report that completed the event, as far as the journal has it."""
    said = fill.said
    if said is None:
        return fill.event
    return replace(
        fill.event, at=said.at, received_at=said.received_at, type=said.type, activity=said.activity, turn=said.turn,
        facts=said.facts, is_progress=said.is_progress, signal=said.signal, rank=said.rank, source=said.source,
    )  # fmt: skip


# -- out of the recording alone


async def _steps(recordings: RecordingsPort, recording: Recording) -> AsyncIterator[tuple[str, Step]]:
    if recording.step_count <= STEPS_AT_ONCE:
        async for step in recordings.steps(recording, 0, recording.total_ticks):
            yield step


async def _reenact(
    rehearsal: Rehearsal, steps: Iterable[tuple[str, Step]], profiles: Iterable[Profile], start: Millis, end: Millis
) -> None:
    """Each agent says at its times what became of it, and once a minute that it is alive, unless it was silent."""
    parts = {one.agent_id: _Part(one.agent_id, _status(one.initial_state)) for one in profiles}
    changes: dict[int, list[tuple[Millis, str, dict[str, Any]]]] = {}
    for agent_id, step in steps:
        at = _instant(step.state.get("at"), start + step.tick * MINUTE)
        changes.setdefault((at - start) // MINUTE, []).append((at, agent_id, step.state))
        seen = step.state.get("last_seen")
        if seen is not None and agent_id in parts:
            parts[agent_id].silences.append((_instant(seen, at), at))
    for minute in range((end - start) // MINUTE):
        for at, agent_id, state in sorted(changes.get(minute, []), key=lambda one: one[:2]):
            await rehearsal.until(min(max(at, rehearsal.now), end))
            for event in parts[agent_id].change(state, rehearsal.now):
                await (rehearsal.move(event) if isinstance(event, ControlChanged) else rehearsal.say(event))
        await rehearsal.until(min(start + (minute + 1) * MINUTE, end) - 1)
        beats = [part.beat(rehearsal.now) for part in parts.values() if part.is_alive_at(rehearsal.now)]
        if beats:
            await rehearsal.say(*beats)


class _Part:
    """One agent's."""

    def __init__(self, agent_id: str, status: str | None) -> None:
        self._agent_id = agent_id
        self._status = status
        self._control = "run"
        self.silences: list[tuple[Millis, Millis]] = []

    def is_alive_at(self, now: Millis) -> bool:
        is_silent = any(since < now <= until for since, until in self.silences)
        return self._status in ("pending", "idle", "running", "error") and not is_silent

    def beat(self, now: Millis) -> Event:
        return Event(agent_id=self._agent_id, type=EventType.HEARTBEAT, at=now, received_at=now, source="recording",
                     is_progress=self._status != "error", activity=_activity(self._status))

    def change(self, state: dict[str, Any], now: Millis) -> Iterator[Event | ControlChanged]:
        status, control = _status(state), str(state.get("control", self._control))
        if control != self._control:
            self._control = control
            with suppress(ValueError):
                yield ControlChanged(agent_id=self._agent_id, control=Control(control), by=OWNER.user)
        if status == self._status:
            return
        self._status = status
        if status in _ACTIVITIES and status not in ("paused", "stopped"):
            yield Event(
                agent_id=self._agent_id, at=now, received_at=now, source="recording", activity=_activity(status),
                type=EventType.ERROR if status == "error" else EventType.STATUS_CHANGE,
                error="recorded" if status == "error" else None,
            )


def _status(state: dict[str, Any]) -> str | None:
    status = state.get("status")
    return status if isinstance(status, str) else None


def _activity(status: str | None) -> Activity | None:
    return Activity(status) if status in _ACTIVITIES else None


def _instant(text: object, otherwise: Millis) -> Millis:
    try:
        return parse_iso(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise


async def _recorded(recordings: RecordingsPort, recording: Recording) -> list[EventLine]:
    found = await recordings.events(recording, EventsWanted(type="alert_fired", limit=10_000))
    return found.events

