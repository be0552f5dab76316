"""Health: whether we live, are ready, and how each part is. Open to everybody, so states only, no details."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from clawatch import __version__
from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal
from clawatch.domain.time import SECOND, iso
from clawatch.ports import Clock, QueriesPort, SystemReport
from clawatch.pulse import Pulse

DEGRADED = "degraded"


class Health:
    def __init__(self, queries: QueriesPort, clock: Clock, pulse: Pulse | None = None) -> None:
        self._pulse = pulse or Pulse()
        self._queries = queries
        self._clock = clock
        self._started = clock.now().mono

    def api(self) -> Api:
        routes = (
            Route("GET", "/health", self.health, None, "How ClaWatch and its parts are.", gives=dict[str, Any]),
            Route("GET", "/livez", self.live, None, "200 while all loops get on, else 503.", gives=dict[str, Any]),
            *(
                Route("GET", path, self.ready, None, "200 when events can be stored, else 503.", gives=dict[str, str])
                for path in ("/readyz", "/health/ready")  # the second is what AgentVerse's load tests ask
            ),
        )
        return Api(routes, clawatch_envelope, ("/health", "/livez", "/readyz"))

    async def health(self, request: web.Request, principal: Principal) -> web.Response:
        """200 also when degraded: the daemon watches on, and says what is wrong in ``services``."""
        now = self._clock.now()
        report = await self._report()
        return reply({
            "status": DEGRADED if report is None or not report.store.ok else report.status,
            "timestamp": iso(now.wall),
            "version": __version__,
            "uptime": (now.mono - self._started) / SECOND,
            "services": _services(report),
        })

    async def live(self, request: web.Request, principal: Principal) -> web.Response:
        late = self._pulse.late()
        return reply({"status": "stalled", "late": late}, 503) if late else reply({"status": "ok"})

    async def ready(self, request: web.Request, principal: Principal) -> web.Response:
        """Asked only once everything is up: the web server comes last, and goes first."""
        report = await self._report()
        is_ready = report is not None and report.store.ok and not self._pulse.late()
        return reply({"status": "ok" if is_ready else "unavailable"}, 200 if is_ready else 503)

    async def _report(self) -> SystemReport | None:
        """None when it cannot be had; whoever asks for health must get an answer."""
        try:
            return await self._queries.system()
        except Exception:
            return None


def _services(report: SystemReport | None) -> dict[str, str]:
    if report is None:
        return {"store": "unavailable"}
    parts = {f"{part.section}.{part.name}": part.state for part in report.parts}
    return {"store": "ok" if report.store.ok else "unavailable", **parts}
