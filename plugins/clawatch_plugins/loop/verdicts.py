"""Loops in words."""

from __future__ import annotations

from typing import Any

from clawatch.domain.alerts import Severity
from clawatch.domain.events import Event, Origin
from clawatch.domain.verdicts import Verdict
from clawatch.domain.words import one_line
from clawatch_plugins.loop.detectors import Found
from clawatch_plugins.loop.history import WINDOW
from clawatch_plugins.loop.routines import Routine

EVERY_RUN = "every run"
"""The subject of an agent's routine; other subjects name sessions."""


def session_verdict(event: Event, subject: str, found: Found) -> Verdict:
    evidence: dict[str, Any] = {"kind": found.kind, "count": found.count, "ofLast": WINDOW}
    if found.tool:
        evidence["tool"] = found.tool
    if found.basis is not None:
        evidence["judgedOn"] = found.basis.words
    if found.period > 1:
        evidence["period"] = found.period
    if found.error:
        evidence["error"] = found.error
    if subject:
        evidence["session"] = subject
    return Verdict(
        agent_id=event.agent_id,
        severity=found.severity,
        subject=subject,
        message=found.message,
        evidence=evidence,
        may_brake=found.may_brake and event.origin is Origin.LIVE,
        is_top=found.severity is Severity.CRITICAL,
    )


def routine_verdict(agent_id: str, routine: Routine) -> Verdict:
    tool = one_line(routine.call.name, 40)
    basis = routine.call.basis.words
    return Verdict(
        agent_id=agent_id,
        severity=Severity.WARNING,
        subject=EVERY_RUN,
        message=f"{tool} called in each of {routine.runs} runs with {basis}",
        evidence={"kind": "every_run", "count": routine.runs, "tool": tool, "judgedOn": basis},
        may_brake=False,
        is_top=False,
    )


def over(agent_id: str, subject: str) -> Verdict:
    return Verdict(agent_id=agent_id, severity=None, subject=subject)
