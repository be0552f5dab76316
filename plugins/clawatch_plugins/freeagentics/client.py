"""One connected client: what it says, and what it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from clawatch.apis.routes import Problem
from clawatch.apis.sessions import Session, mono
from clawatch.domain.time import Millis, iso
from clawatch.ports import Core, Invalid
from clawatch_plugins.freeagentics import refusals
from clawatch_plugins.freeagentics.asking import Asked, Configure, Malformed, Subscribe, Unsubscribe, read
from clawatch_plugins.freeagentics.limits import Allowance, Messages
from clawatch_plugins.freeagentics.meter import Meter, Metered
from clawatch_plugins.freeagentics.orders import Orders
from clawatch_plugins.freeagentics.pools import Pools
from clawatch_plugins.freeagentics.subscription import Subscription
from clawatch_plugins.freeagentics.wire import Configured, Confirmed, Message, NotSupported, Pong
from clawatch_plugins.freeagentics.words import INVALID_EVENT_TYPE, METRICS_UPDATE, SUPPORTED, types_of

MOST_NAMED = 5
"""Unknown event types that one refusal names."""


@dataclass(frozen=True)
class Surroundings:
    """What all clients of the door share."""

    core: Core
    allowance: Allowance
    orders: Orders
    meter: Meter
    pools: Pools
    start: Callable[[Coroutine[Any, Any, None]], None]
    """Runs something that outlives the message it came with, and the client that sent it."""


class Client:
    """Idle ones shall cost little: there may be thousands."""

    __slots__ = ("_around", "_messages", "_metered", "_ordering", "is_warned", "session", "subscription")

    def __init__(self, session: Session, around: Surroundings) -> None:
        self.session = session
        self.subscription = Subscription(session.principal, around.allowance.types)
        self.is_warned = False
        """That it is about to be disconnected."""
        self._around = around
        self._metered = Metered(session, self.subscription)
        self._messages = Messages(around.allowance.messages)
        self._ordering: asyncio.Lock | None = None

    def hear(self, message: Asked | Malformed) -> None:
        at = mono()
        if not self._messages.take(at):
            self.session.refuse(refusals.over_rate(self._messages, at, self._now()))
            return
        self.is_warned = False
        if self._messages.is_nearly_used_up:
            self.session.send(refusals.warning(self._messages, at, self._now()))
        if isinstance(message, Malformed):
            self._refuse(message.why)
            return
        hearer = _HEARERS.get(message.type)
        if hearer is None:
            known = ", ".join(_HEARERS)
            self._refuse(f"Message type '{message.type[:100]}' is not supported; use one of {known}")
            return
        try:
            hearer(self, message)
        except Invalid as error:
            self._refuse(str(error))

    def leave(self) -> None:
        self._around.meter.drop(self._metered)
        self._around.orders.forget(self.session)

    # -- what it may ask for

    def _subscribe(self, asked: Asked) -> None:
        wanted = read(asked.data, Subscribe)
        agents, taken, types = wanted.agents or [], [], list[str]()
        known = [name for name in dict.fromkeys(wanted.events) if types_of(name)]
        for name in known:
            if self.subscription.has_room_for([*types, *types_of(name)]):
                taken.append(name)
                types += types_of(name)
        self.subscription.add(types, agents, wanted.filters)
        self._refuse_unknown(wanted.events)
        if len(taken) < len(known):
            most = self._around.allowance.types
            self.session.send(refusals.too_many_types(len(self.subscription), most, self._now()))
        if taken or not wanted.events:
            self._say("subscription_confirmed", Confirmed(events=taken, agents=agents, status="active"))
        self._meter()

    def _unsubscribe(self, asked: Asked) -> None:
        wanted = read(asked.data, Unsubscribe)
        known = [name for name in dict.fromkeys(wanted.events) if types_of(name)]
        agents = wanted.agents or []
        if known or not wanted.events:
            self.subscription.drop([one for name in known for one in types_of(name)], agents)
            self._say("unsubscription_confirmed", Confirmed(events=known, agents=agents, status="inactive"))
        self._refuse_unknown(wanted.events)
        self._meter()

    def _refuse_unknown(self, names: Collection[str]) -> None:
        unknown = [name for name in names if not types_of(name)]
        if unknown:
            self._say("subscription_error", _not_supported(unknown))

    def _meter(self) -> None:
        if self.subscription.choice(METRICS_UPDATE) is None:
            self._around.meter.drop(self._metered)
        else:
            self._around.meter.add(self._metered)

    def _command(self, asked: Asked) -> None:
        """One after the other, and without keeping the client's other messages waiting."""

        ordering = self._ordering = self._ordering or asyncio.Lock()

        async def give() -> None:
            async with ordering:
                await self._around.orders.give(self.session, asked)

        self._around.start(give())

    def _ping(self, asked: Asked) -> None:
        self._say("pong", Pong(
            server_time=iso(self._now()),
            connection_duration=(mono() - self.session.opened_at) // 1000,
        ))

    def _configure(self, asked: Asked) -> None:
        """Compression is settled when a connection is made, and this door makes none that compress."""
        wanted = read(asked.data, Configure)
        if wanted.metrics_interval is not None:
            self._metered.set_interval(wanted.metrics_interval, asyncio.get_running_loop().time())
        if wanted.buffer_size is not None:
            self.session.out.frames = wanted.buffer_size
        self._say("configuration_updated", Configured(
            metrics_interval=self._metered.interval, buffer_size=self.session.out.frames, compression=False,
        ))

    def _disconnect(self, asked: Asked) -> None:
        self.session.close(1000, "as you asked")

    def _pool_info(self, asked: Asked) -> None:
        self.session.send(self._around.pools.message(self.session.principal.user))

    # -- saying

    def _say(self, kind: str, data: Any) -> None:
        self.session.send(Message(kind, iso(self._now()), data))

    def _refuse(self, why: str) -> None:
        self.session.refuse(Problem(400, why, "invalid"))

    def _now(self) -> Millis:
        return self._around.core.clock.now().wall


_HEARERS: dict[str, Callable[[Client, Asked], None]] = {
    "subscribe": Client._subscribe,
    "unsubscribe": Client._unsubscribe,
    "command": Client._command,
    "ping": Client._ping,
    "configure": Client._configure,
    "disconnect": Client._disconnect,
    "connection_pool_info": Client._pool_info,
}


def _not_supported(unknown: Collection[str]) -> NotSupported:
    names = [f"'{name[:100]}'" for name in list(unknown)[:MOST_NAMED]]
    said = f"Event type {names[0]} is not supported"
    if len(names) > 1:
        said = f"Event types {', '.join(names)} are not supported"
    return NotSupported(error_code=INVALID_EVENT_TYPE, error_message=said, supported_events=SUPPORTED)
