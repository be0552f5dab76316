"""The WebSocket session over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from yarl import URL

from clawatch.apis.envelopes import Refused
from clawatch.apis.routes import Problem
from clawatch.apis.socket_limits import Closing, Codec, SocketLimits, token_of_auth
from clawatch.apis.sockets import SESSIONS, Session, close_sessions, serve_socket
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import MINUTE
from clawatch.settings import RateLimit

Handler = Callable[[Session], Awaitable[None]]
WAIT = 5.0


def _say(problem: Problem) -> dict[str, Any]:
    return {"type": "error", "code": problem.code, "error": problem.message, "details": problem.details}


CODEC = Codec(refuse=_say, token=token_of_auth)


class Door:
    """A server whose one route is a socket; tests set what it does before they connect."""

    def __init__(self) -> None:
        self.limits = SocketLimits()
        self.codec = CODEC
        self.users = {"good": "olga", "other": "otto"}
        self.handler: Handler = self.echo
        self.sessions: list[Session] = []
        self.errors: list[BaseException] = []
        self.app = web.Application()
        self.app[SESSIONS] = set()
        self.app.router.add_get("/ws", self._serve)
        self.url = URL()
        self.client: ClientSession

    async def echo(self, session: Session) -> None:
        session.send({"hello": session.principal.user})
        async for message in session:
            session.send({"echo": message})

    async def authenticate(self, request: web.Request, secret: str | None) -> Principal | None:
        user = self.users.get(secret or request.query.get("token", ""))
        return Principal(name=user, user=user, scopes=frozenset({Scope.READ})) if user else None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        async def handler(session: Session) -> None:
            self.sessions.append(session)
            await self.handler(session)

        try:
            return await serve_socket(request, self.limits, self.codec, self.authenticate, handler)
        except web.HTTPException:
            raise
        except Exception as error:
            self.errors.append(error)
            raise ConnectionResetError from error

    async def is_empty(self) -> None:
        """Return once no session is left."""
        async with asyncio.timeout(WAIT):
            while self.app[SESSIONS]:
                await asyncio.sleep(0)
        assert self.limits.counters.open == 0

    async def connect(self, token: str | None = "good", **options: Any) -> ClientWebSocketResponse:
        return await self.client.ws_connect(self.url.with_query(token=token) if token else self.url, **options)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    # Not aiohttp's TestServer: it cancels handlers of lost connections, which the real one does not.
    runner = web.AppRunner(door.app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = URL.build(scheme="http", host="127.0.0.1", port=runner.addresses[0][1], path="/ws")
    async with ClientSession() as door.client:
        yield door
    await close_sessions(door.app)
    await runner.cleanup()


async def closed(ws: ClientWebSocketResponse) -> int | None:
    """Read to the end; the close code."""
    async with asyncio.timeout(WAIT):
        async for _ in ws:
            pass
    return ws.close_code


async def heard(ws: ClientWebSocketResponse) -> Any:
    return await ws.receive_json(timeout=WAIT)


# -- who it is --------------------------------------------------------------------------------------------


async def test_a_client_known_by_its_handshake_is_served_at_once(door: Door) -> None:
    ws = await door.connect()
    assert await heard(ws) == {"hello": "olga"}
    await ws.send_json({"n": 1})
    assert await heard(ws) == {"echo": {"n": 1}}
    await ws.close()
    assert ws.close_code == 1000


async def test_a_client_may_authenticate_in_its_first_frame(door: Door) -> None:
    ws = await door.connect(token=None)
    await ws.send_json({"type": "auth", "token": "other"})
    assert await heard(ws) == {"hello": "otto"}


@pytest.mark.parametrize("first", [{"type": "auth", "token": "wrong"}, {"type": "auth"}, {"type": "subscribe"}, [], 7])
async def test_a_first_frame_that_is_no_good_token_ends_it_with_the_doors_code(door: Door, first: Any) -> None:
    door.limits = SocketLimits(unauthenticated=Closing(4401, "no"))
    ws = await door.connect(token=None)
    await ws.send_json(first)
    assert (await heard(ws))["code"] == "unauthenticated"
    assert await closed(ws) == 4401
    assert door.sessions == []


async def test_a_wrong_token_is_accepted_told_and_closed_never_refused_at_the_handshake(door: Door) -> None:
    ws = await door.connect(token="wrong")
    assert await heard(ws) == {
        "type": "error", "code": "unauthenticated", "error": "Invalid or missing API key", "details": None
    }
    assert await closed(ws) == 1008


async def test_whoever_says_nothing_in_time_is_closed(door: Door) -> None:
    door.limits = SocketLimits(auth_within=0.05)
    ws = await door.connect(token=None)
    assert (await heard(ws))["error"] == "no authentication within 0.05 s"
    assert await closed(ws) == 1008


@pytest.mark.parametrize("limits", [{"unknown": 3}, {"unknown_per_address": 3}])
async def test_of_those_who_do_not_say_who_they_are_the_oldest_go_when_there_are_many(
    door: Door, limits: dict[str, int]
) -> None:
    door.limits = SocketLimits(patience=0.0, **limits)
    known = await door.connect()
    assert await heard(known) == {"hello": "olga"}
    silent = [await door.connect(token=None) for _ in range(5)]
    assert [await closed(ws) for ws in silent[:2]] == [1008, 1008]
    for ws in (silent[2], silent[4]):
        await ws.send_json({"type": "auth", "token": "other"})
        assert await heard(ws) == {"hello": "otto"}
    await known.send_json("still here")
    assert await heard(known) == {"echo": "still here"}


async def test_many_who_are_about_to_say_who_they_are_are_let_say_it(door: Door) -> None:
    door.limits = SocketLimits(unknown=3, unknown_per_address=3)
    new = [await door.connect(token=None) for _ in range(8)]
    for ws in new:
        await ws.send_json({"type": "auth", "token": "good"})
        assert await heard(ws) == {"hello": "olga"}


async def test_a_door_without_first_frames_does_not_wait_for_one(door: Door) -> None:
    door.codec = replace(CODEC, token=None)
    assert await closed(await door.connect(token=None)) == 1008


async def test_a_client_that_leaves_before_authenticating_leaves_nothing_behind(door: Door) -> None:
    ws = await door.connect(token=None)
    await ws.close()
    await door.is_empty()
    assert door.errors == []


async def test_a_key_that_is_revoked_does_not_stay_connected(door: Door) -> None:
    door.limits = SocketLimits(recheck_every=0.02)
    ws = await door.connect()
    assert await heard(ws) == {"hello": "olga"}
    del door.users["good"]
    assert (await heard(ws))["code"] == "unauthenticated"
    assert await closed(ws) == 1008


async def test_a_check_that_fails_itself_does_not_leave_the_session_unchecked(door: Door) -> None:
    first = True

    async def broken_later(request: web.Request, secret: str | None) -> Principal | None:
        nonlocal first
        if not first:
            raise LookupError("a bug")
        first = False
        return Principal(name="a", user="a", scopes=frozenset())

    door.authenticate = broken_later  # type: ignore[method-assign]
    door.limits = SocketLimits(recheck_every=0.02)
    assert await closed(await door.connect()) == 1011


async def test_a_refusal_while_authenticating_is_one_of_the_doors(door: Door) -> None:
    async def guessing(request: web.Request, secret: str | None) -> Principal | None:
        raise Refused(429, "too many guesses")

    door.authenticate = guessing  # type: ignore[method-assign]
    ws = await door.connect()
    assert (await heard(ws))["error"] == "too many guesses"
    assert await closed(ws) == 1008


# -- what it says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["{", "", "NaN", "[" * 20_000, '"\\ud800"', "9" * 5_000])
async def test_a_malformed_frame_is_refused_and_the_connection_stays(door: Door, frame: str) -> None:
    ws = await door.connect()
    await heard(ws)
    await ws.send_str(frame)
    assert (await heard(ws))["type"] == "error"
    await ws.send_json("still there")
    assert await heard(ws) == {"echo": "still there"}


async def test_binary_frames_are_decoded_like_text(door: Door) -> None:
    ws = await door.connect()
    await heard(ws)
    await ws.send_bytes(b'{"a":1}')
    assert await heard(ws) == {"echo": {"a": 1}}


async def test_a_frame_of_the_limit_is_taken_and_a_larger_one_closes_with_1009(door: Door) -> None:
    door.limits = SocketLimits(max_frame=1_000)
    ws = await door.connect()
    await heard(ws)
    await ws.send_str('"' + "x" * 998 + '"')
    assert len((await heard(ws))["echo"]) == 998
    await ws.send_str('"' + "x" * 999 + '"')
    assert await closed(ws) == 1009


async def test_messages_over_the_rate_are_refused_with_the_figures_and_the_connection_stays(door: Door) -> None:
    door.limits = SocketLimits(messages=RateLimit(2, MINUTE))
    ws = await door.connect()
    await heard(ws)
    for n in range(3):
        await ws.send_json(n)
    assert [await heard(ws), await heard(ws)] == [{"echo": 0}, {"echo": 1}]
    refusal = await heard(ws)
    assert refusal["code"] == "rate_limited"
    assert refusal["details"]["limit"] == 2
    assert 0 < refusal["details"]["retry_after"] <= 30
    assert not ws.closed


async def test_the_doors_code_closes_it_once_all_that_was_sent_has_gone_out(door: Door) -> None:
    async def farewell(session: Session) -> None:
        for n in range(200):
            session.send([n, "x" * 60_000])  # more than the system's buffers take at once
        session.close(4004, "no such channel")
        session.send("never sent")

    door.handler = farewell
    door.limits = SocketLimits(queue_bytes=20_000_000)
    ws = await door.connect()
    assert [(await heard(ws))[0] for _ in range(200)] == list(range(200))
    assert await closed(ws) == 4004


async def test_a_handler_that_returns_closes_normally_and_one_that_fails_with_1011(door: Door) -> None:
    async def done(session: Session) -> None:
        return

    async def broken(session: Session) -> None:
        raise LookupError("a bug")

    door.handler = done
    assert await closed(await door.connect()) == 1000
    door.handler = broken
    assert await closed(await door.connect()) == 1011
    async with asyncio.timeout(WAIT):
        while not door.errors:
            await asyncio.sleep(0)
    assert isinstance(door.errors[0], LookupError)


async def test_closing_from_outside_stops_a_handler_that_waits(door: Door) -> None:
    stopped = asyncio.Event()

    async def patient(session: Session) -> None:
        session.send("here")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    door.handler = patient
    ws = await door.connect()
    await heard(ws)
    door.sessions[0].close(4000)
    assert await closed(ws) == 4000
    assert stopped.is_set()


# -- slow, idle and gone -------------------------------------------------------------------------------------


async def test_a_slow_reader_is_closed_with_the_doors_code_and_others_do_not_notice(door: Door) -> None:
    full = asyncio.Event()

    async def flood(session: Session) -> None:
        session.send("begin")
        if session.principal.user == "otto":
            async for message in session:
                session.send(message)
        try:
            while True:
                session.send_frame("x" * 10_000)
                await asyncio.sleep(0)
        finally:
            full.set()

    door.handler = flood
    door.limits = SocketLimits(queue_frames=100)
    slow, other = await door.connect(max_msg_size=0), await door.connect("other")
    await heard(slow), await heard(other)
    transport = slow._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading()  # type: ignore[union-attr]
    async with asyncio.timeout(WAIT):
        await full.wait()
    await other.send_json("quick")
    assert await heard(other) == "quick"
    transport.resume_reading()  # type: ignore[union-attr]
    assert await closed(slow) == 4008


async def test_the_queue_is_bounded_in_bytes_too(door: Door) -> None:
    async def flood(session: Session) -> None:
        session.send_frame("x" * 16_000_000)  # more than the connection takes at once
        session.send_frame("x" * 3_000)
        session.send_frame("x" * 3_000)
        await asyncio.Event().wait()

    door.handler = flood
    door.limits = SocketLimits(queue_bytes=5_000, slow=Closing(4009))
    assert await closed(await door.connect(max_msg_size=0)) == 4009


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 2_000_000])
async def test_a_frame_of_any_size_arrives_as_it_was_sent_whether_at_once_or_queued(door: Door, size: int) -> None:
    async def send(session: Session) -> None:
        for letter in "abc":
            session.send_frame(letter * size)
            session.send_frame(letter.encode() * size)
        await asyncio.Event().wait()

    door.handler = send
    door.limits = SocketLimits(queue_bytes=20_000_000)
    ws = await door.connect(max_msg_size=0)
    for letter in "abc":
        assert await ws.receive_str(timeout=WAIT) == letter * size
        assert await ws.receive_bytes(timeout=WAIT) == letter.encode() * size


async def test_an_idle_client_is_closed_and_its_pongs_do_not_count(door: Door) -> None:
    door.limits = SocketLimits(idle_after=0.2, ping_every=0.05, idle=Closing(4100))
    ws = await door.connect()
    await heard(ws)
    assert await closed(ws) == 4100


@pytest.mark.parametrize("frame", ["message", "ping"])
async def test_messages_and_pings_keep_a_client_alive(door: Door, frame: str) -> None:
    door.limits = SocketLimits(idle_after=0.4, ping_every=None)
    ws = await door.connect()
    await heard(ws)
    loop = asyncio.get_running_loop()
    start = loop.time()
    while loop.time() < start + 0.8:
        await (ws.send_json(1) if frame == "message" else ws.ping())
        await asyncio.sleep(0.05)
    assert door.sessions[0].closing is None


async def test_a_client_that_answers_no_ping_is_let_go(door: Door) -> None:
    door.limits = SocketLimits(ping_every=0.05)
    ws = await door.connect(autoping=False)
    await heard(ws)
    assert await closed(ws) == 1006
    await door.is_empty()


async def test_pings_are_answered(door: Door) -> None:
    ws = await door.connect(autoping=False)
    await heard(ws)
    await ws.ping(b"hi")
    answer = await ws.receive(timeout=WAIT)
    assert (answer.type, answer.data) == (WSMsgType.PONG, b"hi")


async def test_a_shutdown_closes_everybody_with_1001(door: Door) -> None:
    both = [await door.connect(), await door.connect(token=None)]
    await heard(both[0])
    closing = asyncio.create_task(close_sessions(door.app))
    assert [await closed(ws) for ws in both] == [1001, 1001]
    await closing
    assert door.app[SESSIONS] == set()


# -- how many ------------------------------------------------------------------------------------------------


async def test_one_more_connection_than_a_user_may_have_is_refused_and_closing_one_frees_its_place(
    door: Door,
) -> None:
    door.limits = SocketLimits(per_user=2)
    first, second = await door.connect(), await door.connect()
    await heard(first), await heard(second)
    third = await door.connect()
    refusal = await heard(third)
    assert (refusal["code"], refusal["details"]) == ("too_many_connections", {"limit": 2, "per": "user"})
    assert await closed(third) == 1008
    assert await heard(await door.connect("other")) == {"hello": "otto"}
    await first.close()
    assert await heard(await door.connect()) == {"hello": "olga"}


async def test_a_cut_connection_frees_its_place_too(door: Door) -> None:
    door.limits = SocketLimits(per_user=1)
    first = await door.connect()
    await heard(first)
    first._response.connection.transport.abort()  # type: ignore[union-attr]
    await door.is_empty()
    assert await heard(await door.connect()) == {"hello": "olga"}


async def test_connections_and_new_connections_are_limited_by_address(door: Door) -> None:
    door.limits = SocketLimits(per_address=1)
    kept = await door.connect()
    await heard(kept)
    assert (await heard(await door.connect("other")))["details"] == {"limit": 1, "per": "address"}
    door.limits = SocketLimits(connects=RateLimit(1, MINUTE))
    assert await heard(await door.connect()) == {"hello": "olga"}
    refusal = await heard(await door.connect())
    assert (refusal["code"], refusal["details"]["limit"]) == ("too_many_connections", 1)


async def test_doors_do_not_share_counters(door: Door) -> None:
    """Two doors with limits of one connection each take one each."""
    door.limits = SocketLimits(per_user=1)
    assert await heard(await door.connect()) == {"hello": "olga"}
    door.limits = SocketLimits(per_user=1)
    assert await heard(await door.connect()) == {"hello": "olga"}


async def test_a_plain_request_is_refused(door: Door) -> None:
    async with door.client.get(door.url) as answer:
        assert answer.status == 400
    assert door.sessions == []


async def test_many_come_and_go_and_nothing_is_left(door: Door) -> None:
    async def visit(n: int) -> None:
        ws = await door.connect()
        await heard(ws)
        if n % 2:
            await ws.close()
        else:
            ws._response.connection.transport.abort()  # type: ignore[union-attr]

    await asyncio.gather(*(visit(n) for n in range(40)))
    await door.is_empty()
    counters = door.limits.counters
    assert (dict(counters.by_user), dict(counters.by_address)) == ({}, {})
    assert door.errors == []
