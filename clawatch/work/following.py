"""Following: what becomes of work that is under way, and who takes what waits."""

from __future__ import annotations

from clawatch.domain.access import matches
from clawatch.domain.runs import Run
from clawatch.domain.work import COMPETITION, judged
from clawatch.fleet import Fleet
from clawatch.work.book import Book, News
from clawatch.work.giving import Giving, Sheet
from clawatch.work.rounds import Rounds
from clawatch.work.takers import Takers

OVER = "the competition is over"


class Following:
    def __init__(self, fleet: Fleet, takers: Takers, book: Book, giving: Giving, rounds: Rounds) -> None:
        self._fleet = fleet
        self._takers = takers
        self._book = book
        self._giving = giving
        self._rounds = rounds

    def look(self, news: News, sheet: Sheet) -> None:
        """Put on the sheet what follows from the news."""
        for run_id in news.runs:
            run = self._book.open.get(run_id)
            if run is None:
                continue
            if run.kind == COMPETITION:
                self._follow_round(run, sheet)
            elif run.agent_id:
                self._follow(run, sheet)
        for run_id in news.fresh:
            self._find_agent_for(run_id, sheet)
        for agent_id in news.free:
            self._find_work_for(agent_id, sheet)

    def _follow(self, run: Run, sheet: Sheet) -> None:
        command = self._book.commands.get(run.id)
        after = judged(run, command, self._fleet.get(run.agent_id), sheet.now)
        if after is None:
            return
        if command is not None and (not after.agent_id or not after.is_open):
            self._giving.withdraw(command, after.error or "another agent gets it", sheet)
        sheet.put(after, None if after.agent_id == run.agent_id else run.agent_id)

    def _follow_round(self, run: Run, sheet: Sheet) -> None:
        after = self._rounds.follow(run, sheet.now)
        if after is None:
            return
        moved, parts = after
        self._giving.ask(parts, sheet)
        if not moved.is_open:
            self._giving.cancel_parts(run, OVER, sheet)
        sheet.put(moved)

    def _find_agent_for(self, run_id: str, sheet: Sheet) -> None:
        run = self._book.open.get(run_id)
        if run is None or run.agent_id or run_id in sheet.taken:
            return
        agent = self._takers.free_of_kind(run.for_kind, run.reach, sheet.taken)
        if agent is not None:
            self._giving.give(run, agent, sheet)

    def _find_work_for(self, agent_id: str, sheet: Sheet) -> None:
        agent = self._fleet.get(agent_id)
        if agent is None or agent_id in sheet.taken or not self._takers.is_free(agent):
            return
        waiting = (run for run in self._book.waiting_for(agent.kind) if run.id not in sheet.taken)
        run = next((run for run in waiting if matches(run.reach, agent_id)), None)
        if run is not None:
            self._giving.give(run, agent, sheet)
