"""Telegram's HTML as strictly as its server reads it."""

from __future__ import annotations

import html
import re

_TAGS = frozenset({"b", "strong", "i", "em", "u", "s", "code", "pre", "blockquote", "a", "tg-spoiler"})
_TOKEN = re.compile(r"<(?P<end>/?)(?P<name>[a-z-]+)(?: [^<>]*)?>|(?P<stray>[<>])|&(?P<entity>[^;\s]*;?)")
_ENTITY = re.compile(r"(lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


def parsed_text(source: str) -> str:
    """The text a person reads. Raises ValueError for unknown, unclosed or crossed tags and for a stray ``<``."""
    open_tags: list[str] = []
    text: list[str] = []
    position = 0
    for match in _TOKEN.finditer(source):
        text.append(source[position : match.start()])
        position = match.end()
        if match["stray"]:
            raise ValueError(f"unescaped {match['stray']} at offset {match.start()}")
        if match["name"]:
            _turn(open_tags, match["name"], bool(match["end"]))
        elif _ENTITY.fullmatch(match["entity"]):
            text.append(html.unescape(match[0]))
        else:
            raise ValueError(f"unescaped & at offset {match.start()}")
    if open_tags:
        raise ValueError(f"tag {open_tags[-1]} is not closed")
    return "".join(text) + source[position:]


def _turn(open_tags: list[str], name: str, is_end: bool) -> None:
    if name not in _TAGS:
        raise ValueError(f"unsupported start tag {name!r}")
    if not is_end:
        open_tags.append(name)
    elif not open_tags or open_tags.pop() != name:
        raise ValueError(f"unexpected end tag {name!r}")
