"""Recordings: the ticks of a run, kept as keyframes, deltas, columns, trajectories and events.

A recording is written once, line by line (``lines``), gathered into staged blocks (``gathering``), put into its final
compact form (``finishing``) and never changed again. Pure values and functions; who may read what, and where blocks
are kept, is decided elsewhere.
"""

from clawatch.domain.recordings.lines import (
    AgentLine,
    BadLine,
    EndLine,
    EventLine,
    Header,
    Influence,
    Line,
    LineReader,
    StepLine,
    TickLine,
    ndjson,
)
from clawatch.domain.recordings.recording import Block, Kind, Part, Progress, Recording, Source, Stage
from clawatch.domain.recordings.states import State
from clawatch.domain.recordings.summary import Counts, Summary, TopEvent
from clawatch.domain.recordings.trajectories import Profile, Step, Trajectory

__all__ = [
    "AgentLine",
    "BadLine",
    "Block",
    "Counts",
    "EndLine",
    "EventLine",
    "Header",
    "Influence",
    "Kind",
    "Line",
    "LineReader",
    "Part",
    "Profile",
    "Progress",
    "Recording",
    "Source",
    "Stage",
    "State",
    "Step",
    "StepLine",
    "Summary",
    "TickLine",
    "TopEvent",
    "Trajectory",
    "ndjson",
]
