"""The bodies of answers."""

from __future__ import annotations

from typing import Any

from clawatch.domain.recordings import EventLine, Recording, Summary, Trajectory
from clawatch.domain.recordings.summary import main_metric
from clawatch.domain.time import iso
from clawatch.ports import EventsFound, Keyframe


def index(recording: Recording) -> dict[str, Any]:
    return {
        "node_id": recording.node_id,
        "run_id": recording.run_id,
        "total_ticks": recording.total_ticks,
        "keyframe_interval": recording.keyframe_interval,
        "keyframe_ticks": list(recording.keyframes),
        "agent_count": recording.agent_count,
        "event_count": recording.event_count,
        "metrics_available": recording.metrics,
        "segments": [part.name for part in recording.segments],
        "regions": [part.name for part in recording.regions],
        "file_size_bytes": recording.size_bytes,
        "storage_ref": f"clawatch:recordings/{recording.id}",
        "created_at": iso(recording.created_at),
    }


def keyframe(recording: Recording, found: Keyframe) -> dict[str, Any]:
    state, at, main = found.state, recording.instant(found.tick), main_metric(recording.metrics) or ""
    return {
        "tick": found.tick,
        "is_keyframe": True,
        "timestamp": None if at is None else iso(at),
        "world_state": state.world_state,
        "distributions": {
            **state.metrics,
            "by_segment": state.by_segment.get(main, {}),
            "by_region": state.by_region.get(main, {}),
        },
        "metrics_by_segment": state.by_segment,
        "metrics_by_region": state.by_region,
        "agent_summary": found.counts,
        "top_events": [{"tick": one.tick, "type": one.type, "impact": one.impact} for one in found.top_events],
    }


def agent(found: Trajectory) -> dict[str, Any]:
    profile = found.profile
    return {
        "agent_id": profile.agent_id,
        "persona_id": profile.persona_id,
        "persona_name": profile.persona_name,
        "segment": profile.segment,
        "region": profile.region,
        "initial_state": profile.initial_state,
        "trajectory": found.steps,
        "final_decision": profile.final_decision,
        "decision_tick": profile.decision_tick,
        "key_influences": profile.key_influences,
    }


def events(recording: Recording, found: EventsFound) -> dict[str, Any]:
    return {"node_id": recording.node_id, "events": list(map(_event, found.events)), "total": found.total}


def _event(event: EventLine) -> dict[str, Any]:
    return {
        "id": event.id,
        "tick": event.tick,
        "type": event.type,
        "source": event.source,
        "description": event.description,
        "affected_agents": event.affected_agents,
        "variable_changes": event.variable_changes,
        "impact_score": event.impact_score,
    }


def aggregates(recording: Recording, summary: Summary) -> dict[str, Any]:
    return {
        "node_id": recording.node_id,
        "aggregates": summary.aggregates,
        "computed_at": iso(recording.completed_at),
    }
