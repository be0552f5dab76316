"""What a replay looks like: a screen that is kept up to date, or lines where there is no terminal."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from clawatch.domain.words import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SHOWN_AGENTS, _SHOWN_NEWS, _SHOWN_PAST = 15, 10, 40
_BARS = "▁▂▃▄▅▆▇█"
_UNQUIET = ("stuck", "error", "paused", "stopped", "running")
"""Which agents are shown first."""
_STYLES = {"stuck": "bold red", "error": "red", "paused": "yellow", "running": "green"}


class Screen(Protocol):
    def take(self, frame: dict[str, Any]) -> None:
        """Show what a frame of a replay tells."""
        ...


@contextmanager
def screen() -> Iterator[Screen]:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        yield Lines(console)
        return
    picture = Picture()
    with Live(get_renderable=picture.drawn, console=console, refresh_per_second=8, transient=False):
        yield picture


class Lines:
    """A line for each event and action, and for each tick at which a metric has changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._metrics: dict[str, Any] = {}

    def take(self, frame: dict[str, Any]) -> None:
        line = line_of(frame)
        if frame["type"] == "replay_tick":
            metrics = frame["data"]["metrics"]
            line = "" if metrics == self._metrics else f"{when(frame)}  {_metrics(metrics)}"
            self._metrics = metrics
        if line:
            self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


class Picture:
    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._tick: dict[str, Any] = {}
        self._past: dict[str, deque[float]] = {}
        self._agents: dict[str, str] = {}
        self._news: deque[tuple[str, str]] = deque(maxlen=_SHOWN_NEWS)

    def take(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        match frame["type"]:
            case "replay_started":
                self._about = {**data, "node": frame["node"]}
            case "replay_tick":
                self._tick = frame
                for name, value in data["metrics"].items():
                    self._past.setdefault(name, deque(maxlen=_SHOWN_PAST)).append(value or 0)
            case "replay_step" if "status" in data["state"]:
                self._agents[data["agentId"]] = str(data["state"]["status"])
        line = line_of(frame)
        if line:
            self._news.append((line, str(data.get("impact_score") or "")))

    def drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if not self._tick:
            return Text("waiting for the first tick …")
        tick, last = self._tick["tick"], self._about.get("to", 0)
        head = f"{when(self._tick)}   tick {tick} of {last}   {self._about.get('speed', 1):g} times as fast"
        title = one_line(f"{self._about.get('runId', '')}  {self._about.get('node', '')}", 100)
        news = [Text(line, style="yellow" if weight else "") for line, weight in self._news]
        return Group(Text(title, style="dim"), Text(head, style="bold"), self._figures(), self._people(), *news)

    def _figures(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, value in self._tick["data"]["metrics"].items():
            table.add_row(Text(one_line(name, 30)), Text(_figure(value), style="bold"), Text(_bars(self._past[name])))
        return table

    def _people(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        order = {status: place for place, status in enumerate(_UNQUIET)}
        agents = sorted(self._agents.items(), key=lambda one: (order.get(one[1], len(order)), one[0]))
        table = Table.grid(padding=(0, 2))
        for agent_id, status in agents[:_SHOWN_AGENTS]:
            table.add_row(Text(one_line(agent_id, 60)), Text(one_line(status, 20), style=_STYLES.get(status, "")))
        rest = Counter(status for _, status in agents[_SHOWN_AGENTS:])
        if rest:
            more = ", ".join(f"{count} {one_line(status, 20)}" for status, count in rest.most_common(5))
            table.add_row(Text(f"and {more}", style="dim"))
        return table


def line_of(frame: dict[str, Any]) -> str:
    """What a frame says in one line; empty for one that says nothing by itself."""
    data = frame["data"]
    match frame["type"]:
        case "replay_event":
            about = data.get("variable_changes") or {}
            who = f"{about['agent_id']}: " if about.get("agent_id") else ""
            words = f"{data['type']} {data.get('source') or ''}  {who}{data.get('description') or ''}"
            return f"{when(frame)}  {one_line(words, 140)}"
        case "replay_step" if data.get("action"):
            return f"{when(frame)}  {one_line(data['agentId'] + ': ' + data['action'], 140)}"
    return ""


def when(frame: dict[str, Any]) -> str:
    """The minute that a frame is of, UTC; its tick where that is not known."""
    at = frame["timestamp"]
    return f"tick {frame['tick']}" if at is None else str(at)[:16].replace("T", " ")


def _metrics(metrics: dict[str, Any]) -> str:
    return one_line(", ".join(f"{name} {_figure(value)}" for name, value in metrics.items()), 200)


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def _bars(values: deque[float]) -> str:
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in values)
