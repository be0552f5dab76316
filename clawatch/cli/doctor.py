"""``clawatch doctor`` and ``clawatch backup``: for whoever looks after the daemon."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clawatch.doctor import Finding

_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of data_dir.")
_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@_CONFIG
@_DATA_DIR
@click.option("--online", is_flag=True, help="Also call Telegram and the like, without sending anything.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(config: Path | None, data_dir: Path | None, online: bool, as_json: bool) -> None:
    """Look for what is wrong, from the configuration to the running daemon, and say what to do about it.

    Changes nothing. Exit code 1 when something is wrong; warnings alone are 0.
    """
    found = asyncio.run(_gather(config, _options(data_dir), online))
    if as_json:
        click.echo(json.dumps({"ok": not any(one.is_wrong for one in found), "findings": list(map(_as_json, found))}))
    else:
        _print(found)
    sys.exit(any(one.is_wrong for one in found))


def _options(data_dir: Path | None) -> dict[str, Any]:
    return {} if data_dir is None else {"data_dir": str(data_dir.expanduser().absolute())}


async def _gather(config: Path | None, options: dict[str, Any], online: bool) -> list[Finding]:
    from clawatch.doctor import examine

    return [finding async for finding in examine(config, options, online)]


def _as_json(finding: Finding) -> dict[str, str]:
    remark = finding.remark
    return {"section": finding.section, "level": str(remark.level), "text": remark.text, "remedy": remark.remedy}


def _print(found: list[Finding]) -> None:
    for section in dict.fromkeys(one.section for one in found):
        click.secho(section, bold=True)
        for one in found:
            if one.section == section:
                _print_remark(str(one.remark.level), one.remark.text, one.remark.remedy)
    errors = sum(one.is_wrong for one in found)
    warnings = sum(one.remark.level == "warning" for one in found)
    click.echo(f"{_count(errors, 'thing is wrong', 'things are wrong')}, {_count(warnings, 'warning', 'warnings')}")


def _print_remark(level: str, text: str, remedy: str) -> None:
    """Names of files and what other machines say are not ours; the terminal shall not obey them."""
    from clawatch.log import neutral

    click.echo(f"  {click.style(level.ljust(7), fg=_COLOURS[level])}  {neutral(text)}")
    if remedy:
        click.echo(f"           → {neutral(remedy)}")


def _count(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number == 1 else many}"


@click.command()
@click.argument("dest", type=click.Path(path_type=Path))
@_CONFIG
@_DATA_DIR
def backup(dest: Path, config: Path | None, data_dir: Path | None) -> None:
    """Copy the database to the file DEST (or into the directory DEST) while the daemon goes on.

    The copy is whole and of one instant. To restore it, put it in the database's place while no daemon runs.
    """
    from clawatch.config.loading import find_config, load
    from clawatch.config.problems import ConfigError
    from clawatch.ports import ClaWatchError

    try:
        loaded = load(find_config(config), options=_options(data_dir))
        dest = dest.expanduser().absolute()
        target = dest / _file_name() if dest.is_dir() else dest
        asyncio.run(_back_up(loaded.config, target))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except ClaWatchError as error:
        raise click.ClickException(str(error)) from None
    click.echo(target)


async def _back_up(config: Any, target: Path) -> None:
    from clawatch.app import opened
    from clawatch.doctor.daemon import is_new
    from clawatch.ports import ClaWatchError

    if is_new(config.data_dir):
        raise ClaWatchError(f"there is nothing in {config.data_dir} to back up; name the right one with --data-dir")
    async with opened(config) as (store, _):
        await store.backup(target)


def _file_name() -> str:
    from datetime import UTC, datetime

    return f"clawatch-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
