"""``clawatch demo``: a daemon of its own, and simulated agents that get into every kind of trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawatch.hookspecs import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def register_commands() -> list[click.Command]:
    from clawatch_plugins.demo.command import demo

    return [demo]
