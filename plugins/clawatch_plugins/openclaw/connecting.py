"""What connects OpenClaw: nothing of its own has to change, and ClaWatch never writes into its files."""

from __future__ import annotations

from clawatch.ports import Connection, Plan, Target


def plan(target: Target) -> Plan:
    """Its files and gateway are read where they are; from elsewhere its OpenTelemetry plugin reports."""
    return Plan(
        config="sources:\n  openclaw: {}   # its sessions, audit ledger and gateway, on this machine as this user\n",
        notes=(
            "OpenClaw needs no settings here. Reload ClaWatch, or restart it.",
            "Where ClaWatch runs on another machine, let OpenClaw report by itself, but not both:",
            "  openclaw plugins install clawhub:@openclaw/diagnostics-otel",
            "  openclaw plugins enable diagnostics-otel",
            "and below diagnostics in ~/.openclaw/openclaw.json:",
            f'  enabled: true, otel: {{ enabled: true, endpoint: "{target.url}", protocol: "http/protobuf",',
            f'    headers: {{ "X-ClaWatch-Key": "{target.key}" }},',
            "    traces: true, metrics: true, logs: true, sampleRate: 1.0, captureContent: false }",
            "Do not set plugins.allow for it: that list switches every other plugin off.",
        ),
    )


CONNECTION = Connection("openclaw", "OpenClaw", plan)
