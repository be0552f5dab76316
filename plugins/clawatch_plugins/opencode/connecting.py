"""What connects opencode."""

from __future__ import annotations

from clawatch.ports import Connection, Merge, Plan, Target


def plan(target: Target) -> Plan:
    """Its address and key are variables of its process, which no file of its own can set."""
    path = target.home / ".config" / "opencode" / "opencode.json"
    return Plan(
        merges=(Merge(path=path, format="json", settings={"experimental": {"openTelemetry": True}}),),
        notes=(
            "Set these where opencode is started:",
            f"  export OTEL_EXPORTER_OTLP_ENDPOINT={target.url}",
            f"  export OTEL_EXPORTER_OTLP_HEADERS=X-ClaWatch-Key={target.key}",
            "opencode tells its model calls by spans, and may leave out the last ones when it exits.",
            "opencode cannot be paused from outside; `clawatch wrap -- opencode …` can be.",
        ),
    )


CONNECTION = Connection("opencode", "opencode", plan)
