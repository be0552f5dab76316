"""The door as one value: all routes, and the envelope of their refusals."""

from __future__ import annotations

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.routes import Api
from clawatch.ports import Core
from clawatch_plugins.clawatch.agents import Agents
from clawatch_plugins.clawatch.alerts import Alerts
from clawatch_plugins.clawatch.commands import Commands
from clawatch_plugins.clawatch.costs import Costs
from clawatch_plugins.clawatch.events import Events
from clawatch_plugins.clawatch.keys import Keys
from clawatch_plugins.clawatch.latency import Latency
from clawatch_plugins.clawatch.live import Live
from clawatch_plugins.clawatch.runs import Runs
from clawatch_plugins.clawatch.settings import Settings
from clawatch_plugins.clawatch.shown import ShownAgents
from clawatch_plugins.clawatch.system import System

PATHS = ("/api/", "/ws")


def api_of(core: Core) -> Api:
    shown = ShownAgents(core)
    parts = (
        Agents(core, shown), Events(core), Alerts(core), Commands(core), Costs(core), Latency(core), Runs(core),
        Keys(core), System(core), Settings(core), Live(core, shown),
    )
    return Api(tuple(route for part in parts for route in part.routes()), clawatch_envelope, PATHS)
