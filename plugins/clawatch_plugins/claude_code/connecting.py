"""What connects Claude Code: its telemetry, and the hooks that are its brake, in one file."""

from __future__ import annotations

from clawatch.ports import Connection, Merge, Plan, Target, folder_of
from clawatch_plugins.claude_code.door import PATH

HEADER = "X-ClaWatch-Key"
"""Rather than Authorization: in OpenTelemetry's variable a space would have to be written, and is not read back."""
TIMEOUT = 5
"""Seconds; while ClaWatch does not answer, each hook holds Claude Code up for so long."""
_OF_TOOLS = ("PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "PermissionDenied")
HOOKS = (
    "UserPromptSubmit", *_OF_TOOLS, "Notification", "Elicitation", "ElicitationResult", "Stop", "StopFailure",
    "SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "SessionEnd",
)  # fmt: skip
"""SessionStart and Setup take commands only; WorktreeCreate has to be answered with a folder."""


def plan(target: Target) -> Plan:
    """Cumulative metrics are sent again while nothing changes, and so tell that the process is alive."""
    settings = {
        "env": {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": target.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"{HEADER}={target.key}",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "cumulative",
        },
        "hooks": {name: [_hook(name, target)] for name in HOOKS},
    }
    return Plan(
        merges=(Merge(path=folder_of(target, "CLAUDE_CONFIG_DIR", ".claude") / "settings.json", format="json",
                      settings=settings),),
        config="sources:\n  claude_code: {}   # its transcripts: the past, and what telemetry does not reach\n",
        notes=("Sessions that run already are connected when they are started again.",),
    )  # fmt: skip


def _hook(name: str, target: Target) -> dict[str, object]:
    call = {"type": "http", "url": target.url + PATH, "timeout": TIMEOUT, "headers": {HEADER: target.key}}
    return {**({"matcher": ""} if name in _OF_TOOLS else {}), "hooks": [call]}


CONNECTION = Connection("claude-code", "Claude Code", plan)
