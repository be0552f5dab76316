"""Narration: one line for each thing that happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from clawatch.domain.words import one_line

if TYPE_CHECKING:
    from clawatch_plugins.demo.daemon import Place

_COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan", "good": "green"}
_WIDTH = 140


class Narrator:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self.notices: list[str] = []

    def greet(self, place: Place) -> None:
        self._began = time.monotonic()
        click.secho(f"ClaWatch's demo runs at {place.url}", bold=True)
        click.echo(f"  log in once: {place.login}")
        click.echo("  or look with the command line:")
        click.echo(f"    export CLAWATCH_URL={place.url} CLAWATCH_KEY={place.owner_key}")
        click.echo("    clawatch status")
        click.echo()

    def scene(self, text: str) -> None:
        """What the agents and their owner do."""
        self._line("", f"» {text}", "")

    def happening(self, word: str, text: str, colour: str = "") -> None:
        """What ClaWatch makes of it."""
        self._line(word, text, _COLOURS.get(colour, ""))

    def notified(self, body: dict[str, Any]) -> None:
        """A notification has arrived. Alerts are followed live; only notices are told of here."""
        if body.get("type") == "notice":
            agent = (body["data"].get("agent") or {}).get("name", "")
            self.notices.append(body["data"]["text"])
            self.happening("notice", f"{agent}: {body['data']['text']}", "warning")

    def end(self, text: str) -> None:
        click.echo()
        click.secho(one_line(text, _WIDTH), bold=True)

    def _line(self, word: str, text: str, colour: str) -> None:
        passed = time.monotonic() - self._began
        said = one_line(text, _WIDTH)
        click.echo(f"{passed:6.1f} s  {click.style(f'{word:<10}', fg=colour or None)} {said}")
