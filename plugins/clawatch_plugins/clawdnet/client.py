"""One connection: what it says, and what of the fleet it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from clawatch.apis.envelopes import problem_of
from clawatch.apis.fanout import News
from clawatch.apis.routes import Problem
from clawatch.apis.sessions import Session
from clawatch.domain.access import Scope
from clawatch.domain.ids import new_id
from clawatch.domain.time import iso
from clawatch.ports import ClaWatchError, Core, Forbidden, Invalid, NotFound
from clawatch_plugins.clawdnet.reading import READERS, read
from clawatch_plugins.clawdnet.translation import UnderWay
from clawatch_plugins.clawdnet.wire import AuthSuccess, Pong
from clawatch_plugins.clawdnet.words import listed

_MEMORY = 10_000


class Client:
    def __init__(self, session: Session, core: Core, under_way: UnderWay) -> None:
        self.id = new_id("cn", core.clock.now().wall)
        self._session = session
        self._core = core
        self._under_way = under_way
        self._numbers = count(1)
        self._left_out: set[str] = set()
        """Agents it has unsubscribed; those it may see only, so there are no more than agents."""
        self._seen: dict[str, bool] = {}
        self._may_read = session.principal.may(Scope.READ)
        self._hearers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "ping": self._pong, "auth": self._auth, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe,
        }  # fmt: skip

    def wants(self, news: News) -> bool:
        """Every agent it may read by default, but none of its own frames."""
        return news.topic != self.id and news.agent_id not in self._left_out and self._sees(news.agent_id)

    def _sees(self, agent_id: str) -> bool:
        known = self._seen.get(agent_id)
        if known is None:
            if len(self._seen) >= _MEMORY:
                self._seen.clear()
            known = self._seen[agent_id] = self._may_read and self._session.principal.sees(agent_id)
        return known

    def greet(self) -> None:
        principal = self._session.principal
        agents = sorted(agent.id for agent in self._core.queries.agents(principal))
        self._session.send(AuthSuccess(user_id=principal.user, agents=tuple(agents)))

    async def hear(self, message: Any) -> None:
        try:
            await self._hear(message)
        except ClaWatchError as error:
            self._session.refuse(problem_of(error))

    async def _hear(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if isinstance(kind, str) and kind in READERS:
            await self._take(kind, message)
        elif isinstance(kind, str) and kind in self._hearers:
            await self._hearers[kind](message)
        else:
            raise Invalid(f"send an object with a type: {listed((*READERS, *self._hearers))}")

    async def _take(self, kind: str, message: dict[str, Any]) -> None:
        said = read(kind, message, self._core.clock.now().wall, f"{self.id}.{next(self._numbers)}")
        self._under_way.put(self.id, said)
        try:
            receipt = await self._core.ingest.accept([said.event], self._session.principal)
        except ClaWatchError:
            self._under_way.take(said.event.id)
            raise
        for _, why in receipt.rejected:
            self._under_way.take(said.event.id)
            raise Forbidden(why) if receipt.forbidden else Invalid(why)

    async def _pong(self, message: dict[str, Any]) -> None:
        self._session.send(Pong(iso(self._core.clock.now().wall)))

    async def _auth(self, message: dict[str, Any]) -> None:
        """Said again, after it has been or by a header: told again, but nobody becomes somebody else."""
        token = message.get("token")
        principal = self._core.access.check_secret(token) if isinstance(token, str) else None
        if principal is None or principal.name != self._session.principal.name:
            self._session.refuse(Problem(401, "this connection belongs to another key", "unauthenticated"))
        else:
            self.greet()

    async def _subscribe(self, message: dict[str, Any]) -> None:
        self._left_out.discard(self._agent_of(message))

    async def _unsubscribe(self, message: dict[str, Any]) -> None:
        self._left_out.add(self._agent_of(message))

    def _agent_of(self, message: dict[str, Any]) -> str:
        agent_id = message.get("agent_id")
        if not isinstance(agent_id, str):
            raise Invalid("agent_id: a text is required")
        if not self._may_read:
            raise Forbidden("this key lacks the scope read")
        try:
            return self._core.queries.agent(agent_id, self._session.principal).id
        except NotFound:
            raise NotFound("there is no such agent, or it is not yours") from None
