"""The answers to /status, /agents and /costs, in Telegram's HTML and under its limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clawatch.domain.agents import Agent, Status
from clawatch.domain.alerts import SEVERITY_RANK, Alert
from clawatch.domain.money import Nanos, say_usd
from clawatch.domain.time import Millis, say_duration
from clawatch.ports import Costs, SystemReport
from clawatch_plugins.telegram.escaping import code, escape, prose, units
from clawatch_plugins.telegram.text import ICONS, LIMIT

_NAME, _MESSAGE = 80, 200
_MOST = 30
_ROOM = LIMIT - 200
_STATUS_ICONS = {
    Status.STUCK: "🔴",
    Status.ERROR: "🟠",
    Status.RUNNING: "🟢",
    Status.IDLE: "⚪",
    Status.PENDING: "⚪",
    Status.PAUSED: "⏸",
    Status.STOPPED: "⏹",
}
"""In the order in which they need attention."""
_URGENCY = {status: rank for rank, status in enumerate(_STATUS_ICONS)}


def status(system: SystemReport, agents: Sequence[Agent], firing: Sequence[Alert], now: Millis) -> str:
    counts = Counter(agent.status for agent in agents)
    lines = [f"<b>ClaWatch</b> {escape(system.version, 40)}: {escape(system.status, 40)}"]
    lines += [f"{icon} {counts[state]} {state}" for state, icon in _STATUS_ICONS.items() if counts[state]]
    if not agents:
        lines.append("No agent has reported yet.")
    if system.outbox:
        lines.append(f"✉️ {system.outbox} messages wait to be delivered")
    lines += ["", f"<b>Firing:</b> {len(firing) or 'nothing'}"]
    worst_first = sorted(firing, key=lambda alert: -SEVERITY_RANK[alert.severity])
    return _bounded(lines, (_alert(alert, now) for alert in worst_first), len(firing))


def _alert(alert: Alert, now: Millis) -> str:
    since = say_duration(now - (alert.fired_at or alert.started_at))
    mark = " 👤" if alert.acknowledged else ""
    return f"{ICONS[alert.severity]}{mark} {code(alert.agent_id, _NAME)} {prose(alert.message, _MESSAGE)} ({since})"


def agents(agents: Sequence[Agent], now: Millis) -> str:
    if not agents:
        return "No agent has reported yet."
    ordered = sorted(agents, key=lambda agent: (_URGENCY[agent.status], -agent.last_seen))
    return _bounded([f"<b>Agents:</b> {len(agents)}"], (_agent(agent, now) for agent in ordered), len(agents))


def _agent(agent: Agent, now: Millis) -> str:
    seen = f"{say_duration(now - agent.last_seen)} ago" if agent.last_seen else "never seen"
    return f"{_STATUS_ICONS[agent.status]} {code(agent.name, _NAME)} {agent.status}, {seen}, {say_usd(agent.cost)}"


def costs(day: Costs, agents: Sequence[Agent]) -> str:
    """The last 24 hours by agent, and what was ever spent."""
    spent: Counter[str] = Counter()
    for line in day.lines:
        spent[line.agent_id] += line.cost
    lines = [
        f"<b>Last 24 h:</b> {say_usd(spent.total())}",
        f"<b>All time:</b> {say_usd(sum(agent.cost for agent in agents))}",
    ]
    unpriced = sum(agent.unpriced_tokens for agent in agents)
    if unpriced:
        lines.append(f"Beside that {unpriced:,} tokens of models with unknown prices.")
    names = {agent.id: agent.name for agent in agents}
    ranked = [(names.get(agent_id, agent_id), cost) for agent_id, cost in spent.most_common() if cost]
    return _bounded([*lines, ""], (_cost(name, cost) for name, cost in ranked), len(ranked))


def _cost(name: str, cost: Nanos) -> str:
    return f"{say_usd(cost)} {code(name, _NAME)}"


def _bounded(lines: list[str], more: Iterable[str], total: int) -> str:
    """The lines, and as many more as have room."""
    used = sum(units(line) + 1 for line in lines)
    shown = 0
    for line in more:
        used += units(line) + 1
        if used > _ROOM or shown == _MOST:
            break
        lines.append(line)
        shown += 1
    if shown < total:
        lines.append(f"… and {total - shown} more")
    return "\n".join(lines).rstrip()
