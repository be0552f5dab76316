"""A stand-in for Telegram's Bot API over real HTTP: it remembers, refuses as Telegram does, and fails on demand."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from clawatch.testing.telegram_html import parsed_text

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
BOT = {"id": 110201543, "is_bot": True, "first_name": "ClaWatch", "username": "clawatch_test_bot"}
MAX_TEXT = 4096
MAX_CALLBACK_DATA = 64
_STRUCTURED = frozenset({"reply_markup", "allowed_updates", "commands", "link_preview_options"})
_DATE = 1_773_064_800


@dataclass(frozen=True)
class Fault:
    """An answer instead of the right one. ``status`` 0: no answer at all until the client gives up."""

    status: int
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    """The body as it is, for proxies that answer with pages of their own."""


HANG = Fault(0)
REVOKED = Fault(401, "Unauthorized")
BROKEN = Fault(502, "Bad Gateway")
CAPTIVE = Fault(200, raw=b"<html>please log in</html>")
BLOCKED = Fault(403, "Forbidden: bot was blocked by the user")
NO_CHAT = Fault(400, "Bad Request: chat not found")


def flood(seconds: int) -> Fault:
    return Fault(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def bad_request(description: str) -> Fault:
    return Fault(400, f"Bad Request: {description}")


def moved_to(chat: int) -> Fault:
    return Fault(400, "Bad Request: group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": chat})


@dataclass(frozen=True)
class Call:
    """One request: the method's name and what came with it."""

    method: str
    data: dict[str, Any]

    @property
    def chat(self) -> int:
        return int(self.data["chat_id"])

    @property
    def text(self) -> str:
        return str(self.data.get("text", ""))


@dataclass
class Shown:
    """A message as the chat shows it now. ``text`` is without markup, as a person reads it."""

    chat: int
    id: int
    text: str
    source: str
    markup: dict[str, Any] | None

    @property
    def buttons(self) -> list[list[dict[str, Any]]]:
        return self.markup["inline_keyboard"] if self.markup else []

    @property
    def labels(self) -> list[list[str]]:
        return [[button["text"] for button in row] for row in self.buttons]

    def button(self, words: str) -> dict[str, Any]:
        """The button whose label has these words."""
        return next(button for row in self.buttons for button in row if words in button["text"])


class BotApi:
    """``async with BotApi() as api``: then ``api.url`` is the ``api_url`` for a bot with ``api.token``.

    What comes in is recorded in ``calls``; ``shown`` holds the messages. ``fail`` scripts the next calls of a
    method, ``always`` all of them until ``heal``; ``faults_by_chat`` those to one chat. ``stop`` makes it refuse
    connections, ``start`` brings it back at the same address. ``press`` and ``say`` are what people do.
    """

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.shown: dict[tuple[int, int], Shown] = {}
        self.faults_by_chat: dict[int, Fault] = {}
        self.webhook = ""
        self.takes_urls_without_dots = False
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}
        self._updates: deque[dict[str, Any]] = deque()
        self._last_update = 100
        self._last_message = 0
        self._happened = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> BotApi:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen; at the same port as before."""
        app = web.Application()
        app.router.add_route("*", "/{bot}/{method}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections from now on; those that are open are cut."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- what a test scripts

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of ``method`` get these answers, one each."""
        self._faults[method].extend(faults)

    def always(self, fault: Fault, method: str = "*") -> None:
        """Every call of ``method`` (``*``: of any) gets this answer until ``heal``."""
        self._standing[method] = fault

    def heal(self) -> None:
        self._standing.clear()
        self._faults.clear()
        self.faults_by_chat.clear()

    # -- what people do

    async def press(self, button: Mapping[str, Any], message: Shown, /, user: int, **changes: Any) -> str:
        """Press a button with callback data; the id of the query. ``changes`` override the update's fields."""
        data = button["callback_data"]
        chat = changes.pop("chat", None) or chat_of(message.chat)
        inside = {"message_id": message.id, "date": _DATE, "chat": chat, "from": BOT, "text": message.text}
        query_id = str(self._last_update + 1)
        query = {"id": query_id, "from": person(user), "chat_instance": "1", "data": data, "message": inside}
        await self._update("callback_query", {**query, **changes})
        return query_id

    async def say(self, text: str, chat: int, user: int, /, **changes: Any) -> None:
        """Write into a chat; ``changes`` override the message's fields."""
        self._last_message += 1
        entities = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}] if text[:1] == "/" else []
        message = {"message_id": self._last_message, "date": _DATE, "chat": chat_of(chat), "from": person(user),
                   "text": text, "entities": entities}
        await self._update("message", {**message, **changes})

    async def _update(self, kind: str, body: dict[str, Any]) -> None:
        self._last_update += 1
        self._updates.append({"update_id": self._last_update, kind: body})
        await self._tell()

    # -- what a test looks at

    def of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    async def called(self, method: str, times: int = 1, within: float = 10.0) -> Call:
        """Wait until ``method`` has been called so often; the call."""
        await self.until(lambda: len(self.of(method)) >= times, within)
        return self.of(method)[times - 1]

    async def until(self, is_so: Callable[[], bool], within: float = 10.0) -> None:
        """Wait until something holds; it is looked at after every call."""
        async with asyncio.timeout(within), self._happened:
            await self._happened.wait_for(is_so)

    def last(self, chat: int) -> Shown:
        """The newest message of a chat."""
        return max((shown for shown in self.shown.values() if shown.chat == chat), key=lambda shown: shown.id)

    # -- the API

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        data = {key: _value(key, str(value)) for key, value in (await request.post()).items()}
        method = request.match_info["method"]
        self.calls.append(Call(method, data))
        fault = self._fault(request.match_info["bot"], method, data)
        answer = _failing(fault) if fault else await self._answer(method, data)
        await self._tell()
        if answer is None:
            await asyncio.Event().wait()  # until the client gives up
        assert answer is not None
        return answer

    def _fault(self, bot: str, method: str, data: dict[str, Any]) -> Fault | None:
        if bot != f"bot{self.token}":
            return REVOKED
        if self._faults[method]:
            return self._faults[method].popleft()
        by_chat = self.faults_by_chat.get(int(data["chat_id"])) if "chat_id" in data else None
        return by_chat or self._standing.get(method) or self._standing.get("*")

    async def _answer(self, method: str, data: dict[str, Any]) -> web.Response | None:
        match method:
            case "getMe":
                result: Any = BOT
            case "getChat":
                result = chat_of(int(data["chat_id"]))
            case "getUpdates":
                result = await self._get_updates(data)
            case "sendMessage":
                result = self._send(data)
            case "editMessageText":
                result = self._edit(data)
            case "setWebhook" | "deleteWebhook":
                self.webhook = str(data.get("url", ""))
                result = True
            case "answerCallbackQuery" | "setMyCommands":
                result = True
            case _:
                result = Fault(404, "Not Found")
        return _failing(result) if isinstance(result, Fault) else web.json_response({"ok": True, "result": result})

    async def _get_updates(self, data: dict[str, Any]) -> Any:
        if self.webhook:
            return Fault(409, "Conflict: can't use getUpdates method while webhook is active")
        await self._tell()
        offset = int(data.get("offset") or 0)
        while self._updates and self._updates[0]["update_id"] < offset:
            self._updates.popleft()
        try:
            async with asyncio.timeout(float(data.get("timeout") or 0)), self._happened:
                await self._happened.wait_for(lambda: bool(self._updates))
        except TimeoutError:
            return []
        return list(self._updates)

    def _send(self, data: dict[str, Any]) -> Any:
        text = self._accepted(data)
        if isinstance(text, Fault):
            return text
        self._last_message += 1
        shown = Shown(int(data["chat_id"]), self._last_message, text, str(data["text"]), data.get("reply_markup"))
        self.shown[shown.chat, shown.id] = shown
        return _message(shown)

    def _edit(self, data: dict[str, Any]) -> Any:
        shown = self.shown.get((int(data["chat_id"]), int(data["message_id"])))
        if shown is None:
            return bad_request("message to edit not found")
        text = self._accepted(data)
        if isinstance(text, Fault):
            return text
        if (text, data.get("reply_markup")) == (shown.text, shown.markup):
            return bad_request("message is not modified: specified new message content and reply markup are the same")
        shown.text, shown.source, shown.markup = text, str(data["text"]), data.get("reply_markup")
        return _message(shown)

    def _accepted(self, data: dict[str, Any]) -> str | Fault:
        """The text as it is shown, or why Telegram would not take the message."""
        text = str(data.get("text", ""))
        if data.get("parse_mode") == "HTML":
            try:
                text = parsed_text(text)
            except ValueError as error:
                return bad_request(f"can't parse entities: {error}")
        if not text.strip():
            return bad_request("message text is empty")
        if len(text.encode("utf-16-le")) // 2 > MAX_TEXT:
            return bad_request("message is too long")
        return self._refused_button(data.get("reply_markup") or {}) or text

    def _refused_button(self, markup: dict[str, Any]) -> Fault | None:
        for button in (button for row in markup.get("inline_keyboard", []) for button in row):
            if len(button.get("callback_data", "").encode()) > MAX_CALLBACK_DATA:
                return bad_request("BUTTON_DATA_INVALID")
            host = urlsplit(button["url"]).hostname if "url" in button else None
            if host is not None and "." not in host and not self.takes_urls_without_dots:
                return bad_request(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
        return None

    async def _tell(self) -> None:
        async with self._happened:
            self._happened.notify_all()


def person(user: int) -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": "Ada", "username": f"user{user}"}


def chat_of(chat: int) -> dict[str, Any]:
    if chat > 0:
        return {"id": chat, "type": "private", "first_name": "Ada"}
    return {"id": chat, "type": "supergroup", "title": "Watch"}


def _value(key: str, text: str) -> Any:
    """A form value; lists and objects come as JSON."""
    return json.loads(text) if key in _STRUCTURED else text


def _failing(fault: Fault) -> web.Response | None:
    if fault.status == 0:
        return None
    if fault.raw is not None:
        return web.Response(status=fault.status, body=fault.raw, content_type="text/html")
    body = {"ok": False, "error_code": fault.status, "description": fault.description}
    return web.json_response(body | ({"parameters": dict(fault.parameters)} if fault.parameters else {}),
                             status=fault.status)


def _message(shown: Shown) -> dict[str, Any]:
    return {"message_id": shown.id, "date": _DATE, "chat": chat_of(shown.chat), "from": BOT, "text": shown.text}
