"""Recordings: blocks under names of numbers, apart from everything else in the file."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence

import msgspec

from clawatch.domain.pages import Place, parse_place
from clawatch.domain.recordings import Block, Kind, Recording, Stage
from clawatch.ports import Conflict, Invalid, Page
from clawatch_plugins.sqlite.codec import text_of
from clawatch_plugins.sqlite.readers import Readers
from clawatch_plugins.sqlite.transaction import Transaction
from clawatch_plugins.sqlite.writer import Call, Writer

_recording = msgspec.json.Decoder(Recording).decode
_BEYOND = 2**62


class SqliteRecordings:
    """The whole ``RecordingsStore``."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create(self, recording: Recording) -> None:
        await self._writer.do(Call(_create, (recording,)))

    async def advance(
        self, recording: Recording, expected: int, blocks: Sequence[Block] = (), agents: Mapping[str, int] = {}
    ) -> None:
        await self._writer.do(Call(_advance, (recording, expected, blocks, agents), size=1 + len(blocks)))

    async def remove(self, recording_id: str, kinds: Sequence[Kind] | None, budget: int) -> int:
        return await self._writer.do(Call(_remove, (recording_id, kinds, budget)))

    async def recording(self, recording_id: str) -> Recording | None:
        return await self._readers.do(_one, recording_id)

    async def of_node(self, node_id: str, limit: int = 1000) -> list[Recording]:
        return await self._readers.do(_of_node, node_id, limit)

    async def recordings(self, owner: str | None, cursor: str | None, limit: int) -> Page[Recording]:
        return await self._readers.do(_page, owner, cursor, limit)

    async def blocks(
        self, recording_id: str, kinds: Sequence[Kind], keys: Sequence[int], first_part: int = 0,
        last_part: int | None = None,
    ) -> list[Block]:
        return await self._readers.do(_blocks, recording_id, kinds, keys, first_part, last_part)

    async def block_before(self, recording_id: str, kind: Kind, key: int) -> Block | None:
        return await self._readers.do(_block_before, recording_id, kind, key)

    async def agent(self, recording_id: str, agent_id: str) -> int | None:
        return await self._readers.do(_agent, recording_id, agent_id)

    async def agents(self, recording_id: str, first: int = 0, last: int | None = None) -> dict[str, int]:
        return await self._readers.do(_agents, recording_id, first, last)


# -- in the writer's hands


def _create(tx: Transaction, recording: Recording) -> None:
    if tx.con.execute("SELECT 1 FROM recordings WHERE id = ?", (recording.id,)).fetchone():
        raise Conflict(f"there is a recording {recording.id} already")
    tx.con.execute(
        "INSERT INTO recordings (id, node_id, owner, stage, created_at, version, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (recording.id, recording.node_id, recording.owner, recording.stage.value, recording.created_at,
         recording.version, text_of(recording)),
    )  # fmt: skip


def _advance(
    tx: Transaction, recording: Recording, expected: int, blocks: Sequence[Block], agents: Mapping[str, int]
) -> None:
    found = tx.con.execute("SELECT key, version FROM recordings WHERE id = ?", (recording.id,)).fetchone()
    if found is None or found[1] != expected:
        raise Conflict(f"the recording {recording.id} has changed meanwhile")
    tx.con.execute(
        "UPDATE recordings SET stage = ?, version = ?, body = ? WHERE key = ?",
        (recording.stage.value, recording.version, text_of(recording), found[0]),
    )
    tx.con.executemany(
        "INSERT OR REPLACE INTO recording_blocks (recording, kind, key, part, body) VALUES (?, ?, ?, ?, ?)",
        [(found[0], block.kind, block.key, block.part, block.body) for block in blocks],
    )
    tx.con.executemany(
        "INSERT OR REPLACE INTO recording_agents VALUES (?, ?, ?)",
        [(found[0], _ident(agent_id), number) for agent_id, number in agents.items()],
    )


def _remove(tx: Transaction, recording_id: str, kinds: Sequence[Kind] | None, budget: int) -> int:
    key = _key(tx.con, recording_id)
    if key is None:
        return 0
    chosen = "" if kinds is None else f" AND kind IN ({_marks(kinds)})"
    gone = tx.con.execute(
        "DELETE FROM recording_blocks WHERE place IN (SELECT place FROM recording_blocks"  # noqa: S608 (marks)
        f" WHERE recording = ?{chosen} LIMIT ?)", (key, *(kinds or ()), budget),
    ).rowcount  # fmt: skip
    if kinds is None and gone < budget:
        gone += tx.con.execute(
            "DELETE FROM recording_agents WHERE recording = ? AND ident IN"
            " (SELECT ident FROM recording_agents WHERE recording = ? LIMIT ?)", (key, key, budget - gone),
        ).rowcount  # fmt: skip
    if kinds is None and gone < budget:
        gone += tx.con.execute("DELETE FROM recordings WHERE key = ?", (key,)).rowcount
    return gone


# -- in the readers'


def _key(con: sqlite3.Connection, recording_id: str) -> int | None:
    row = con.execute("SELECT key FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return None if row is None else int(row[0])


def _one(con: sqlite3.Connection, recording_id: str) -> Recording | None:
    row = con.execute("SELECT body FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return None if row is None else _recording(row[0])


def _of_node(con: sqlite3.Connection, node_id: str, limit: int) -> list[Recording]:
    rows = con.execute(
        "SELECT body FROM recordings WHERE node_id = ? AND stage <> ? ORDER BY created_at DESC, id DESC LIMIT ?",
        (node_id, Stage.GONE.value, limit),
    )
    return [_recording(body) for (body,) in rows]


def _page(con: sqlite3.Connection, owner: str | None, cursor: str | None, limit: int) -> Page[Recording]:
    condition, arguments = ("1", []) if owner is None else ("owner = ?", [owner])
    behind: list[object] = []
    if cursor is not None:
        try:
            place = parse_place(cursor)
        except ValueError as error:
            raise Invalid(str(error)) from None
        condition, behind = condition + " AND (created_at, id) < (?, ?)", [place.at, place.id]
    rows = con.execute(
        f"SELECT body FROM recordings WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608
        [*arguments, *behind, limit + 1],
    )
    found = [_recording(body) for (body,) in rows]
    more = str(Place(found[limit - 1].created_at, found[limit - 1].id)) if len(found) > limit else None
    return Page(tuple(found[:limit]), more)


def _blocks(
    con: sqlite3.Connection, recording_id: str, kinds: Sequence[Kind], keys: Sequence[int], first: int,
    last: int | None,
) -> list[Block]:
    recording = _key(con, recording_id)
    found: list[Block] = []
    for kind in sorted(set(kinds)) if recording is not None else ():
        for key in sorted(set(keys)):
            rows = con.execute(
                "SELECT part, body FROM recording_blocks WHERE recording = ? AND kind = ? AND key = ?"
                " AND part BETWEEN ? AND ? ORDER BY part",
                (recording, kind, key, first, _BEYOND if last is None else last),
            )
            found += [Block(kind, key, part, body) for part, body in rows]
    return found


def _block_before(con: sqlite3.Connection, recording_id: str, kind: Kind, key: int) -> Block | None:
    row = con.execute(
        "SELECT key, body FROM recording_blocks WHERE recording = ? AND kind = ? AND key <= ? AND part = 0"
        " ORDER BY key DESC LIMIT 1",
        (_key(con, recording_id), kind, key),
    ).fetchone()
    return None if row is None else Block(kind, row[0], 0, row[1])


def _agent(con: sqlite3.Connection, recording_id: str, agent_id: str) -> int | None:
    row = con.execute(
        "SELECT number FROM recording_agents WHERE recording = ? AND ident = ?",
        (_key(con, recording_id), _ident(agent_id)),
    ).fetchone()
    return None if row is None else int(row[0])


def _agents(con: sqlite3.Connection, recording_id: str, first: int, last: int | None) -> dict[str, int]:
    rows = con.execute(
        "SELECT ident, number FROM recording_agents WHERE recording = ? AND number BETWEEN ? AND ? ORDER BY number",
        (_key(con, recording_id), first, _BEYOND if last is None else last),
    )
    return {_name(ident): number for ident, number in rows}


def _ident(agent_id: str) -> str | bytes:
    """Most are UUIDs, which are less than half as long as bytes."""
    if len(agent_id) == 36:
        try:
            found = uuid.UUID(agent_id)
        except ValueError:
            return agent_id
        if str(found) == agent_id:
            return found.bytes
    return agent_id


def _name(ident: str | bytes) -> str:
    return ident if isinstance(ident, str) else str(uuid.UUID(bytes=ident))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
