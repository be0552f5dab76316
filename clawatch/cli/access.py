"""``clawatch keys`` and ``clawatch login``: who gets in. The daemon sees what they write within a second."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from clawatch.access import Access

T = TypeVar("T")

_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of data_dir.")
LOGIN_LIFE_MINUTES = 15


@click.group()
def keys() -> None:
    """Make, list and revoke keys."""


@keys.command("create")
@click.option("--name", required=True, help="Under this name it is listed and revoked.")
@click.option(
    "--scope", "scopes", required=True, multiple=True, help="ingest, read, control or admin; several with commas."
)
@click.option(
    "--agents", default=("*",), multiple=True, help="Patterns of the agent ids it is for; several with commas."
)
@click.option("--user", default="", help="Whose it is; the name when not given.")
@click.option("--expires", metavar="DURATION", help="How long it works: 30d, 12h. For ever when not given.")
@_CONFIG
@_DATA_DIR
def create(
    name: str, scopes: tuple[str, ...], agents: tuple[str, ...], user: str, expires: str | None, config: Path | None,
    data_dir: Path | None,
) -> None:
    """Print a new key, and nothing else. It is not shown again."""
    from clawatch.clock import SystemClock
    from clawatch.domain.access import Scope
    from clawatch.domain.time import parse_duration

    try:
        until = None if expires is None else SystemClock().now().wall + parse_duration(expires)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None
    try:
        rights = [Scope(scope) for scope in _split(scopes)]
    except ValueError:
        raise click.BadParameter(f"write {', '.join(Scope)}, or several with commas", param_hint="--scope") from None
    click.echo(
        _with_access(lambda access: access.create_key(name, rights, _split(agents), user, until), config, data_dir)
    )


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@_CONFIG
@_DATA_DIR
def list_(as_json: bool, config: Path | None, data_dir: Path | None) -> None:
    """Say which keys there are; never the keys themselves."""
    from clawatch.domain.time import iso

    async def read(access: Access) -> list[dict[str, object]]:
        return [
            {
                "name": key.name,
                "scopes": list(key.scopes),
                "agents": list(key.agents),
                "user": key.user or key.name,
                "createdAt": iso(key.created_at) if key.created_at else None,
                "expiresAt": None if key.expires_at is None else iso(key.expires_at),
                "fixed": key.is_fixed,
            }
            for key in access.keys()  # noqa: SIM118 - a method of ours, not a mapping's
        ]

    found = _with_access(read, config, data_dir)
    if as_json:
        click.echo(json.dumps({"keys": found}))
        return
    for key in found:
        scopes, agents = ",".join(map(str, key["scopes"])), ",".join(map(str, key["agents"]))  # type: ignore[call-overload]
        click.echo(f"{key['name']}\t{scopes}\t{agents}\t{key['expiresAt'] or 'no expiry'}")


@keys.command("revoke")
@click.argument("name")
@_CONFIG
@_DATA_DIR
def revoke(name: str, config: Path | None, data_dir: Path | None) -> None:
    """Make a key useless, with the tokens it was given."""
    _with_access(lambda access: access.revoke_key(name), config, data_dir)
    click.echo(f"revoked {name}")


@click.command()
@_CONFIG
@_DATA_DIR
def login(config: Path | None, data_dir: Path | None) -> None:
    """Print a link that logs you in once."""
    from clawatch.domain.time import MINUTE

    click.echo(_with_access(lambda access: access.issue_login(LOGIN_LIFE_MINUTES * MINUTE), config, data_dir))


def _split(words: tuple[str, ...]) -> list[str]:
    return [part for word in words for part in (p.strip() for p in word.split(",")) if part]


def _with_access(
    work: Callable[[Access], Awaitable[T]], config: Path | None, data_dir: Path | None
) -> T:
    from clawatch.config.loading import find_config, load
    from clawatch.config.problems import ConfigError
    from clawatch.ports import ClaWatchError

    options = {} if data_dir is None else {"data_dir": str(data_dir.expanduser().absolute())}
    try:
        loaded = load(find_config(config), options=options)
        return asyncio.run(_opened(loaded.config, work))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except ClaWatchError as error:
        raise click.ClickException(str(error)) from None


async def _opened(config: object, work: Callable[[Access], Awaitable[T]]) -> T:
    from clawatch.app import opened_access

    async with opened_access(config) as access:  # type: ignore[arg-type]
        return await work(access)
