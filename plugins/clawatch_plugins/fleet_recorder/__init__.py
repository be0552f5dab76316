"""The fleet's own recordings: each closed hour of what ClaWatch watches, and each day."""

from __future__ import annotations

from clawatch.domain.time import MINUTE
from clawatch.hookspecs import Job, hookimpl


@hookimpl
def register_jobs() -> list[Job]:
    from clawatch_plugins.fleet_recorder.recorder import Recorder

    return [Job("fleet_recorder", Recorder().run, period=MINUTE)]
