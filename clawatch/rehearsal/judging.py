"""Rule tests: run, and compared with what was expected of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawatch.config.loading import Loaded
from clawatch.domain.journal import ControlChanged
from clawatch.domain.time import HOUR, MINUTE, SECOND, Millis
from clawatch.rehearsal.running import OWNER, Episode, Rehearsal, rehearsing
from clawatch.rehearsal.scripts import (
    Expected,
    Said,
    Script,
    control_of,
    duration,
    event_of,
    happenings,
    length_of,
    start_of,
)

Load = Callable[[Mapping[str, Any]], Loaded]
"""The configuration with these settings laid over it."""


async def differences(script: Script, load: Load) -> list[str]:
    """What came otherwise than expected, a line each, ``-`` what is missing and ``+`` what was not expected; none
    where all is well. Raises WrongScript."""
    start, happened = start_of(script), happenings(script)
    async with rehearsing(load(script.config), start) as rehearsal:
        for after, said in happened:
            await rehearsal.until(start + after)
            await _happen(rehearsal, said)
        await rehearsal.until(start + length_of(script, happened))
        found = rehearsal.episodes
        return [*rehearsal.failures, *_compared(script, start, found)]


async def _happen(rehearsal: Rehearsal, said: Said) -> None:
    control = control_of(said)
    if control is not None:
        await rehearsal.move(ControlChanged(agent_id=said.agent, control=control, by=OWNER.user))
    else:
        await rehearsal.say(event_of(said, rehearsal.now))


def _compared(script: Script, start: Millis, found: list[Episode]) -> list[str]:
    """Each alert stands for at most one that is expected, the closest in time first."""
    within = duration(script, script.within)
    left, missing = list(found), []
    for expected in script.alerts:
        at = start + duration(script, expected.at)
        near = [one for one in left if abs(one.fired_at - at) <= within and _fits(script, start, expected, one)]
        if near:
            left.remove(min(near, key=lambda one: abs(one.fired_at - at)))
        else:
            missing.append((at, "- " + _wanted(expected)))
    surplus = [(one.fired_at, "+ " + _told(one, start)) for one in left]
    return [line for _, line in sorted([*missing, *surplus])]


def _fits(script: Script, start: Millis, expected: Expected, one: Episode) -> bool:
    return (
        expected.rule == one.rule
        and expected.agent in (None, one.agent_id)
        and expected.severity in (None, one.severity)
        and (expected.message is None or expected.message in one.message)
        and (expected.brake is None or expected.brake == (one.brake or "none"))
        and _ends_so(script, start, expected.resolved, one.resolved_at)
    )


def _ends_so(script: Script, start: Millis, expected: str | None, resolved_at: Millis | None) -> bool:
    if expected is None:
        return True
    if expected == "never" or resolved_at is None:
        return expected == "never" and resolved_at is None
    return abs(resolved_at - start - duration(script, expected)) <= duration(script, script.within)


def _wanted(expected: Expected) -> str:
    named = {
        "severity": expected.severity, "message": expected.message, "brake": expected.brake,
        "resolved": expected.resolved,
    }  # fmt: skip
    more = "".join(f", {name}: {value}" for name, value in named.items() if value is not None)
    return f"at {expected.at}: {expected.rule} of {expected.agent or 'any agent'}{more}"


def _told(one: Episode, start: Millis) -> str:
    over = "never" if one.resolved_at is None else say_after(one.resolved_at - start)
    brake = f", brake: {one.brake}" if one.brake else ""
    return (
        f"at {say_after(one.fired_at - start)}: {one.rule} of {one.agent_id or 'the fleet'}, "
        f"severity: {one.severity}, resolved: {over}{brake} ({one.message})"
    )


def say_after(duration: Millis) -> str:
    """As a test would write it, to the second: ``1h5m``, ``12m30s``."""
    parts = []
    rest = duration
    for unit, name in ((HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        count, rest = divmod(rest, unit)
        if count > 0:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
