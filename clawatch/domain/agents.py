"""Agents: three independent facts (control, activity, liveness), and the status derived from them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from clawatch.domain.events import Activity, Event, EventType, Facts, Origin, Signal, Turn
from clawatch.domain.money import Nanos
from clawatch.domain.time import Millis


class Control(StrEnum):
    """What the owner wants. Only control verbs change it."""

    RUN = "run"
    PAUSED = "paused"
    STOPPED = "stopped"


class Status(StrEnum):
    PENDING = "pending"
    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"
    STUCK = "stuck"


class Agent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    created_at: Millis
    first_seq: int = 0
    """Its enrolment's row in the journal. What came before it belongs to an agent of this id that was removed."""
    host: str = ""
    kind: str = ""
    group: str = ""
    claims_group: bool = False
    """The group is the agent's own word, by a key that is limited to some agents: shown, but no rule heeds it."""
    labels: dict[str, str] = {}
    capabilities: tuple[str, ...] = ()
    owner: str = ""
    """User of the key that first wrote; shown, never a right."""
    control: Control = Control.RUN
    activity: Activity = Activity.PENDING
    is_silent: bool = False
    """Declared stuck, and no sign of life since."""
    turn: Turn = Turn.NONE
    turn_since: Millis = 0
    last_seen: Millis = 0
    """Our time of the newest sign of life; 0 when there was none."""
    last_heartbeat: Millis = 0
    """Newest of min(at, received_at) over live events (CW-64)."""
    last_progress: Millis = 0
    watch_from: Millis = 0
    """Silence is not counted before this: enrolment, resume, start."""
    newest_at: Millis = 0
    progress_at: Millis = 0
    """``at`` of the newest progress; signals are exported at their own paces, so each fact keeps its own order."""
    state_at: Millis = 0
    """``at`` of the newest report that said how the agent stands: a turn, an activity or an error."""
    session_id: str | None = None
    doing: str = ""
    """The tool it runs now, else empty."""
    sources: tuple[str, ...] = ()
    """Doors and sources that have spoken for it."""
    watches_progress: bool = False
    """Its reports are signs of life only; stuck looks at progress."""
    cost: Nanos = 0
    past_cost: Nanos = 0
    """The part of ``cost`` that was read from the past; cost limits leave it out."""
    session_costs: dict[str, Nanos] = {}
    """What its latest sessions have cost since enrolment, the one that spent last at the end; bounded."""
    tokens: int = 0
    error_count: int = 0
    tool_calls: int = 0
    unpriced_tokens: int = 0

    @property
    def ruled_as(self) -> str:
        """The group whose rules hold for it; empty where it only claims one."""
        return "" if self.claims_group else self.group

    @property
    def status(self) -> Status:
        """Derived, the first that holds: stopped, paused, stuck, error, running, idle, pending."""
        if self.control is Control.RUN and not self.is_silent:
            return _STATUS_OF[self.activity]
        if self.control is Control.STOPPED or self.activity is Activity.STOPPED:
            return Status.STOPPED
        if self.control is Control.PAUSED or self.activity is Activity.PAUSED:
            return Status.PAUSED
        if self.is_silent:
            return Status.STUCK
        return _STATUS_OF[self.activity]


_STATUS_OF = {activity: Status(activity) for activity in Activity}
_SET_ASIDE = frozenset({Activity.PAUSED, Activity.STOPPED})
_BEATS = frozenset({EventType.HEARTBEAT, EventType.METRICS})
_WORKS = frozenset({EventType.TOOL_CALL, EventType.COST, EventType.MESSAGE, EventType.RUN})
_MAX_SOURCES = 16
MAX_LABELS = 64
"""An agent's labels are merged from what it says, up to so many; beyond, what it adds is left out."""
_MAX_SESSIONS = 8
_LONGEST_SESSION_ID = 200
MOST_AGENTS = 50_000
"""How many there may be in all: about 2 KB of memory each, with what the rules keep of it."""
EPHEMERAL = frozenset({"claude-code", "codex", "gemini-cli", "opencode", "pi"})
"""Kinds whose agents are sessions: they end for good, and would fill every list."""


def enrol(event: Event, now: Millis, owner: str, seq: int = 0) -> Agent:
    """The agent that a first event, the row ``seq``, makes known."""
    name = event.facts.name if event.facts and event.facts.name else event.agent_id
    return Agent(
        id=event.agent_id,
        name=name,
        created_at=now,
        first_seq=seq,
        owner=owner,
        watch_from=now,
    )


def fold(agent: Agent, event: Event) -> Agent:
    """The agent after an event; totals are the ledger's business, not this function's."""
    changes: dict[str, object] = _facts(agent, event.facts) if event.facts else {}
    if event.source and event.source not in agent.sources:
        changes["sources"] = (*agent.sources, event.source)[-_MAX_SOURCES:]
    if event.origin is Origin.LIVE:
        _fold_live(agent, event, changes)
    return replace(agent, **changes) if changes else agent


def _fold_live(agent: Agent, event: Event, changes: dict[str, object]) -> None:
    if event.is_inferred:
        _fold_state(agent, event, changes, is_news=False)
        return
    is_newest = _is_newest(event, agent.newest_at)
    is_progress = event.is_progress and _is_newest(event, agent.progress_at)
    if event.at > agent.last_heartbeat:
        changes["last_heartbeat"] = event.at
    if is_newest:
        _fold_sign(agent, event, changes)
    if is_progress:
        changes["progress_at"] = event.at
        changes["last_progress"] = event.received_at
        _fold_tool(agent, event, changes)
    if agent.is_silent and (is_progress or (is_newest and not _needs_progress(agent))):
        changes["is_silent"] = False
    _fold_state(agent, event, changes, is_news=is_newest or is_progress)


def _is_newest(event: Event, known: Millis) -> bool:
    """Whether the event is not older than what is known; a time from before our clock was set back is void."""
    return event.at >= known or 0 < event.received_at < known


def _fold_sign(agent: Agent, event: Event, changes: dict[str, object]) -> None:
    changes["newest_at"] = event.at
    changes["last_seen"] = event.received_at
    if _vouches_for_life_only(agent, event):
        changes["watches_progress"] = True
    if event.session_id is not None and event.session_id != agent.session_id:
        changes["session_id"] = event.session_id


def _vouches_for_life_only(agent: Agent, event: Event) -> bool:
    """A wrapper says that it sees no progress. An unchanged metric says nothing: its agent may just have no work."""
    if event.is_progress or event.turn is not None:
        return False
    return event.signal is Signal.API and agent.turn is Turn.NONE


def _fold_tool(agent: Agent, event: Event, changes: dict[str, object]) -> None:
    if event.tool is None:
        return
    doing = event.tool.name if event.phase == "start" else ""
    if doing != agent.doing:
        changes["doing"] = doing


def _fold_state(agent: Agent, event: Event, changes: dict[str, object], is_news: bool) -> None:
    if event.turn is not None or event.activity is not None or event.type is EventType.ERROR:
        works_in_turns = agent.turn is not Turn.NONE or event.turn is not None
        if not _is_newest(event, agent.state_at if works_in_turns else agent.newest_at):
            return
        changes["state_at"] = event.at
    elif not is_news or not _is_newest(event, agent.state_at):
        return
    if event.turn is not None and event.turn is not agent.turn:
        changes["turn"] = event.turn
        changes["turn_since"] = event.received_at
    activity = _activity(agent, event)
    if activity is not agent.activity:
        changes["activity"] = activity
    if (
        event.activity is Activity.RUNNING
        and agent.control is Control.STOPPED
        and agent.activity is Activity.STOPPED
    ):
        changes["control"] = Control.RUN  # after a confirmed stop, running is a new start
        changes["watch_from"] = event.received_at


def _needs_progress(agent: Agent) -> bool:
    return agent.watches_progress or agent.turn is Turn.OPEN


def _activity(agent: Agent, event: Event) -> Activity:
    """What the agent is up to after the event; an explicit word always counts."""
    if event.activity is not None:
        return event.activity
    if agent.activity in _SET_ASIDE:
        return _revived(agent, event)
    if event.type is EventType.ERROR and event.error is not None:
        return Activity.ERROR
    if event.turn is not None or agent.turn is not Turn.NONE:
        return _activity_in_turns(agent, event)
    return _activity_at_work(agent, event)


def _activity_at_work(agent: Agent, event: Event) -> Activity:
    """Of an agent that knows no turns: it runs as long as it says anything; only a beat ends an error."""
    match agent.activity:
        case Activity.ERROR:
            return Activity.RUNNING if event.type in _BEATS else Activity.ERROR
        case Activity.IDLE:
            return Activity.RUNNING if event.type in _WORKS else Activity.IDLE
        case Activity.PENDING:
            is_alive = event.type in _WORKS or event.type in _BEATS or event.is_error
            return Activity.RUNNING if is_alive else Activity.PENDING
    return agent.activity


def _activity_in_turns(agent: Agent, event: Event) -> Activity:
    """Running while a turn is open; an error stands until work goes on or the next turn opens."""
    if event.turn is Turn.OPEN:
        return Activity.RUNNING
    if event.turn in (Turn.CLOSED, Turn.WAITING):
        return agent.activity if agent.activity is Activity.ERROR else Activity.IDLE
    works = agent.turn is Turn.OPEN and event.type in _WORKS and event.is_progress and not event.is_error
    return Activity.RUNNING if works else agent.activity


def _revived(agent: Agent, event: Event) -> Activity:
    """Of an agent that said it paused or stopped: only a new turn or, once stopped, a heartbeat takes that back."""
    if agent.control is not Control.RUN:
        return agent.activity
    if event.turn is Turn.OPEN:
        return Activity.RUNNING
    beats = event.type is EventType.HEARTBEAT and agent.turn is Turn.NONE
    return Activity.RUNNING if beats and agent.activity is Activity.STOPPED else agent.activity


def _facts(agent: Agent, facts: Facts) -> dict[str, object]:
    changes: dict[str, object] = {}
    for field in ("name", "host", "kind", "group", "capabilities"):
        value = getattr(facts, field)
        if value is not None and value != getattr(agent, field):
            changes[field] = value
    is_news = "group" in changes or (bool(facts.group) and not facts.claims_group)
    if is_news and facts.claims_group is not agent.claims_group:
        changes["claims_group"] = facts.claims_group
    if facts.labels:
        merged = {**agent.labels, **facts.labels}
        if merged != agent.labels and len(merged) <= MAX_LABELS:
            changes["labels"] = merged
    return changes


def with_control(agent: Agent, control: Control, now: Millis) -> Agent:
    """The agent after its owner's word. Back to run, it is watched afresh and counts as running."""
    says_otherwise = control is Control.RUN and agent.activity in (Activity.PAUSED, Activity.STOPPED)
    if control is agent.control and not says_otherwise:
        return agent
    if control is not Control.RUN:
        return replace(agent, control=control)
    resting = agent.turn in (Turn.CLOSED, Turn.WAITING)
    return replace(
        agent,
        control=control,
        activity=Activity.IDLE if resting else Activity.RUNNING,
        is_silent=False,
        watch_from=now,
        last_heartbeat=max(agent.last_heartbeat, now),
    )


def with_session_cost(agent: Agent, session_id: str | None, amount: Nanos) -> dict[str, Nanos]:
    """The agent's ``session_costs`` after one of them has grown."""
    if session_id is None or len(session_id) > _LONGEST_SESSION_ID or not amount:
        return agent.session_costs
    costs = {key: cost for key, cost in agent.session_costs.items() if key != session_id}
    costs[session_id] = max(0, agent.session_costs.get(session_id, 0) + amount)
    if len(costs) > _MAX_SESSIONS:
        del costs[next(iter(costs))]
    return costs


def is_gone(agent: Agent, since: Millis) -> bool:
    """Whether it was a session that has come to rest, and nothing has been heard of it since then."""
    return _is_silent_session(agent, since) and agent.status in (Status.STOPPED, Status.IDLE)


def may_be_forgotten(agent: Agent, since: Millis) -> bool:
    """As ``is_gone``, however it ended; but what its owner has paused or stopped stays so."""
    return _is_silent_session(agent, since) and agent.control is Control.RUN


def _is_silent_session(agent: Agent, since: Millis) -> bool:
    return agent.kind in EPHEMERAL and max(agent.last_seen, agent.created_at) < since


def counts_progress(agent: Agent) -> bool:
    """Whether its silence counts from its last progress rather than from its last sign of life."""
    return _needs_progress(agent)


def is_watched_for_silence(agent: Agent) -> bool:
    """Paused and stopped agents never are, nor one that was never live; one with turns only while one is open."""
    return (
        agent.last_seen > 0
        and agent.status not in (Status.PAUSED, Status.STOPPED)
        and agent.turn not in (Turn.CLOSED, Turn.WAITING)
    )
