"""What connects Codex."""

from __future__ import annotations

from clawatch.ports import Connection, Merge, Plan, Target, folder_of


def plan(target: Target) -> Plan:
    """Logs only: they tell everything, and a short turn has hundreds of spans. Codex takes the address as it is."""
    exporter = {"endpoint": f"{target.url}/v1/logs", "protocol": "binary", "headers": {"X-ClaWatch-Key": target.key}}
    path = folder_of(target, "CODEX_HOME", ".codex") / "config.toml"
    return Plan(
        merges=(Merge(path=path, format="toml", settings={"otel": {"exporter": {"otlp-http": exporter}}}),),
        config="sources:\n  codex: {}   # its rollouts: turns as they are, and what fails before Codex reports it\n",
        notes=("Codex cannot be paused from outside; `clawatch wrap -- codex …` can be.",),
    )


CONNECTION = Connection("codex", "Codex CLI", plan)
