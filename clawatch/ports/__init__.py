"""The ports: what plugins implement, and the narrow part of the core that they are given.

Public. Everything here is a Protocol or a plain value; time is always an argument or comes from a Clock.
"""

from clawatch.ports.access import (
    AccessPort,
)
from clawatch.ports.clock import (
    Clock,
)
from clawatch.ports.commands import (
    CommandsPort,
)
from clawatch.ports.connecting import (
    Connection,
    Merge,
    Plan,
    Target,
    folder_of,
)
from clawatch.ports.core import (
    BusPort,
    Core,
    HttpPort,
    SchedulerPort,
    Subscription,
)
from clawatch.ports.errors import (
    ClaWatchError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OutOfStep,
    StoreUnavailable,
    TooMany,
)
from clawatch.ports.ingest import (
    IngestPort,
    Receipt,
)
from clawatch.ports.marks import (
    MarksPort,
    PassingMarks,
)
from clawatch.ports.parts import (
    Condition,
    Contribution,
    Controller,
    Enricher,
    Factory,
    GeneralVocabulary,
    Notifier,
    Rule,
    RuleType,
    Source,
    StoreType,
    Vocabulary,
)
from clawatch.ports.queries import (
    Controlling,
    PartReport,
    QueriesPort,
    SystemReport,
)
from clawatch.ports.recordings import (
    EventsFound,
    EventsWanted,
    Keyframe,
    RecordingsPort,
    RecordingsStore,
)
from clawatch.ports.settings import (
    SettingsPort,
)
from clawatch.ports.store import (
    AlertFilter,
    CostLine,
    Costs,
    EventFilter,
    GaugePoint,
    LatencyPoint,
    Page,
    Point,
    RetentionPolicy,
    StoreHealth,
    StorePort,
)
from clawatch.ports.work import (
    NoWork,
    WorkPort,
)

__all__ = [
    "AccessPort",
    "AlertFilter",
    "BusPort",
    "ClaWatchError",
    "Clock",
    "CommandsPort",
    "Condition",
    "Conflict",
    "Connection",
    "Contribution",
    "Controller",
    "Controlling",
    "Core",
    "CostLine",
    "Costs",
    "Enricher",
    "EventFilter",
    "EventsFound",
    "EventsWanted",
    "Factory",
    "Forbidden",
    "GaugePoint",
    "GeneralVocabulary",
    "HttpPort",
    "IngestPort",
    "Invalid",
    "Keyframe",
    "LatencyPoint",
    "MarksPort",
    "Merge",
    "NoWork",
    "NotFound",
    "Notifier",
    "OutOfStep",
    "Page",
    "PartReport",
    "PassingMarks",
    "Plan",
    "Point",
    "QueriesPort",
    "Receipt",
    "RecordingsPort",
    "RecordingsStore",
    "RetentionPolicy",
    "Rule",
    "RuleType",
    "SchedulerPort",
    "SettingsPort",
    "Source",
    "StoreHealth",
    "StorePort",
    "StoreType",
    "StoreUnavailable",
    "Subscription",
    "SystemReport",
    "Target",
    "TooMany",
    "Vocabulary",
    "WorkPort",
    "folder_of",
]
