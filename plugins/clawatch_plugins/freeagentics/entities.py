"""What agents say of their knowledge graph: entities, and relationships between them."""

from __future__ import annotations

from typing import Any

from clawatch.domain.events import Event
from clawatch.domain.time import Millis, iso
from clawatch_plugins.freeagentics.numbers import number_of
from clawatch_plugins.freeagentics.wire import Entity, Message, Relationship

MAX_TEXT = 2_000
_OPS = ("created", "updated", "deleted")


def message_of(event: Event, at: Millis) -> Message | None:
    """None for data that names no change of anything."""
    data = event.data
    op, entity_id, relationship_id = data.get("op"), data.get("entityId"), data.get("relationshipId")
    if op not in _OPS:
        return None
    by = {f"{op}_by": _text(data.get("createdBy")) or event.agent_id}
    if isinstance(relationship_id, str):
        return Message(f"relationship_{op}", iso(at), Relationship(
            relationship_id=relationship_id,
            source_id=_text(data.get("sourceId")),
            target_id=_text(data.get("targetId")),
            relationship_type=_text(data.get("relationshipType")),
            strength=number_of(data.get("strength")),
            agent_id=event.agent_id,
            **by,
        ))
    if not isinstance(entity_id, str):
        return None
    properties = data.get("properties")
    return Message(f"entity_{op}", iso(at), Entity(
        entity_id=entity_id,
        type=_text(data.get("entityType")),
        label=_text(data.get("label")),
        properties=properties if isinstance(properties, dict) else {},
        agent_id=event.agent_id,
        **by,
    ))


def _text(value: Any) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) else None
