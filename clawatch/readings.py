"""What the daemon's parts know of themselves, as figures that are read when somebody asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clawatch import __version__
from clawatch.access import Access
from clawatch.alerting.desk import Desk
from clawatch.config.loading import Loaded
from clawatch.domain.agents import Status
from clawatch.domain.alerts import Severity
from clawatch.domain.metrics import Metrics, Reading
from clawatch.domain.time import SECOND
from clawatch.fleet import Fleet
from clawatch.ports import Clock, StorePort
from clawatch.pulse import Pulse
from clawatch.system import System
from clawatch.web.counters import Counters


@dataclass(frozen=True)
class Readings:
    store: StorePort
    fleet: Fleet
    desk: Desk
    system: System
    access: Access
    pulse: Pulse
    web: Counters
    clock: Clock
    loaded: Loaded

    def publish(self, metrics: Metrics) -> None:
        """Let them be read from now on, in place of those of a daemon before a reload."""
        self._publish_journal(metrics)
        self._publish_store(metrics)
        self._publish_fleet(metrics)
        self._publish_parts(metrics)
        self._publish_web(metrics)

    def _publish_journal(self, metrics: Metrics) -> None:
        report = self.system.report
        metrics.reading("clawatch_journal_head", "Newest entry of the journal", lambda: {(): self.store.head})
        metrics.reading("clawatch_journal_tail", "Oldest entry still kept", lambda: {(): self.store.tail})
        metrics.reading("clawatch_rules_lag", "Entries the rules have yet to read",
                        lambda: {(): report().rules_behind})
        metrics.reading("clawatch_outbox_size", "Notifications that wait to be delivered", self._outbox_size)
        metrics.reading("clawatch_outbox_age_seconds", "How long the oldest of them has waited", self._outbox_age)

    async def _outbox_size(self) -> Reading:
        return {(): await self.store.outbox_size()}

    async def _outbox_age(self) -> Reading:
        oldest = await self.store.outbox_oldest()
        return {(): 0.0 if oldest is None else max(0, self.clock.now().wall - oldest) / SECOND}

    def _publish_store(self, metrics: Metrics) -> None:
        async def up() -> Reading:
            return {(): float((await self.store.health()).ok)}

        async def size() -> Reading:
            return {(): (await self.store.health()).size_bytes}

        async def commits() -> Reading:
            return {(): (await self.store.health()).commits}

        async def seconds() -> Reading:
            return {(): (await self.store.health()).commit_seconds}

        metrics.reading("clawatch_store_up", "Whether the store can be written", up)
        metrics.reading("clawatch_store_size_bytes", "The database and its write-ahead log", size)
        metrics.reading("clawatch_store_commits", "Transactions", commits, kind="counter")
        metrics.reading("clawatch_store_commit_seconds", "What they took together", seconds, kind="counter")

    def _publish_fleet(self, metrics: Metrics) -> None:
        def agents() -> Reading:
            return _labelled(Counter(agent.status for agent in self.fleet), Status)

        def alerts() -> Reading:
            return _labelled(Counter(alert.severity for alert in self.desk.alerts() if alert.is_firing), Severity)

        metrics.reading("clawatch_agents", "Agents there are", agents, ("status",))
        metrics.reading("clawatch_alerts_firing", "Alerts that fire", alerts, ("severity",))

    def _publish_parts(self, metrics: Metrics) -> None:
        plugins: Reading = {(report.name, str(report.state)): 1.0 for report in self.loaded.registry.reports}

        def parts() -> Reading:
            return {(part.section, part.name, part.state): 1.0 for part in self.system.report().parts
                    if part.section != "plugins"}

        def degraded() -> Reading:
            return {(): float(self.system.report().status != "ok")}

        started = self.system.started_at / SECOND
        metrics.reading("clawatch_build_info", "Which version runs", lambda: {(__version__,): 1.0}, ("version",))
        metrics.reading("clawatch_start_time_seconds", "When it began to work", lambda: {(): started})
        metrics.reading("clawatch_degraded", "Whether something is wrong with the daemon", degraded)
        metrics.reading("clawatch_loops_late", "Loops that do not get on", lambda: {(): len(self.pulse.late())})
        metrics.reading("clawatch_plugin_state", "1 for the state a plugin is in", lambda: plugins, ("plugin", "state"))
        metrics.reading("clawatch_part_state", "1 for the state a part is in", parts, ("section", "name", "state"))

    def _publish_web(self, metrics: Metrics) -> None:
        web, guesses = self.web, self.access.guesses
        for name, said in _AS_OF_NOW.items():
            metrics.reading(f"clawatch_http_{name}", said, _Field(web, name))
        metrics.reading("clawatch_http_connections", "Connections taken", _Field(web, "accepted"), kind="counter")
        metrics.reading(
            "clawatch_http_failed", "Requests that a door failed to answer", _Field(web, "failed"), kind="counter"
        )
        metrics.reading(
            "clawatch_http_turned_away", "Connections and requests that were refused or cut, by reason",
            lambda: {(name,): getattr(web, name) for name in _TURNED_AWAY}, ("reason",), kind="counter",
        )
        metrics.reading(
            "clawatch_logins_refused", "Keys, tokens and login codes that were wrong, or not even looked at",
            lambda: {("wrong",): guesses.wrong, ("too_many",): guesses.refused}, ("reason",), kind="counter",
        )


_AS_OF_NOW = {
    "open": "Connections there are",
    "unfinished": "Of these, the ones still sending a head or a body",
    "resting": "And the ones between two requests",
    "body_bytes": "Held by requests under way",
}
_TURNED_AWAY = (
    "slow_heads", "slow_bodies", "slow_readers", "crowded_out", "malformed", "too_large", "too_busy", "over_rate",
    "misdirected", "rested",
)


@dataclass(frozen=True)
class _Field:
    """One of the web server's numbers."""

    counters: Counters
    name: str

    def __call__(self) -> Reading:
        return {(): getattr(self.counters, self.name)}


def _labelled(counts: Mapping[Any, int], words: Iterable[str]) -> Reading:
    return {(str(word),): counts.get(word, 0) for word in words}
