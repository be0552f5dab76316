"""Claude Code: the vocabulary of its telemetry, its hooks and the brake that they are, and its transcripts."""

from __future__ import annotations

from typing import Any

from clawatch.apis.routes import Api
from clawatch.hookspecs import Job, Vocabulary, hookimpl
from clawatch.ports import Connection, Contribution, Controller
from clawatch_plugins.claude_code.ageing import EVERY, stop_idle_sessions
from clawatch_plugins.claude_code.connecting import CONNECTION
from clawatch_plugins.claude_code.controller import ControllerSettings, open_controller
from clawatch_plugins.claude_code.door import HooksSettings, open_hooks
from clawatch_plugins.claude_code.source import TranscriptsSettings, open_transcripts
from clawatch_plugins.claude_code.vocabulary import ClaudeCode


@hookimpl
def register_vocabularies() -> list[Vocabulary]:
    return [ClaudeCode()]


@hookimpl
def register_sources() -> list[Contribution[Any]]:
    return [Contribution("claude_code", TranscriptsSettings, open_transcripts)]


@hookimpl
def register_apis() -> list[Contribution[Api]]:
    return [Contribution("claude_code", HooksSettings, open_hooks)]


@hookimpl
def register_controllers() -> list[Contribution[Controller]]:
    return [Contribution("claude_code", ControllerSettings, open_controller)]


@hookimpl
def register_jobs() -> list[Job]:
    return [Job("claude_code.stop_idle_sessions", stop_idle_sessions, period=EVERY)]


@hookimpl
def register_connections() -> list[Connection]:
    return [CONNECTION]
