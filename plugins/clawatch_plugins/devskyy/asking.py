"""Reading requests: bodies, numbers and words, refused in this door's way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from aiohttp import web

from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import Refused, reply, writable
from clawatch.apis.routes import Problem
from clawatch.domain.words import one_line
from clawatch_plugins.devskyy.wire import Refusal

T = TypeVar("T")

MAX_BODY = 64 * 1024
LONGEST_PROMPT = 10_000
LONGEST_WORD = 200
DEEPEST = 50
_DIGITS = 9


def envelope(problem: Problem) -> web.Response:
    """``{"detail": message}``, and a short word for machines."""
    return reply(Refusal(detail=writable(problem.message), code=problem.code), problem.status, problem.headers)


def unprocessable(message: str) -> Refused:
    return Refused(422, message, "invalid")


async def body_of(request: web.Request, type: type[T]) -> T:
    """Raises Refused: 422 for a body that does not fit, else as ``read_json``."""
    try:
        return await read_json(request, type, limit=MAX_BODY)
    except Refused as refusal:
        if refusal.problem.code == "invalid":
            raise unprocessable(str(refusal)) from None
        raise


def prompt_of(name: str, text: str) -> str:
    if not 1 <= len(text) <= LONGEST_PROMPT or not text.strip():
        raise unprocessable(f"{name}: 1 to {LONGEST_PROMPT} characters are wanted")
    return text


def word_of(name: str, text: str) -> str:
    if not 1 <= len(text) <= LONGEST_WORD or not text.isprintable():
        raise unprocessable(f"{name}: 1 to {LONGEST_WORD} printable characters are wanted")
    return text


def number_of(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    if not is_number or not least <= int(text) <= most:
        raise unprocessable(f"{name}: a number from {least} to {most} is wanted")
    return int(text)


def choice_of(request: web.Request, name: str, choices: Collection[str]) -> str | None:
    text = request.query.get(name)
    if text is None or text == "":
        return None
    return known(name, text, choices)


def known(name: str, word: str, choices: Collection[str]) -> str:
    if word not in choices:
        raise unprocessable(f"{name}: {one_line(word)!r} is none of {', '.join(choices)}")
    return word


def list_of(request: web.Request, name: str, choices: Collection[str]) -> list[str]:
    """Comma-separated, repeated, or both; everything where nothing is said."""
    said = [word.strip() for text in request.query.getall(name, []) for word in text.split(",")]
    words = [known(name, word, choices) for word in said if word]
    return list(dict.fromkeys(words)) or list(choices)


def checked_names(name: str, words: Iterable[str] | None) -> list[str] | None:
    return None if words is None else [word_of(name, word) for word in words]


def parameters_of(value: dict[str, Any]) -> dict[str, Any]:
    """What goes to the agent as it is. It will stand within other values, so it is refused when nested too deeply."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return value
    raise unprocessable(f"parameters: nested more than {DEEPEST} deep")


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
