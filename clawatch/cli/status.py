"""``clawatch status``: how the fleet is, from a terminal."""

from __future__ import annotations

import json
import os
from typing import Any

import click

_MAX_ANSWER = 128 * 1024 * 1024
"""Bytes: of as many agents as there may be."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--url", metavar="URL", help="The daemon; default $CLAWATCH_URL, else http://127.0.0.1:8787.")
def status(as_json: bool, url: str | None) -> None:
    """Say how every agent is. Needs a key with the scope read in $CLAWATCH_KEY."""
    agents = _get("/api/agents", url)["agents"]
    alerts = _get("/api/alerts?state=firing", url)["alerts"]
    if as_json:
        click.echo(json.dumps({"agents": agents, "alerts": alerts}))
        return
    _show(agents, alerts)


def _show(agents: list[dict[str, Any]], alerts: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from clawatch.clock import SystemClock
    from clawatch.domain.money import nanos, say_usd
    from clawatch.domain.time import parse_iso, say_duration

    now = SystemClock().now().wall
    table = Table("agent", "status", "last sign of life", "cost", "tokens", "errors")
    for agent in agents:
        # Text, not markup: what agents call themselves is not ours to interpret.
        table.add_row(
            Text(_plain(agent["name"])),
            Text(agent["status"]),
            f"{say_duration(now - parse_iso(agent['lastHeartbeat']))} ago",
            say_usd(nanos(agent["costUsd"])),
            f"{agent['tokenCount']:,}",
            str(agent["errorCount"]),
        )
    console = Console()
    console.print(table if agents else "No agents yet.")
    for alert in alerts:
        console.print(Text(f"{alert['severity']}: {_plain(alert['agentId'])}: {_plain(alert['message'])}"))


def _plain(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _get(path: str, url: str | None) -> Any:
    from clawatch.client.transport import DEFAULT_URL, Transport, Unreachable

    address = (url or os.environ.get("CLAWATCH_URL") or DEFAULT_URL).rstrip("/")
    try:
        transport = Transport(address, os.environ.get("CLAWATCH_KEY"), timeout=10.0, longest=_MAX_ANSWER)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        answer = transport.get(path)
    except Unreachable as error:
        raise click.ClickException(f"{address} does not answer: {error}") from None
    finally:
        transport.close()
    if not answer.is_success:
        hint = " (is $CLAWATCH_KEY set and right?)" if answer.status == 401 else ""
        raise click.ClickException(answer.said + hint)
    if not answer.body:
        raise click.ClickException(f"what answers at {address} is not ClaWatch")
    return answer.body
