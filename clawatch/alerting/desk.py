"""The desk: the open alerts, the silences, and what people do about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from clawatch.alerting import engine, muting
from clawatch.alerting.routing import Route, receivers
from clawatch.domain.access import Principal, Scope
from clawatch.domain.alerts import Alert, Mark, Reason, Severity, Silence
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.ids import new_id
from clawatch.domain.journal import AlertChanged, CommandChanged, Committed, Edge, Removed, Unit
from clawatch.domain.time import Millis
from clawatch.domain.verdicts import Notice
from clawatch.ports import Clock, Forbidden, Invalid, NotFound, StorePort

Poke = Callable[[Iterable[Outgoing]], None]


class Desk:
    """Open alerts by fingerprint, as of the last step. ``lock`` is held from looking to committing."""

    def __init__(self, store: StorePort, clock: Clock, routes: Sequence[Route], notifiers: Sequence[str]) -> None:
        self._store = store
        self._clock = clock
        self.routes = routes
        self.notifiers = notifiers
        self.lock = asyncio.Lock()
        self.poke: Poke = lambda rows: None
        """Called when there is something new to deliver."""
        self._open: dict[str, Alert] = {}
        self._by_id: dict[str, str] = {}
        self._silences: dict[str, Silence] = {}

    async def load(self) -> None:
        for alert in await self._store.open_alerts():
            self.keep(alert)
        self._silences = {silence.id: silence for silence in await self._store.silences()}

    def apply(self, committed: Committed) -> None:
        """Follow the journal; called for each commit in order."""
        for entry in committed.entries:
            if isinstance(entry.body, AlertChanged):
                known = self._open.get(entry.body.alert.fingerprint)
                if known is None or known.id != entry.body.alert.id or known.version < entry.body.alert.version:
                    self.keep(entry.body.alert)

    # -- the open alerts

    def open(self, fingerprint: str) -> Alert | None:
        return self._open.get(fingerprint)

    def by_id(self, alert_id: str) -> Alert | None:
        fingerprint = self._by_id.get(alert_id)
        return None if fingerprint is None else self._open.get(fingerprint)

    def alerts(self) -> list[Alert]:
        return list(self._open.values())

    def firing_of(self, agent_id: str) -> list[Alert]:
        return [alert for alert in self._open.values() if alert.agent_id == agent_id and alert.is_firing]

    def keep(self, alert: Alert) -> None:
        """Remember the alert as it now stands; a resolved one is forgotten."""
        if alert.state == "resolved":
            self._by_id.pop(alert.id, None)
            known = self._open.get(alert.fingerprint)
            if known is not None and known.id == alert.id:
                del self._open[alert.fingerprint]
        else:
            self._open[alert.fingerprint] = alert
            self._by_id[alert.id] = alert.fingerprint

    # -- what to say, and to whom

    def say(self, alert: Alert, reason: Reason, now: Millis) -> list[Outgoing]:
        """Outbox rows for an alert, one per notifier it is routed to.

        One that it was routed to before, at another severity, has its message edited and is not rung again.
        """
        names = self._receivers(alert)
        reasons = dict.fromkeys(alert.told, Reason.UPDATED if reason in engine.RINGS else reason)
        reasons.update(dict.fromkeys(names, reason))
        return [
            Outgoing(
                id=new_id("out", now),
                notifier=name,
                thread=alert.id,
                reason=why,
                created_at=now,
                next_at=now,
                rule=alert.rule,
                agent_id=alert.agent_id,
                alert_id=alert.id,
                severity=alert.severity,
                text=alert.message,
            )
            for name, why in reasons.items()
            if name in self.notifiers
        ]

    def routed(self, alert: Alert) -> Alert:
        """The alert, knowing whom it is told to now."""
        return replace(alert, told=tuple(dict.fromkeys((*alert.told, *self._receivers(alert)))))

    def _receivers(self, alert: Alert) -> list[str]:
        return receivers(self.routes, self.notifiers, alert.severity, alert.rule, alert.agent_id)

    def say_notice(self, notice: Notice, rule: str, now: Millis) -> list[Outgoing]:
        names = receivers(self.routes, self.notifiers, notice.severity, rule, notice.agent_id)
        return [
            Outgoing(
                id=new_id("out", now),
                notifier=name,
                thread=new_id("notice", now),
                reason=Reason.NOTICE,
                created_at=now,
                next_at=now,
                rule=rule,
                agent_id=notice.agent_id,
                severity=notice.severity,
                text=notice.message,
            )
            for name in names
        ]

    def say_command(self, edge: CommandChanged, now: Millis) -> list[Outgoing]:
        """A command moved: the messages of its agent's firing alerts are to show it."""
        alerts = {alert.id: alert for alert in self.firing_of(edge.command.agent_id)}
        own = self.by_id(edge.command.alert_id) if edge.command.alert_id else None
        if own is not None:
            alerts[own.id] = own
        return [row for alert in alerts.values() for row in self.say(alert, Reason.UPDATED, now)]

    # -- what people do

    async def acknowledge(self, alert_id: str, principal: Principal, acknowledged: bool = True) -> Alert:
        """See ``ports.CommandsPort.acknowledge``."""
        async with self.lock:
            alert = await self._permitted(alert_id, principal)
            if (alert.acknowledged is not None) == acknowledged:
                return alert
            now = self._clock.now().wall
            mark = Mark(by=principal.user, at=now) if acknowledged else None
            alert = replace(alert, acknowledged=mark, changed_at=now, version=alert.version + 1)
            await self._commit([AlertChanged(alert=alert, reason=Reason.UPDATED)], self.say(alert, Reason.UPDATED, now))
            return alert

    async def _permitted(self, alert_id: str, principal: Principal) -> Alert:
        alert = self.by_id(alert_id) or await self._store.alert(alert_id)
        if alert is None or not principal.sees(alert.agent_id):
            raise NotFound("Alert not found")
        if not principal.may(Scope.CONTROL):
            raise Forbidden(f"the key {principal.name!r} lacks the scope control")
        return alert

    async def silence(
        self,
        principal: Principal,
        duration: Millis,
        reason: str,
        alert_id: str | None = None,
        agent: str = "*",
        rule: str = "",
        severity: str = "",
    ) -> Silence:
        """See ``ports.CommandsPort.silence``."""
        if duration <= 0:
            raise Invalid("a silence lasts for more than 0 s")
        if severity and severity not in list(Severity):
            raise Invalid(f"{severity!r} is no severity; use one of {', '.join(Severity)}")
        alert = None if alert_id is None else await self._permitted(alert_id, principal)
        if not principal.may(Scope.CONTROL):
            raise Forbidden(f"the key {principal.name!r} lacks the scope control")
        if alert is None and not principal.sees_all and agent not in principal.agents:
            raise Forbidden(f"the key {principal.name!r} may silence its own agents only")
        now = self._clock.now().wall
        silence = Silence(
            id=new_id("silence", now),
            created_at=now,
            expires_at=now + duration,
            by=principal.user,
            reason=reason,
            agent=agent if alert is None else alert.agent_id,
            rule=rule,
            severity=severity,
            alert_id=alert_id or "",
        )
        await self._store.put_silence(silence)
        self._silences[silence.id] = silence
        await self._tell_touched(silence, now)
        return silence

    async def _tell_touched(self, silence: Silence, now: Millis) -> None:
        touched = [alert for alert in self._open.values() if alert.is_firing and muting.matches(silence, alert)]
        await self._commit([], [row for alert in touched for row in self.say(alert, Reason.UPDATED, now)])

    async def unsilence(self, silence_id: str, principal: Principal) -> None:
        """See ``ports.CommandsPort.unsilence``."""
        silence = self._silences.get(silence_id)
        if silence is None:
            raise NotFound("Silence not found")
        if not principal.may(Scope.CONTROL):
            raise Forbidden(f"the key {principal.name!r} lacks the scope control")
        if not muting.is_own(silence, principal):
            raise Forbidden(f"the key {principal.name!r} may lift silences of its own agents only")
        now = self._clock.now().wall
        self._silences[silence_id] = replace(silence, expires_at=now)
        await self.lift_expired(now)

    async def lift_expired(self, now: Millis) -> None:
        """End the silences that have run out: what still fires under them is told once."""
        async with self.lock:
            expired = [silence for silence in self._silences.values() if silence.expires_at <= now]
            if expired:
                await self._ring_again(self._heard_again(expired, now), now)
            for silence in expired:
                await self._store.delete_silence(silence.id)
                del self._silences[silence.id]

    async def _ring_again(self, alerts: Iterable[Alert], now: Millis) -> None:
        edges: list[Edge] = []
        rows: list[Outgoing] = []
        for alert in alerts:
            told = replace(alert, told_at=now, changed_at=now, version=alert.version + 1)
            edges.append(AlertChanged(alert=told, reason=Reason.UNSILENCED))
            rows += self.say(told, Reason.UNSILENCED, now)
        await self._commit(edges, rows)

    def _heard_again(self, expired: Sequence[Silence], now: Millis) -> list[Alert]:
        return [
            alert
            for alert in self._open.values()
            if alert.is_firing
            and alert.acknowledged is None
            and any(muting.matches(silence, alert) for silence in expired)
            and muting.silenced_until(self._silences.values(), alert, now) is None
        ]

    def silences(self) -> list[Silence]:
        now = self._clock.now().wall
        return sorted((s for s in self._silences.values() if s.expires_at > now), key=lambda s: s.expires_at)

    def silenced_until(self, alert: Alert) -> Millis | None:
        return muting.silenced_until(self._silences.values(), alert, self._clock.now().wall)

    async def remove_agent(self, agent_id: str, principal: Principal, last: Sequence[Edge] = ()) -> None:
        """Forget an agent: its open alerts end with it, and so does what the ``last`` edges end."""
        async with self.lock:
            now = self._clock.now().wall
            gone = [a for a in self._open.values() if a.agent_id == agent_id]
            steps = [engine.end(alert, now) for alert in gone]
            edges: list[Edge] = [AlertChanged(alert=s.alert, reason=s.reason or Reason.UPDATED) for s in steps]
            rows = [row for s in steps if s.reason for row in self.say(s.alert, s.reason, now)]
            await self._commit([*edges, *last, Removed(agent_id=agent_id, by=principal.user)], rows)

    async def _commit(self, edges: Iterable[Edge], rows: Iterable[Outgoing]) -> None:
        unit = Unit(edges=tuple(edges), outbox=tuple(rows))
        if unit.edges or unit.outbox:
            await self._store.commit(unit, self._clock.now().wall)
            self.poke(unit.outbox)
