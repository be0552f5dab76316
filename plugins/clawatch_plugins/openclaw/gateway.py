"""One connection to the gateway at a time, made again whenever it ends.

The gateway challenges, we prove who we are and ask to be let in, it says what it can. From then on requests are
answered by id, and events go to whoever follows them, in order, through a bounded queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import uniform
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType
from structlog.typing import FilteringBoundLogger

from clawatch import __version__
from clawatch_plugins.openclaw.device import CLIENT_ID, CLIENT_MODE, PLATFORM, ROLE, SCOPES, Device
from clawatch_plugins.openclaw.frames import DEFAULT_TICK, MAX_FRAME, Hello, Refused, read_hello, request_frame
from clawatch_plugins.openclaw.reading import Told, decode, instant, table, whole, word

CHALLENGE_WITHIN = 15.0
ANSWER_WITHIN = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two tries to connect, doubled each time."""
VERSIONS = ((4, 4), (3, 3))
"""Protocols, the newest first: gateways want their own within the range, and nothing above it."""
QUEUE = 10_000
TICK_TIMEOUT = 4000


class Unreachable(Exception):
    """There is no connection, or it has ended."""


@dataclass(frozen=True)
class Address:
    url: str
    token: str
    """The gateway's shared one; empty when there is none."""


class Link:
    """An open connection: requests and their answers."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: Hello | None = None
        self.last_seq = 0
        self._waiting: dict[str, asyncio.Future[Told]] = {}
        self._ids = count(1)

    async def request(self, method: str, params: Told, within: float = ANSWER_WITHIN) -> Told:
        """The answer's payload. Raises Refused, Unreachable, or TimeoutError."""
        request_id = str(next(self._ids))
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            async with asyncio.timeout(within):
                await self.socket.send_str(request_frame(request_id, method, params))
                return await future
        except (ClientError, ConnectionError, RuntimeError) as error:
            raise Unreachable(f"the connection ended ({type(error).__name__})") from None
        finally:
            self._waiting.pop(request_id, None)

    def answered(self, frame: Told) -> None:
        future = self._waiting.get(word(frame, "id"))
        if future is None or future.done():
            return
        if frame.get("ok") is True:
            future.set_result(table(frame, "payload"))
        else:
            future.set_exception(Refused(table(frame, "error")))

    def ended(self, why: Exception | None = None) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(why or Unreachable("the connection ended"))


class Gateway:
    """``state`` says in a word or two how the connection is, ``detail`` what is to be done about it."""

    def __init__(
        self, address: Callable[[], Address], session: Callable[[], ClientSession], log: FilteringBoundLogger,
        keep_token: Callable[[str | None], Any],
    ) -> None:
        self._address = address
        self._session = session
        self._log = log
        self._keep_token = keep_token
        self._link: Link | None = None
        self._versions = list(VERSIONS)
        self.device: Device | None = None
        self.state = "connecting"
        self.detail = ""
        self.events: asyncio.Queue[Told] = asyncio.Queue(QUEUE)
        self.has_gap = asyncio.Event()
        """Set when events were lost, by us or by the gateway: what is known is to be asked for again."""
        self.on_open: Callable[[], None] = lambda: None
        """Called when the gateway has let us in."""

    @property
    def is_open(self) -> bool:
        return self._link is not None and self._link.hello is not None

    @property
    def hello(self) -> Hello | None:
        return self._link.hello if self._link else None

    def may(self, scope: str) -> bool:
        """True also while nobody knows: the gateway has the last word."""
        return self.hello is None or not self.hello.scopes or scope in self.hello.scopes

    async def request(self, method: str, params: Told | None = None, within: float = ANSWER_WITHIN) -> Told:
        """As ``Link.request``. A method is asked for whether it is listed or not: some never are."""
        if self._link is None or self._link.hello is None:
            raise Unreachable("there is no connection to the gateway")
        return await self._link.request(method, params or {}, within)

    def has(self, method: str) -> bool:
        return self.hello is not None and self.hello.has(method)

    # -- connecting

    async def run(self) -> None:
        """Stay connected, for ever."""
        pause = FIRST_PAUSE
        while True:
            was_open = await self._live()
            pause = FIRST_PAUSE if was_open else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(uniform(0.5, 1.0) * pause)  # noqa: S311 - spreads tries, keeps no secret

    async def _live(self) -> bool:
        """One connection, from its beginning to its end; whether we were let in."""
        was_open = False
        try:
            async with self._connected() as socket:
                was_open = await self._serve(socket)
            self._say("disconnected", "the gateway closed the connection")
        except Refused as refusal:
            await self._refused(refusal)
        except TimeoutError:
            self._say("handshake hangs", "the gateway takes connections, but does not answer; restart it")
        except (ClientError, OSError, Unreachable, ValueError) as error:
            self._say("unreachable", f"no gateway answers at {self._address().url} ({type(error).__name__})")
        return was_open

    def _connected(self) -> Any:
        url = self._address().url
        timeout = ClientWSTimeout(ws_close=2.0)
        return self._session().ws_connect(url, max_msg_size=MAX_FRAME + 1, timeout=timeout)

    async def _serve(self, socket: ClientWebSocketResponse) -> bool:
        link = self._link = Link(socket)
        try:
            nonce, at = await self._challenge(socket)
            reading = asyncio.create_task(self._read(link), name="openclaw.read")
            try:
                await self._shake_hands(link, nonce, at)
                await reading
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError, Unreachable):
                    await reading
            return True
        finally:
            self._link = None
            link.ended()

    async def _challenge(self, socket: ClientWebSocketResponse) -> tuple[str, int]:
        async with asyncio.timeout(CHALLENGE_WITHIN):
            while True:
                message = await socket.receive()
                if message.type is not WSMsgType.TEXT:
                    raise Unreachable("the connection ended before the challenge")
                frame = decode(message.data) or {}
                payload = table(frame, "payload")
                if frame.get("event") == "connect.challenge" and word(payload, "nonce"):
                    return word(payload, "nonce", limit=1_000), instant(payload, "ts")

    async def _shake_hands(self, link: Link, nonce: str, at: int) -> None:
        params = self._connect_params(nonce, at)
        hello = read_hello(await link.request("connect", params, CHALLENGE_WITHIN))
        link.hello = hello
        if hello.device_token:
            await self._keep_token(hello.device_token)
        self._say("ok", f"connected to OpenClaw {hello.version}".rstrip())
        self.on_open()

    def _connect_params(self, nonce: str, at: int) -> dict[str, Any]:
        lowest, highest = self._versions[0]
        shared = self._address().token
        kept = self.device.token if self.device is not None else ""
        auth = {"token": shared} if shared else {"token": kept, "deviceToken": kept} if kept else {}
        params: dict[str, Any] = {
            "minProtocol": lowest,
            "maxProtocol": highest,
            "client": {
                "id": CLIENT_ID, "displayName": "ClaWatch", "version": __version__, "platform": PLATFORM,
                "mode": CLIENT_MODE,
            },
            "role": ROLE,
            "scopes": list(SCOPES),
            "caps": ["tool-events"],
            "commands": [],
            "permissions": {},
            "auth": auth,
            "locale": "en-US",
            "userAgent": f"clawatch/{__version__}",
        }
        if self.device is not None:
            params["device"] = self.device.prove(nonce, at, auth.get("token", ""))
        return params

    async def _refused(self, refusal: Refused) -> None:
        if refusal.is_about_version:
            self._versions.append(self._versions.pop(0))
            self._say("protocol mismatch", f"the gateway speaks another version: {refusal}")
        elif refusal.needs_approval:
            request = refusal.request_id or "<requestId>"
            self._say("device not approved", f"run: openclaw devices list; openclaw devices approve {request}")
        elif refusal.is_about_token:
            await self._keep_token(None)
            self._say("token refused", "set sources.openclaw.token to the gateway's gateway.auth.token")
        else:
            self._say("refused", str(refusal))
        if refusal.retry_after:
            await asyncio.sleep(min(refusal.retry_after, LONGEST_PAUSE))

    # -- what comes in

    async def _read(self, link: Link) -> None:
        while True:
            tick = link.hello.tick if link.hello else DEFAULT_TICK
            try:
                async with asyncio.timeout(2 * tick):
                    message = await link.socket.receive()
            except TimeoutError:
                await link.socket.close(code=TICK_TIMEOUT, message=b"tick timeout")
                raise Unreachable("the gateway fell silent") from None
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._take(link, decode(message.data) or {})
            else:
                is_told = message.type is WSMsgType.CLOSE and isinstance(message.extra, str) and message.extra
                link.ended(Refused({"code": f"CLOSED {message.data}", "message": message.extra}) if is_told else None)
                return

    def _take(self, link: Link, frame: Told) -> None:
        if frame.get("type") == "res":
            if link.hello is None and frame.get("ok") is True:  # the first answer; its tick counts from now on
                link.hello = read_hello(table(frame, "payload"))
            link.answered(frame)
        elif frame.get("type") == "event" and link.hello is not None:
            self._count(link, whole(frame, "seq"))
            try:
                self.events.put_nowait(frame)
            except asyncio.QueueFull:
                self.has_gap.set()

    def _count(self, link: Link, seq: int) -> None:
        """Events are dropped for slow readers; the numbers tell."""
        if not seq:
            return
        if link.last_seq and seq > link.last_seq + 1:
            self.has_gap.set()
        link.last_seq = seq

    def _say(self, state: str, detail: str) -> None:
        if state != self.state:
            log = self._log.info if state == "ok" else self._log.warning
            log("openclaw.gateway", state=state, detail=detail)
        self.state, self.detail = state, detail
