"""The rule: sums follow the journal's increments, so that what a better signal takes back is taken back here too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clawatch.domain.agents import Agent
from clawatch.domain.events import Event
from clawatch.domain.journal import Entry, Fill
from clawatch.domain.money import Nanos, nanos
from clawatch.domain.time import Millis, Moment
from clawatch.domain.verdicts import Finding, Wake
from clawatch.domain.words import short_name
from clawatch.ports import Rule
from clawatch_plugins.cost.account import SESSION_OVER, Account
from clawatch_plugins.cost.calendar import Calendar
from clawatch_plugins.cost.past import Past
from clawatch_plugins.cost.settings import CALENDAR, CostSettings, Limit, Per, Scope, Spike, named
from clawatch_plugins.cost.told import Told, limit_verdict, spike_verdict, step_of, told_of

FLEET = ""
REVIEW = "review"
SPIKE = "spike"


class Cost(Rule):
    def __init__(self, settings: CostSettings, calendar: Calendar, past: Past) -> None:
        self._fleet_limits = tuple(named(settings.limits, Scope.FLEET))
        self._calendar = calendar
        self._past = past
        self._told: dict[str, dict[str, Told]] = {}
        for alert in past.alerts:
            self._told.setdefault(alert.agent_id, {})[alert.subject] = told_of(alert)
        self._accounts: dict[str, Account] = {}
        self._fleet = Account(FLEET, told=self._told.pop(FLEET, None))
        self._is_fleet_watched = False

    def observe(self, entry: Entry, agent: Agent, settings: CostSettings, now: Moment) -> Iterable[Finding]:
        """Entries up to the past's head are in its sums; what they came to is reviewed after the warm-up."""
        if entry.seq <= self._past.head or not any(one.measures.cost for one in entry.counted):
            return ()
        account = self._account(agent)
        for one in entry.counted:
            amount = one.measures.cost - one.measures.past_cost
            if amount:
                account.spending.add(one.bucket, amount, self._calendar)
                self._fleet.spending.add(one.bucket, amount, self._calendar)
        self._take_total(account, agent)
        return [*self._judge(account, agent, settings, _session(entry), now), *self._judge_fleet(now)]

    def watch(self, agent: Agent, settings: CostSettings, now: Moment) -> Iterable[Wake]:
        """The configuration may have changed, or a period ended, since what is open was said."""
        self._take_total(self._account(agent), agent)
        yield Wake(mono=now.mono, agent_id=agent.id, subject=REVIEW)
        if not self._is_fleet_watched:
            self._is_fleet_watched = True
            yield Wake(mono=now.mono, agent_id=FLEET, subject=REVIEW)

    def due(self, wake: Wake, agent: Agent, settings: CostSettings, now: Moment) -> Iterable[Finding]:
        if wake.agent_id == FLEET:
            account = self._fleet
            yield from self._judge_fleet(now)
        else:
            account = self._account(agent)
            yield from self._judge(account, agent, settings, None, now)
        for subject in list(account.told) if wake.subject == REVIEW else [wake.subject]:
            yield from self._wake(account, subject, now)

    def forget(self, agent_id: str) -> None:
        """The fleet is the agents there are."""
        account = self._accounts.pop(agent_id, None)
        if account is not None:
            self._fleet.spending.merge(account.spending, -1)
            self._fleet.total -= account.total

    # -- accounts

    def _account(self, agent: Agent) -> Account:
        account = self._accounts.get(agent.id)
        if account is None:
            spending, told = self._past.agents.pop(agent.id, None), self._told.pop(agent.id, None)
            account = self._accounts[agent.id] = Account(agent.id, spending, told)
            self._fleet.spending.merge(account.spending)
        return account

    def _take_total(self, account: Account, agent: Agent) -> None:
        total = agent.cost - agent.past_cost
        self._fleet.total += total - account.total
        account.total = total

    def _spent(self, account: Account, per: Per, now: Moment) -> Nanos:
        if per is Per.TOTAL:
            return account.total
        return account.spending.within(per, self._start(per, now))

    def _start(self, per: Per, now: Moment) -> Millis:
        return self._calendar.period(per, now.wall).start if per in CALENDAR else 0

    # -- judging

    def _judge(
        self, account: Account, agent: Agent, settings: CostSettings, session: str | None, now: Moment
    ) -> Iterator[Finding]:
        sessions = account.live_sessions(session, now)
        subjects: set[str] = set()
        for name, limit in named(settings.limits, Scope.AGENT):
            if limit.per is not Per.SESSION:
                subjects.add(name)
                yield from self._judge_limit(account, name, limit, now)
                continue
            for one in sessions:
                subject = f"{name} {short_name(one)}"
                subjects.add(subject)
                yield from self._judge_session(account, subject, limit, one, agent.session_costs.get(one, 0), now)
        if settings.spike is not None:
            subjects.add(SPIKE)
            yield from self._judge_spike(account, settings.spike, now)
        yield from account.end_others(subjects)

    def _judge_fleet(self, now: Moment) -> Iterator[Finding]:
        for name, limit in self._fleet_limits:
            yield from self._judge_limit(self._fleet, name, limit, now)
        yield from self._fleet.end_others({name for name, _ in self._fleet_limits})

    def _judge_limit(self, account: Account, subject: str, limit: Limit, now: Moment) -> Iterator[Finding]:
        spent = self._spent(account, limit.per, now)
        told = Told(step_of(spent, limit.nanos), limit.nanos, self._start(limit.per, now))
        yield from self._tell(account, subject, limit, spent, told, now)

    def _judge_session(
        self, account: Account, subject: str, limit: Limit, session: str, spent: Nanos, now: Moment
    ) -> Iterator[Finding]:
        told = Told(step_of(spent, limit.nanos), limit.nanos, session=session)
        yield from self._tell(account, subject, limit, spent, told, now)

    def _tell(
        self, account: Account, subject: str, limit: Limit, spent: Nanos, told: Told, now: Moment
    ) -> Iterator[Finding]:
        if account.is_told(subject, told):
            return
        yield from account.end_before(subject, told)
        if told.percent:
            is_new = subject not in account.told
            account.told[subject] = told
            yield limit_verdict(account.agent_id, subject, limit, spent, told)
            if is_new:
                yield from self._wake(account, subject, now)

    def _judge_spike(self, account: Account, spike: Spike, now: Moment) -> Iterator[Finding]:
        """Once an hour stands out it does so to its end, whatever is corrected."""
        start = self._start(Per.HOUR, now)
        known = account.told.get(SPIKE)
        if known is not None and known.start == start:
            return
        if known is not None:
            yield account.end(SPIKE)
        spent = account.spending.within(Per.HOUR, start)
        usual = account.spending.usual_hour(start) if spent > nanos(spike.usd) else None
        if usual is not None and spent > spike.times * usual:
            told = account.told[SPIKE] = Told(1, round(spike.times * usual), start)
            yield spike_verdict(account.agent_id, SPIKE, spent, round(usual), told)
            yield from self._wake(account, SPIKE, now)

    def _wake(self, account: Account, subject: str, now: Moment) -> Iterator[Wake]:
        """When what is said of a subject ends by itself: with its period, or its session."""
        told = account.told.get(subject)
        if told is None:
            return
        if told.session:
            over_at = account.sessions.get(told.session, now.mono) + SESSION_OVER
            yield Wake(mono=over_at, agent_id=account.agent_id, subject=subject)
        elif told.start:
            per = Per.HOUR if subject == SPIKE else Per(subject.partition(" ")[0])
            end = self._calendar.period(per, told.start).end
            yield Wake(mono=now.mono + max(1, end - now.wall), agent_id=account.agent_id, subject=subject)


def _session(entry: Entry) -> str | None:
    match entry.body:
        case Event(session_id=session) | Fill(event=Event(session_id=session)):
            return session
    return None
