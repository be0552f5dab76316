"""The state of a run at a tick, and how it is had from the nearest keyframe and the deltas behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from clawatch.domain.recordings.lines import Number, TickLine

MAX_STATE = 256 * 1024
"""Bytes of a whole state as JSON: every keyframe holds one."""


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Also a delta, which names only what has changed."""

    metrics: dict[str, Number] = {}
    by_segment: dict[str, dict[str, Number]] = {}
    by_region: dict[str, dict[str, Number]] = {}
    world_state: dict[str, Any] = {}


class Delta(Struct, frozen=True, array_like=True):
    tick: int
    changed: State


class Frame(Struct, frozen=True, array_like=True):
    """A keyframe, and what changed at the ticks behind it."""

    tick: int
    """Of the keyframe: a multiple of the interval."""
    state: State
    deltas: list[Delta]


def state_of(line: TickLine) -> State:
    return State(
        metrics=line.metrics, by_segment=line.by_segment, by_region=line.by_region, world_state=line.world_state
    )


def merged(state: State, changed: State) -> State:
    """The state after a change; both stay as they are."""
    return State(
        metrics={**state.metrics, **changed.metrics},
        by_segment=_merged_parts(state.by_segment, changed.by_segment),
        by_region=_merged_parts(state.by_region, changed.by_region),
        world_state={**state.world_state, **changed.world_state},
    )


def difference(before: State, after: State) -> State:
    """What has to be merged into ``before`` to have ``after``."""
    return State(
        metrics=_changed(before.metrics, after.metrics),
        by_segment=_changed_parts(before.by_segment, after.by_segment),
        by_region=_changed_parts(before.by_region, after.by_region),
        world_state=_changed(before.world_state, after.world_state),
    )


def state_at(frame: Frame, tick: int) -> State:
    state = frame.state
    for delta in frame.deltas:
        if delta.tick > tick:
            break
        state = merged(state, delta.changed)
    return state


class Framing:
    """Frames out of states in the order of their ticks; only where something was recorded."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self.state = State()
        self._frame: Frame | None = None

    def add(self, tick: int, changed: State) -> Frame | None:
        """The frame that this tick shows to be finished."""
        before, self.state = self.state, merged(self.state, changed)
        keyframe = tick - tick % self._interval
        done = None
        if self._frame is None or self._frame.tick != keyframe:
            done, self._frame = self._frame, Frame(keyframe, self.state if tick == keyframe else before, [])
        if tick != keyframe:
            self._frame.deltas.append(Delta(tick, difference(before, self.state)))
        return done

    def end(self) -> Frame | None:
        return self._frame


def size_of(state: State) -> int:
    return len(msgspec.json.encode(state))


def _merged_parts(
    before: Mapping[str, dict[str, Number]], changed: Mapping[str, dict[str, Number]]
) -> dict[str, dict[str, Number]]:
    return {**before, **{metric: {**before.get(metric, {}), **parts} for metric, parts in changed.items()}}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """By what they are written as: 1 and true are equal, but not the same."""
    return {name: value for name, value in after.items() if name not in before or not _is_same(before[name], value)}


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other) and not isinstance(one, (dict, list))


def _changed_parts(
    before: Mapping[str, Mapping[str, Number]], after: Mapping[str, Mapping[str, Number]]
) -> dict[str, dict[str, Number]]:
    parts = {metric: _changed(before.get(metric, {}), values) for metric, values in after.items()}
    return {metric: values for metric, values in parts.items() if values or metric not in before}

