"""``clawatch wrap`` and ``clawatch send``: the command line's way to be, or to speak for, an agent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clawatch.client.transport import Answer

_URL_HELP = "The daemon; default $CLAWATCH_URL, else http://127.0.0.1:8787."


@click.command(context_settings={"allow_interspersed_args": False}, options_metavar="--agent A [OPTIONS] --")
@click.option("--agent", required=True, metavar="A", help="Id of the agent that the command is.")
@click.option("--name", metavar="NAME", help="What people see; the id when not given.")
@click.option("--url", metavar="URL", help=_URL_HELP)
@click.option("--no-stuck", is_flag=True, help="For commands that sleep on purpose: standing still is no alert.")
@click.option("--no-cgroup", is_flag=True, help="Never use a cgroup of our own to freeze it.")
@click.option(
    "--grace", type=click.FloatRange(min=0), default=10.0, show_default=True, metavar="SECONDS",
    help="Between SIGTERM and SIGKILL when it is told to stop.",
)
@click.option("--wait-all", is_flag=True, help="Stay until everything it started has ended, not only itself.")
@click.option("--quiet", "-q", is_flag=True, help="No warnings of ours on standard error.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
def wrap(
    command: tuple[str, ...], agent: str, name: str | None, url: str | None, no_stuck: bool, no_cgroup: bool,
    grace: float, wait_all: bool, quiet: bool,
) -> None:
    """Run CMD as an agent that ClaWatch watches and can pause, resume and stop, with everything it starts.

    CMD keeps its terminal, input and output; the exit code is its own (128 + n for signal n). It runs also when
    the daemon does not answer. $CLAWATCH_KEY is used to report and is not passed to CMD.
    """
    from clawatch.wrap.run import Options, run

    _check_agent(agent)
    options = Options(
        agent=agent, name=name, url=url, grace=grace, is_watched=not no_stuck, uses_cgroup=not no_cgroup,
        waits_for_all=wait_all, is_quiet=quiet,
    )
    sys.exit(run(command, options))


@click.command()
@click.option("--agent", required=True, metavar="A", help="Id of the agent it comes from.")
@click.option("--type", "type_", default="heartbeat", show_default=True, metavar="T", help="The event's type.")
@click.option("--data", metavar="JSON", help="The event's data: a JSON object, or - to read one from standard input.")
@click.option("--name", metavar="NAME", help="The agent's name.")
@click.option("--session", metavar="S", help="The session it belongs to.")
@click.option("--id", "id_", metavar="ID", help="The event's id; the same id twice is one event.")
@click.option("--url", metavar="URL", help=_URL_HELP)
def send(
    agent: str, type_: str, data: str | None, name: str | None, session: str | None, id_: str | None, url: str | None
) -> None:
    """Send one event. Exit code 0 when it is stored, 1 with the reason when it is not."""
    event = {"agentId": agent, "agentName": name, "type": type_, "sessionId": session, "id": id_, "data": _data(data)}
    answer = _post({key: value for key, value in event.items() if value is not None}, url)
    if not answer.is_success:
        raise click.ClickException(f"not accepted: {_reason(answer)}")
    click.echo("already known" if answer.body.get("duplicates") else "accepted")


def _check_agent(agent: str) -> None:
    from clawatch.domain.access import check_agent_id

    try:
        check_agent_id(agent)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--agent") from None


def _data(text: str | None) -> dict[str, Any]:
    import json

    if text is None:
        return {}
    try:
        data = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"--data is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise click.ClickException("--data must be a JSON object, like '{\"error\": \"it failed\"}'")
    return data


def _post(event: dict[str, Any], url: str | None) -> Answer:
    import os
    import socket

    from clawatch.client.events import encode, timestamp
    from clawatch.client.transport import DEFAULT_URL, Transport, Unreachable

    address = url or os.environ.get("CLAWATCH_URL") or DEFAULT_URL
    body = encode({"host": socket.gethostname(), "timestamp": timestamp(), **event})
    try:
        transport = Transport(address.rstrip("/"), os.environ.get("CLAWATCH_KEY"), timeout=10.0)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        return transport.post("/api/events", body)
    except Unreachable as error:
        raise click.ClickException(f"{address} does not answer: {error}") from None
    finally:
        transport.close()


def _reason(answer: Answer) -> str:
    rejected = answer.body.get("rejected")
    if isinstance(rejected, list) and rejected and isinstance(rejected[0], dict):
        return f"{answer.status} {rejected[0].get('error', '')}".strip()
    hint = " (is $CLAWATCH_KEY set and right?)" if answer.status == 401 else ""
    return answer.said + hint
