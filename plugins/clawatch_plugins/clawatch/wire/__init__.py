"""What this door says, as types: the contract's fields first, then what it is a superset by.

Instants are ISO 8601 in UTC with ``Z``, money is US dollars, and no number is ever null.
"""

from clawatch_plugins.clawatch.wire.agents import AgentGone, AgentList, AgentView, CommandBrief, ControlView
from clawatch_plugins.clawatch.wire.alerts import (
    AlertDone,
    AlertList,
    AlertView,
    SilenceAlert,
    SilenceList,
    SilenceView,
    SilenceWanted,
)
from clawatch_plugins.clawatch.wire.base import Done, Refusal, Total, Wire
from clawatch_plugins.clawatch.wire.commands import CommandList, CommandResult, CommandsToDo, CommandToDo, CommandView
from clawatch_plugins.clawatch.wire.events import AgentDetail, EventList, EventView, NothingTaken, Rejected, Taken
from clawatch_plugins.clawatch.wire.live import Message, Pong, Signpost, Subscribe
from clawatch_plugins.clawatch.wire.replays import ReplayMessage, ReplayWanted
from clawatch_plugins.clawatch.wire.runs import RunList, RunView
from clawatch_plugins.clawatch.wire.sums import (
    AgentCost,
    CostPoint,
    CostReport,
    CostSeries,
    LatencyAt,
    LatencySeries,
    ModelCost,
)
from clawatch_plugins.clawatch.wire.system import KeyList, KeyMade, KeyView, KeyWanted, PartView, StoreView, SystemView

__all__ = [
    "AgentCost", "AgentDetail", "AgentGone", "AgentList", "AgentView", "AlertDone", "AlertList", "AlertView",
    "CommandBrief", "CommandList", "CommandResult", "CommandToDo", "CommandView", "CommandsToDo", "ControlView",
    "CostPoint", "CostReport", "CostSeries", "Done", "EventList", "EventView", "KeyList", "KeyMade", "KeyView",
    "KeyWanted", "LatencyAt", "LatencySeries", "Message", "ModelCost", "NothingTaken", "PartView", "Pong", "Refusal",
    "Rejected", "ReplayMessage", "ReplayWanted", "RunList", "RunView", "Signpost", "SilenceAlert", "SilenceList",
    "SilenceView", "SilenceWanted", "StoreView", "Subscribe", "SystemView", "Taken", "Total", "Wire",
]
