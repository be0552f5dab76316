"""What connects pi."""

from __future__ import annotations

from clawatch.ports import Connection, Plan, Target


def plan(target: Target) -> Plan:
    """It reports nothing by itself: its session files are read."""
    return Plan(
        config="sources:\n  pi: {}\n",
        notes=(
            "pi needs no settings: ClaWatch reads its session files. Then reload ClaWatch, or restart it.",
            "pi cannot be paused from outside; `clawatch wrap -- pi …` can be.",
        ),
    )


CONNECTION = Connection("pi", "pi", plan)
