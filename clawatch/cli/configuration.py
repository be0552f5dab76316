"""``clawatch check-config`` and ``clawatch plugins``: what the configuration says, without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clawatch.config import Loaded
    from clawatch.plugins import PluginReport

_HEADINGS = ("name", "origin", "version", "hooks", "state")


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check_config(file: Path | None) -> None:
    """Tell every mistake in the configuration, with its line. Exit code 2 when there is one."""
    from clawatch.config import ConfigError, find_config, load

    try:
        loaded = load(find_config(file))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(_printable(str(problem)))
        sys.exit(2)
    for report in loaded.registry.reports:
        if not report.is_well:
            click.echo(_printable(f"note: plugin {report.name} ({report.origin}): {report.state}: {report.detail}"))
    for words in loaded.config.left_out:
        click.echo(_printable(f"note: {words}"))
    click.echo(_printable(_summary(loaded)))


def _summary(loaded: Loaded) -> str:
    config = loaded.config
    told = ", ".join(part.name for part in config.notifiers) or "none, so nobody is told"
    return (
        f"OK: {loaded.path or 'no file, the defaults'}; "
        f"{config.server.host}:{config.server.port}, data in {config.data_dir}; "
        f"rules: {', '.join(part.name for part in config.rules if part.settings.enabled) or 'none'}; notifiers: {told}"
    )


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
def plugins(config: Path | None) -> None:
    """List every plugin with its origin, version, hooks and state."""
    from clawatch.config import ConfigError, find_config, load_plugins

    try:
        reports = load_plugins(find_config(config)).reports
    except ConfigError as error:
        click.echo(_printable(str(error)), err=True)
        sys.exit(2)
    if sys.stdout.isatty():
        _print_table(reports)
    else:
        _print_plain(reports)


def _print_table(reports: Sequence[PluginReport]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for report in reports:
        table.add_row(*map(Text, _cells(report)), style="" if report.is_well else "red")
    Console().print(table)


def _print_plain(reports: Sequence[PluginReport]) -> None:
    rows = [_HEADINGS, *map(_cells, reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cells(report: PluginReport) -> tuple[str, ...]:
    state = f"{report.state}: {report.detail}" if report.detail else str(report.state)
    cells = (report.name, report.origin, report.version, ", ".join(report.hooks), state)
    return tuple(_printable(cell) or "-" for cell in cells)


def _printable(text: str) -> str:
    """Names of files and plugins are not ours; the terminal shall not obey them."""
    from clawatch.log import neutral

    return neutral(text)
