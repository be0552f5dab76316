"""What ``clawatch doctor`` says of Claude Code's own settings: what is reported from there, and what is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clawatch.domain.remarks import Remark, fine, warning

_CONNECT = "run `clawatch connect claude-code --write`"
_HOOKS_PATH = "/hooks/claude-code"


def settings_file() -> Path:
    """Where Claude Code keeps this user's settings."""
    return Path(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser() / "settings.json"


def examine_settings(file: Path, public_url: str) -> list[Remark]:
    """Nothing where Claude Code has never run. Reads only."""
    if not file.parent.is_dir():
        return []
    try:
        settings = json.loads(file.read_bytes()) if file.exists() else {}
    except (OSError, ValueError, RecursionError) as error:
        return [warning(f"{file} cannot be understood: {error}", "mend it; Claude Code does not read it either")]
    found = settings if isinstance(settings, dict) else {}
    told = found.get("env")
    environment = {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}
    return [Remark(one.level, f"{file}: {one.text}", one.remedy) for one in _remarks(found, environment, public_url)]


def _remarks(settings: Mapping[str, Any], environment: Mapping[str, str], public_url: str) -> Iterator[Remark]:
    hooks = json.dumps(settings.get("hooks"), default=str)
    is_hooked, has_logs = _HOOKS_PATH in hooks, _sends_logs(environment)
    if not is_hooked and not has_logs:
        yield warning("it reports nothing to ClaWatch", _CONNECT)
        return
    if not has_logs:
        yield warning("its logs exporter is off, so that cost is reckoned from transcripts or not known", _CONNECT)
    if not is_hooked:
        yield warning("its hooks do not call ClaWatch, so that it cannot be paused and its turns are guessed", _CONNECT)
        if environment.get("OTEL_LOG_TOOL_DETAILS") != "1":
            yield warning("it tells no details of tools, so that loops are judged by sizes only", _CONNECT)
    if is_hooked and public_url + _HOOKS_PATH not in hooks:
        yield warning(f"its hooks call another address than {public_url}", f"{_CONNECT}, or set server.public_url")
    endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if has_logs and endpoint and not endpoint.startswith(public_url):
        said = f"its telemetry goes to another address than {public_url}"
        yield warning(said, f"{_CONNECT} --replace, if ClaWatch shall have it")
    if is_hooked and has_logs:
        yield fine("logs and hooks are on")


def _sends_logs(environment: Mapping[str, str]) -> bool:
    is_on = environment.get("CLAUDE_CODE_ENABLE_TELEMETRY", "") not in ("", "0", "false")
    return is_on and "otlp" in environment.get("OTEL_LOGS_EXPORTER", "").split(",")
