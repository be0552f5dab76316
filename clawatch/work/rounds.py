"""Rounds: competitions as runs. What they ask of agents are runs too, their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.competitions import MOST_ENTRANTS, Entry, Move, Stage, Table, next_move, table_of
from clawatch.domain.ids import new_id
from clawatch.domain.runs import Run, RunStatus
from clawatch.domain.time import Millis
from clawatch.domain.words import one_line
from clawatch.domain.work import COMPETITION, ENTRY, JUDGING, ended
from clawatch.ports import Conflict, Invalid
from clawatch.work.book import Book
from clawatch.work.takers import JUDGE, Takers

_PROGRESS = {Stage.SCORING: 0.5, Stage.AB_TESTING: 0.75}


class Rounds:
    def __init__(self, book: Book, takers: Takers) -> None:
        self._book = book
        self._takers = takers

    def parts_of(self, run: Run) -> tuple[str, ...]:
        """Ids of what an open competition has asked of agents so far."""
        table = table_of(run) if run.kind == COMPETITION else None
        return () if table is None else table.run_ids

    def begin(
        self, prompt: str, principal: Principal, providers: Sequence[str] | None, about: str | None, now: Millis
    ) -> tuple[Run, list[Run]]:
        """A new competition, and what it asks of its entrants. Raises Conflict when somebody is missing."""
        entrants = self._chosen(principal, providers)
        judge = next(iter(self._takers.able(JUDGE, principal.agents)), None)
        if judge is None:
            raise Conflict("no agent with the capability judge is connected")
        run = Run(
            id=new_id(COMPETITION, now), agent_id="", created_at=now, updated_at=now, kind=COMPETITION,
            status=RunStatus.RUNNING, stage=Stage.GENERATING, by=principal.user, reach=principal.agents,
            input={"prompt": prompt, "taskId": about, "providers": None if providers is None else list(providers)},
        )
        parts = [
            _part(ENTRY, agent.id, run, {"role": "entrant", "provider": provider, "prompt": prompt}, now)
            for provider, agent in entrants.items()
        ]
        entries = tuple(
            Entry(provider=provider, agent_id=part.agent_id, run_id=part.id)
            for provider, part in zip(entrants, parts, strict=True)
        )
        return replace(run, result=_plain(Table(entries=entries, judge_id=judge.id))), parts

    def _chosen(self, principal: Principal, providers: Sequence[str] | None) -> dict[str, Agent]:
        there = self._takers.entrants(principal.agents)
        if not there:
            raise Conflict("no agent with the capability entrant is connected")
        wanted = list(there) if providers is None else list(dict.fromkeys(providers))
        missing = [name for name in wanted if name not in there]
        if missing:
            known = ", ".join(one_line(name) for name in there)
            raise Conflict(f"not connected: {one_line(', '.join(missing))}; connected are {known}")
        if not wanted:
            raise Invalid("providers: name at least one, or leave it out for all")
        return {name: there[name] for name in wanted[:MOST_ENTRANTS]}

    def follow(self, run: Run, now: Millis) -> tuple[Run, list[Run]] | None:
        """The competition after what has happened, and what it asks of its judge; None: nothing has changed."""
        table = table_of(run)
        if table is None:
            return ended(run, RunStatus.FAILED, now, "how far it had come cannot be read"), []
        move = next_move(run, table, self._book.parts.get(run.id, {}), now)
        return None if move is None else self._moved(run, move, now)

    def _moved(self, run: Run, move: Move, now: Millis) -> tuple[Run, list[Run]]:
        result = _plain(move.table)
        if move.error is not None:
            return ended(run, RunStatus.FAILED, now, move.error, result), []
        if move.judging is None:
            return ended(replace(run, stage=Stage.COMPLETED), RunStatus.COMPLETED, now, result=result), []
        part = _part(JUDGING, move.table.judge_id, run, move.judging.input, now)
        field = "scoring_id" if move.judging.stage is Stage.SCORING else "ab_test_id"
        result = _plain(replace(move.table, **{field: part.id}))
        stage = move.judging.stage
        return replace(run, stage=stage, progress=_PROGRESS[stage], result=result, updated_at=now), [part]


def _part(kind: str, agent_id: str, run: Run, input: dict[str, Any], now: Millis) -> Run:
    return Run(
        id=new_id(kind, now), agent_id=agent_id, created_at=now, updated_at=now, kind=kind,
        input={"competitionId": run.id, **input}, parent=run.id, by=run.by, reach=run.reach,
    )


def _plain(table: Table) -> Any:
    return msgspec.to_builtins(table)
