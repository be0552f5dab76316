"""What connects Gemini CLI."""

from __future__ import annotations

from clawatch.ports import Connection, Merge, Plan, Target


def plan(target: Target) -> Plan:
    """Its settings know no headers, so the key goes into the file of variables that it reads at its start."""
    telemetry = {
        "enabled": True, "target": "local", "otlpEndpoint": target.url, "otlpProtocol": "http", "logPrompts": False,
    }  # fmt: skip
    folder = target.home / ".gemini"
    return Plan(
        merges=(
            Merge(path=folder / "settings.json", format="json", settings={"telemetry": telemetry}),
            Merge(
                path=folder / ".env", format="env",
                settings={"OTEL_EXPORTER_OTLP_HEADERS": f"X-ClaWatch-Key={target.key}"},
            ),
        ),
        config="sources:\n  gemini: {}   # its session files: the past, and sessions without telemetry\n",
        notes=(
            "Where a project has a .env of its own, Gemini CLI reads that instead: set the variable there too.",
            "Gemini CLI cannot be paused from outside; `clawatch wrap -- gemini …` can be.",
        ),
    )  # fmt: skip


CONNECTION = Connection("gemini", "Gemini CLI", plan)
