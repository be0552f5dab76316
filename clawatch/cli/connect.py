"""``clawatch connect``: the settings that make an agent report here; written into its files only when asked."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from clawatch.ports.connecting import Connection, Merge, Plan, Target

PLACEHOLDER = "YOUR_INGEST_KEY"
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of data_dir.")


@click.command()
@click.argument("name", required=False)
@click.option("--url", help="Where the daemon listens. Else $CLAWATCH_URL, else it is looked up.")
@click.option("--key", help="A key with the scope ingest. Else the one that is there, else one is made.")
@click.option("--write", is_flag=True, help="Write the settings, keeping what is there, with a backup.")
@click.option("--replace", "replaces", is_flag=True, help="With --write: also where something else is set now.")
@_CONFIG
@_DATA_DIR
def connect(
    name: str | None, url: str | None, key: str | None, write: bool, replaces: bool, config: Path | None,
    data_dir: Path | None,
) -> None:
    """Show what connects an agent, or with --write do it. Without NAME: which agents there are."""
    connections = _connections(config)
    if name is None:
        for one in connections.values():
            click.echo(f"{one.name}\t{one.title}")
        return
    connection = connections.get(name)
    if connection is None:
        known = ", ".join(connections)
        raise click.BadParameter(f"is none that can be connected; there are: {known}", param_hint="NAME")
    plan, is_placeholder = _planned(connection, url or os.environ.get("CLAWATCH_URL"), key, config, data_dir)
    if write:
        if is_placeholder:
            raise click.ClickException("there is no key to write, and none can be made here; give one with --key")
        sys.exit(_write(connection, plan[0], plan[1], replaces))
    _show(connection, plan[0], plan[1], is_placeholder)


def _connections(config: Path | None) -> Mapping[str, Connection]:
    from clawatch.config import ConfigError, find_config, load_plugins

    try:
        registry = load_plugins(find_config(config))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    return {name: provided.part for name, provided in registry.connections.items()}


def _planned(
    connection: Connection, url: str | None, key: str | None, config: Path | None, data_dir: Path | None
) -> tuple[tuple[Target, Plan], bool]:
    """The target and the plan, and whether its key is a mere placeholder."""
    from clawatch.connections.keys import look_up
    from clawatch.ports import ClaWatchError
    from clawatch.ports.connecting import Target

    home, environ = Path.home(), dict(os.environ)
    if url is None or key is None:
        draft = Target(url=url or "http://127.0.0.1:8787", key=PLACEHOLDER, home=home, environ=environ)
        try:
            found = asyncio.run(look_up(connection, draft, config, data_dir, needs_key=key is None))
        except ClaWatchError as error:
            click.echo(f"{error}", err=True)
            found = (draft.url, PLACEHOLDER)
        url, key = url or found[0], key or found[1]
    target = Target(url=url.rstrip("/"), key=key, home=home, environ=environ)
    return (target, connection.plan(target)), key == PLACEHOLDER


def _show(connection: Connection, target: Target, plan: Plan, is_placeholder: bool) -> None:
    from clawatch.connections.files import shown

    for merge in plan.merges:
        click.echo(f"# {connection.title} reports to {target.url} with this in {merge.path}:\n\n{shown(merge)}\n")
    _show_rest(plan)
    if is_placeholder:
        click.echo(f"# {PLACEHOLDER} is what `clawatch keys create --name {connection.name} --scope ingest` prints.")
    if plan.merges:
        click.echo(f"# `clawatch connect {connection.name} --write` adds it, keeping what is there.")


def _show_rest(plan: Plan) -> None:
    if plan.config:
        click.echo(f"# In ClaWatch's own configuration:\n\n{plan.config.rstrip()}\n")
    for note in plan.notes:
        click.echo(f"# {note}")


def _write(connection: Connection, target: Target, plan: Plan, replaces: bool) -> int:
    """How the command ends: 1 where something is left to do by hand."""
    from clawatch.connections.files import UnreadableError

    stamp = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    left = 0
    for merge in plan.merges:
        try:
            left += not _write_one(merge, target, replaces, stamp)
        except UnreadableError as error:
            click.echo(f"error: {error}", err=True)
            left += 1
    if not plan.merges:
        click.echo(f"{connection.title} needs nothing written into its own files.")
    _show_rest(plan)
    return 1 if left else 0


def _write_one(merge: Merge, target: Target, replaces: bool, stamp: str) -> bool:
    """Whether everything wanted stands there now. A part alone is not written: a key could go to another's address."""
    from clawatch.connections.files import merged_text, replace, text_of
    from clawatch.connections.merging import is_ours

    before = text_of(merge.path)
    after, merged = merged_text(before, merge, is_ours(target.url), replaces)
    if merged.kept:
        for path in merged.kept:
            click.echo(f"{merge.path} sets {path} to something else; with --replace it is set", err=True)
        click.echo(f"{merge.path} is left as it is", err=True)
    elif merged.changed:
        backup = replace(merge.path, before, after, stamp)
        click.echo(f"wrote {merge.path}" + (f"; what was there is in {backup}" if backup else ""))
        if merge.path.stat().st_mode & 0o077:
            click.echo(f"others may read it, and it holds a key now: chmod 600 {merge.path}", err=True)
    else:
        click.echo(f"{merge.path} has it all already")
    return not merged.kept
