"""What the daemon says of itself, and the load of its host, compared with the look before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from clawatch.apis.fanout import News
from clawatch.apis.host import HostFigures
from clawatch.domain.alerts import Silence
from clawatch.domain.ids import new_id
from clawatch.domain.time import SECOND, Millis, Moment, iso
from clawatch.ports import PartReport, SystemReport
from clawatch_plugins.freeagentics.settings import AlertAbove
from clawatch_plugins.freeagentics.wire import Maintenance, Message, PerformanceAlert, SystemAlert, SystemStatus
from clawatch_plugins.freeagentics.words import MAINTENANCE_MODE, PERFORMANCE_ALERT, SYSTEM_ALERT, SYSTEM_STATUS

BACKLOG = 100
"""Notifications that wait."""
BEHIND = 10_000
"""Entries that the rules have yet to read."""
CPU_FOR: Millis = 30 * SECOND
"""How long the processors must be busy; a moment is nothing."""
RELIEF = 5.0
"""Percent below its threshold at which a high load is over, so that it does not flutter."""
ALWAYS_SHOWN = ("database", "outbox", "rules", "notifiers", "apis")
_ILL = frozenset({
    "failing", "late", "switched off", "retrying", "undeliverable", "broken", "refused", "missing-extra",
})
HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"


class Trouble(Struct, frozen=True, kw_only=True):
    component: str
    type: str
    severity: str
    message: str
    name: str = ""

    @property
    def components(self) -> list[str]:
        return [self.component, self.name] if self.name else [self.component]


def troubles_of(report: SystemReport | None) -> dict[str, Trouble]:
    """What is wrong, by what names it. None stands for a report that the store did not let us make."""
    found: list[Trouble] = []
    if report is None or not report.store.ok:
        detail = "it does not answer" if report is None else report.store.detail
        found.append(Trouble(
            component="database", type="service_unavailable", severity="error",
            message=f"The database cannot be used: {detail}",
        ))
    if report is not None:
        found += map(_of_part, filter(lambda part: part.state in _ILL, report.parts))
        found += _of_queues(report)
    return {f"{trouble.component} {trouble.name}": trouble for trouble in found}


def _of_part(part: PartReport) -> Trouble:
    kind = part.section.removesuffix("s")
    said = part.detail if part.detail.startswith(part.state) else f"{part.state}: {part.detail}".rstrip(": ")
    return Trouble(
        component=part.section,
        name=part.name,
        type=f"{kind}_{part.state.replace(' ', '_').replace('-', '_')}",
        severity="warning" if part.state in ("retrying", "late") else "error",
        message=f"The {kind} {part.name}: {said}",
    )


def _of_queues(report: SystemReport) -> Iterator[Trouble]:
    if report.outbox > BACKLOG:
        yield Trouble(component="outbox", type="queue_backlog", severity="warning",
                      message=f"{report.outbox} notifications wait to be delivered")
    if report.rules_behind > BEHIND:
        yield Trouble(component="rules", name="queue", type="queue_backlog", severity="warning",
                      message=f"The rules have {report.rules_behind} entries yet to read")


class _High(Struct):
    """A load of the host that is too high, or on its way there."""

    since: Millis
    alert_id: str = ""
    """Set once it has been told."""


class Watch:
    """Begins with how things are: what is wrong already is news to nobody."""

    def __init__(self, report: SystemReport | None, silences: Iterable[Silence], above: AlertAbove) -> None:
        self.report = report
        """The last there was."""
        self._above = above
        self._troubles = troubles_of(report)
        self._ids: dict[str, str] = {}
        self._status = _status_of(self._troubles)
        self._silences = _for_all(silences)
        self._high: dict[str, _High] = {}

    def look(
        self, report: SystemReport | None, silences: Iterable[Silence], host: HostFigures, now: Moment
    ) -> Iterator[News]:
        """What has changed since the look before."""
        self.report = report or self.report
        yield from self._compare_troubles(troubles_of(report), now)
        yield from self._compare_silences(_for_all(silences), now)
        yield from self._judge("memory", host.memory_percent, self._above.memory, 0, now)
        yield from self._judge("cpu", host.cpu_percent, self._above.cpu, CPU_FOR, now)

    def _compare_troubles(self, troubles: dict[str, Trouble], now: Moment) -> Iterator[News]:
        old, self._troubles = self._troubles, troubles
        for key, trouble in troubles.items():
            if key not in old:
                self._ids[key] = new_id("alert", now.wall)
                yield self._alert(key, trouble, "investigating", now)
        for key, trouble in old.items():
            if key not in troubles:
                yield self._alert(key, trouble, "resolved", now)
                self._ids.pop(key, None)
        yield from self._compare_status(now)

    def _alert(self, key: str, trouble: Trouble, status: str, now: Moment) -> News:
        return News(SYSTEM_ALERT, "", Message(SYSTEM_ALERT, iso(now.wall), SystemAlert(
            alert_id=self._ids.setdefault(key, new_id("alert", now.wall)),
            severity=trouble.severity,
            type=trouble.type,
            message=trouble.message if status != "resolved" else f"Resolved: {trouble.message}",
            affected_components=trouble.components,
            status=status,
        )))

    def _compare_status(self, now: Moment) -> Iterator[News]:
        old, self._status = self._status, _status_of(self._troubles)
        if old != self._status:
            reasons = sorted({trouble.type for trouble in self._troubles.values()})
            yield News(SYSTEM_STATUS, "", Message(SYSTEM_STATUS, iso(now.wall), SystemStatus(
                old_status=old,
                new_status=self._status,
                reason=", ".join(reasons) or "recovered",
                components=_components(self._troubles),
            )))

    def _compare_silences(self, silences: dict[str, Silence], now: Moment) -> Iterator[News]:
        """Who silences every alert of every agent has taken the fleet into maintenance."""
        old, self._silences = self._silences, silences
        changed = [(one, True) for key, one in silences.items() if key not in old]
        changed += [(one, False) for key, one in old.items() if key not in silences]
        for silence, is_on in changed:
            yield News(MAINTENANCE_MODE, "", Message(MAINTENANCE_MODE, iso(now.wall), Maintenance(
                enabled=is_on or bool(silences),
                message=silence.reason,
                started_by=silence.by,
                ends_at=iso(silence.expires_at),
            )))

    def _judge(
        self, what: str, value: float, threshold: float | None, lasting: Millis, now: Moment
    ) -> Iterator[News]:
        high = self._high.get(what)
        if threshold is None:
            return
        if value > threshold:
            high = high or self._high.setdefault(what, _High(now.mono))
            if not high.alert_id and now.mono - high.since >= lasting:
                high.alert_id = new_id("alert", now.wall)
                yield _load_alert(high.alert_id, what, value, threshold, "firing", now)
        elif high is not None and (not high.alert_id or value <= threshold - RELIEF):
            del self._high[what]
            if high.alert_id:
                yield _load_alert(high.alert_id, what, value, threshold, "resolved", now)


def _load_alert(alert_id: str, what: str, value: float, threshold: float, status: str, now: Moment) -> News:
    name = {"memory": "Memory", "cpu": "CPU"}[what]
    message = f"{name} usage above {threshold:g}%"
    return News(PERFORMANCE_ALERT, "", Message(PERFORMANCE_ALERT, iso(now.wall), PerformanceAlert(
        alert_id=alert_id,
        severity="warning",
        type=f"high_{what}_usage",
        message=message if status == "firing" else f"Resolved: {message}",
        affected_components=["host"],
        current_value=value,
        threshold=threshold,
        recommended_action="Run less on this host, or give it more" if status == "firing" else "None; it is over",
        status=status,
    )))


def _status_of(troubles: dict[str, Trouble]) -> str:
    if any(trouble.component == "database" for trouble in troubles.values()):
        return UNHEALTHY
    return DEGRADED if troubles else HEALTHY


def _components(troubles: dict[str, Trouble]) -> dict[str, str]:
    ill = {trouble.component: DEGRADED for trouble in troubles.values()}
    if "database" in ill:
        ill["database"] = UNHEALTHY
    return dict.fromkeys(ALWAYS_SHOWN, HEALTHY) | ill


def _for_all(silences: Iterable[Silence]) -> dict[str, Silence]:
    return {one.id: one for one in silences if one.agent == "*" and not (one.rule or one.severity or one.alert_id)}
