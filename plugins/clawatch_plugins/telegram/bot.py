"""The Bot API client: python-telegram-bot, with refusals as values we can judge and a token that stays inside."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from telegram import Bot
from telegram.error import TelegramError
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from clawatch.domain.deliveries import RetryLater, Undeliverable
from clawatch.domain.time import SECOND, Millis
from clawatch_plugins.telegram.settings import TelegramSettings

_TALKATIVE = ("telegram.Bot", "telegram.request.BaseRequest", "telegram.request.HTTPXRequest", "httpx",
              "httpcore.http11", "httpcore.connection", "httpcore.proxy")
"""Loggers of the libraries below us that write URLs, and with them the token."""
_MAX_DESCRIPTION = 300
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")


class Refusal(TelegramError):
    """The API answered, and not with a success."""

    def __init__(self, status: int, description: str, parameters: dict[str, Any]) -> None:
        super().__init__(description)
        self.status = status
        self.retry_after = _seconds(parameters.get("retry_after"))
        self.moved_to = _chat(parameters.get("migrate_to_chat_id"))

    def says(self, *words: str) -> bool:
        return any(word in self.message.lower() for word in words)

    @property
    def is_unchanged(self) -> bool:
        return self.says("message is not modified")

    @property
    def is_gone(self) -> bool:
        """The message to edit is no longer there, or no longer ours to edit."""
        return self.says(*_GONE)

    @property
    def is_about_form(self) -> bool:
        """Whether another form of the same message may be taken."""
        return self.status == HTTPStatus.BAD_REQUEST and not self.says("chat not found", "message is not", *_GONE)


def _seconds(value: object) -> Millis | None:
    return int(value * SECOND) if isinstance(value, int | float) and value >= 0 else None


def _chat(value: object) -> int | None:
    return value if isinstance(value, int) else None


class Request(HTTPXRequest):
    """Raises ``Refusal`` for every answer that is no success: the library's own errors drop the status."""

    async def do_request(self, url: str, method: str, request_data: RequestData | None = None,
                         read_timeout: Any = BaseRequest.DEFAULT_NONE, write_timeout: Any = BaseRequest.DEFAULT_NONE,
                         connect_timeout: Any = BaseRequest.DEFAULT_NONE, pool_timeout: Any = BaseRequest.DEFAULT_NONE,
                         ) -> tuple[int, bytes]:
        status, payload = await super().do_request(
            url, method, request_data, read_timeout, write_timeout, connect_timeout, pool_timeout
        )
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(status, payload)
        return status, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The answer; a page of some proxy in between is an error, not a traceback in the log."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or "result" not in answer:
            raise TelegramError("the answer does not come from a Bot API")
        return answer


def _refusal(status: int, payload: bytes) -> Refusal:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    parameters = answer.get("parameters")
    description = str(answer.get("description") or f"status {status}")[:_MAX_DESCRIPTION]
    return Refusal(status, description, parameters if isinstance(parameters, dict) else {})


class QuietBot(Bot):
    """A bot that does not show its token where it is printed."""

    def __repr__(self) -> str:
        return "QuietBot[…]"


class Redaction(logging.Filter):
    """Takes a bot's token out of texts and of the libraries' log records."""

    def __init__(self, token: str) -> None:
        super().__init__()
        secret = token.partition(":")[2]
        self._hidden = sorted({token, quote(token, safe=""), *([secret] if len(secret) > 7 else [])}, key=len)[::-1]

    def hide(self, text: str) -> str:
        for hidden in self._hidden:
            text = text.replace(hidden, "[bot token]")
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "telegram.Bot" and record.levelno <= logging.DEBUG:
            return False  # whole messages, one-time login links among them
        said = record.getMessage()
        hidden = self.hide(said)
        if hidden == said:
            return True
        record.msg, record.args = hidden, ()
        return record.name != "httpx" or record.levelno > logging.INFO  # one line for each poll is a flood


@asynccontextmanager
async def open_bot(settings: TelegramSettings, redaction: Redaction) -> AsyncIterator[Bot]:
    """The bot, without a word to the API yet (``Bot.initialize`` would ask at once, and raise)."""
    timeout = settings.timeout / SECOND
    requests = [
        Request(connection_pool_size=size, connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout,
                pool_timeout=timeout)
        for size in (1, 8)
    ]
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield QuietBot(
            settings.bot_token.get_secret_value(),
            base_url=f"{settings.api_url}/bot",
            base_file_url=f"{settings.api_url}/file/bot",
            get_updates_request=requests[0],
            request=requests[1],
        )
    finally:
        for request in requests:
            await request.shutdown()
        for logger in loggers:
            logger.removeFilter(redaction)


REVOKED = "Telegram refuses the bot token; put a valid one into bot_token of this notifier"


def judge(error: Exception) -> RetryLater | Undeliverable:
    """Whether trying again can help. A wrong token can be mended by the operator, so nothing is given up for it."""
    if not isinstance(error, TelegramError):
        return RetryLater(f"something of ours went wrong: {type(error).__name__}")
    if not isinstance(error, Refusal):
        return RetryLater(f"the Bot API is out of reach: {error.message[:_MAX_DESCRIPTION]}")
    match error.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RetryLater("Telegram asks us to wait", error.retry_after)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.NOT_FOUND:
            return RetryLater(f"{REVOKED} ({error.message})")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.FORBIDDEN:
            return Undeliverable(error.message)
        case status:
            return RetryLater(f"the Bot API answered {status}: {error.message}", error.retry_after)


def is_general(error: Exception) -> bool:
    """Whether the error speaks of the API or the bot rather than of one chat."""
    return not isinstance(error, Refusal) or error.status not in (
        HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS
    )
