"""Strings that agents supplied, made harmless for Telegram's HTML."""

from __future__ import annotations

import html
import re
import unicodedata

_JOINERS = "\u200c\u200d"
"""Format characters that words and emoji need; every other one only hides or reorders text."""
_BECOMES_LINK = re.compile(r"[@#]\w|(?<!\w)/\w|://|\$[A-Za-z]|\w\.[^\W\d]")
"""What clients turn into mentions, hashtags, commands or links, unless it stands in code."""
_TAG = re.compile(r"<[^<>]*>")


def clean(text: str, lines: bool = False) -> str:
    """Without control, direction and other invisible characters; on one line unless ``lines``."""
    kept = "".join(_kept(char) for char in text)
    if lines:
        return "\n".join(" ".join(line.split()) for line in kept.splitlines()).strip()
    return " ".join(kept.split())


def _kept(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cs":
        return "\ufffd"  # a lone surrogate cannot be sent at all
    if category == "Cf":
        return char if char in _JOINERS else ""
    if category == "Cc":
        return "\n" if char == "\n" else " "
    return char


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)


def fit(text: str, room: int) -> str:
    """Cut to at most ``room`` units, with an ellipsis where something was cut."""
    if units(text) <= room:
        return text
    used = 0
    for index, char in enumerate(text):
        used += units(char)
        if used > room - 1:
            return text[:index].rstrip() + "…"
    return text


def escape(text: str, room: int, lines: bool = False) -> str:
    """Cleaned, escaped, and at most ``room`` units long *after* escaping."""
    text = clean(text[: 4 * room], lines)
    escaped = html.escape(text, quote=False)
    if units(escaped) <= room:
        return escaped
    used = 0
    for index, char in enumerate(text):
        used += units(html.escape(char, quote=False))
        if used > room - 1:
            return html.escape(text[:index].rstrip(), quote=False) + "…"
    return escaped


def code(text: str, room: int) -> str:
    """A name or an id, in monospace: nothing in it becomes a link."""
    return f"<code>{escape(text, room)}</code>"


def prose(text: str, room: int, lines: bool = False) -> str:
    """A sentence; in monospace when clients would turn a part of it into a link, a mention or a command."""
    escaped = escape(text, room, lines)
    return f"<code>{escaped}</code>" if _BECOMES_LINK.search(escaped) else escaped


def as_plain(text: str) -> str:
    """Our HTML as plain text: for chats or servers that refuse the markup."""
    return html.unescape(_TAG.sub("", text))
