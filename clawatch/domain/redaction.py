"""Redaction: secrets go out of what is stored and logged.

Two ways to know a secret: the name it stands under (``password: …``) and its own shape (``ghp_…``). Every
pattern is linear in the text: fixed beginnings, bounded gaps, and no two ways to match the same run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

MASK = "[redacted]"
TOO_DEEP = "[nested too deeply]"

_SHORTEST = 8
"""Nothing shorter is long enough to hold a secret together with what gives it away."""
_MAX_DEPTH = 100
_MAX_NAME = 64
_NAME_ENDS = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey",
    "clawatchkey", "authorization", "cookie", "credential", "credentials",
)
_NAME = r"(?:passw(?:or)?d|passphrase|secret|token|credentials?|(?:api|access|private|secret|clawatch)[_-]?key)"


class Shape(NamedTuple):
    """A kind of secret. The pattern is tried only where one of the hints occurs."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str = MASK


def _shape(hints: str, pattern: str, replacement: str = MASK) -> Shape:
    return Shape(tuple(hints.split()), re.compile(pattern), replacement)


_DASHED = (
    _shape("-----BEGIN", r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:.*?-----END [A-Z ]{0,60}-----|.*)"),
    _shape("sk-", r"sk-(?<![A-Za-z0-9]sk-)[\w-]{16,}"),
    _shape("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _shape("glpat-", r"glpat-[\w-]{16,}"),
    _shape("xapp-", r"xapp-\d-[A-Za-z0-9-]{16,}"),
    _shape("GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    _shape("xai- pplx-", r"(?<![A-Za-z0-9])(?:xai|pplx)-\w{32,}"),
    _shape("pypi-", r"pypi-AgE[\w-]{32,}"),
    _shape("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{32,}"),
    _shape(  # in a command line: --token abc
        "--",
        r"(?i)(--(?:[a-z]{1,16}-){0,3}(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|secret)-?key)"
        r"\s{1,4}[\"']?)(?![-\[])[^\s\"']{4,}",
        rf"\1{MASK}",
    ),
    _shape(
        "-u --user",
        r"(\s(?:-u|--user)\s{1,4}[\"']?[^\s:\"']{1,64}:)(?!\d+\b|\[redacted)[^\s\"']{3,}",
        rf"\1{MASK}",
    ),
)
_UNDERSCORED = (
    _shape("cw_", r"cw_(?:(?<![A-Za-z0-9]cw_)[\w-]{16,}|[\w-]{43,})"),
    _shape("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{16,}"),
    _shape("github_pat_", r"github_pat_\w{16,}"),
    _shape("k_live_ k_test_", r"[rs]k_(?:live|test)_\w{16,}"),
    _shape("hf_", r"hf_(?<![A-Za-z0-9]hf_)[A-Za-z0-9]{20,}"),
    _shape("npm_ gsk_ whsec_ r8_", r"(?<![A-Za-z0-9])(?:npm|gsk|whsec|r8)_[A-Za-z0-9+/=]{24,}"),
    _shape("dop_v1_ doo_v1_", r"do[op]_v1_[a-f0-9]{32,}"),
)
_DOTTED = (
    _shape("SG.", r"SG\.(?<![A-Za-z0-9]SG\.)[\w-]{16,}\.[\w-]{16,}"),
    _shape("hvs.", r"hvs\.(?<![A-Za-z0-9]hvs\.)[\w-]{24,}"),
    _shape("ya29.", r"ya29\.[\w-]{20,}"),
    _shape("hooks.slack.com/", r"(hooks\.slack\.com/[a-z]{1,16}/)[\w/-]{16,}", rf"\1{MASK}"),
    _shape("/api/webhooks/", r"(/api/webhooks/\d{1,20}/)[\w-]{16,}", rf"\1{MASK}"),  # Discord's
)
_BARE = (
    _shape("eyJ", r"eyJ(?<![\w-]eyJ)[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"),
    _shape("AKIA ASIA", r"A[KS]IA(?<![A-Z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Z0-9])"),
    _shape("AIza", r"AIza[\w-]{35}"),
    _shape("login#", r"(login#)[\w-]{16,}", rf"\1{MASK}"),
    _shape("earer", r"([Bb]earer\s{1,4})(?!\[redacted)[\w.~+/=-]{8,}", rf"\1{MASK}"),
)
_NAMED = (  # hints are sought in the lower-case text
    _shape("://", r"(://[^\s/?#:@]*:)[^\s/?#]+@", rf"\1{MASK}@"),
    # A Telegram bot's token; its number is no secret.
    _shape(": %3a", r"(?::(?<=\d{6}:)|%3[Aa](?<=\d{6}%3.))[\w-]{30,}", f":{MASK}"),
    _shape(
        "uthorization",
        r"(?i)(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?:(?:basic|bearer|token|digest)\s{1,4})?[^\s\"',;]{4,}",
        rf"\1{MASK}",
    ),
    _shape("cookie", r"(?i)(cookie[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\s\"'][^\r\n\"']{3,}", rf"\1{MASK}"),
    _shape(
        "pass secret token credential key",
        rf"(?i)({_NAME}[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"']?)(?!\[redacted)[^\s\"'&,;<>\[\]{{}}()]{{4,}}",
        rf"\1{MASK}",
    ),
    _shape(
        "? & # ;",
        r"(?i)([?&#;][\w-]{0,32}?(?:token|key|secret|passw(?:or)?d|signature|sig|auth)(?:=|%3d))"
        r"(?!\[redacted)[^&\s\"'<>#;]+",
        rf"\1{MASK}",
    ),
)


_OWN = re.compile(r"cw_[\w-]{43}|eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.")


def is_own_secret(name: str) -> bool:
    """Whether a key, login code or token that ClaWatch has made stands in it: by their exact shapes, lest names of
    people's be taken for one."""
    return _OWN.search(name) is not None


class Redactor:
    """Masks secrets. ``extra_patterns`` are the operator's own, tried on every text; ``known`` are secrets as they
    stand in the configuration, found also where they have no shape, and written for a URL."""

    def __init__(self, extra_patterns: Iterable[re.Pattern[str]] = (), known: Iterable[str] = ()) -> None:
        self._extra = tuple(extra_patterns)
        forms = {form for one in known if len(one) >= _SHORTEST for form in (one, quote(one, safe=""))}
        self._known = tuple(sorted(forms, key=len, reverse=True))
        self.gives_away = lru_cache(maxsize=4096)(self._gives_away)
        """Whether one of ClaWatch's own secrets stands in a name that has to stay as it is."""
        self._name = lru_cache(maxsize=4096)(self._judge_name)

    def text(self, text: str) -> str:
        """The text with every secret masked; the same object when there is none."""
        if len(text) >= _SHORTEST:
            for secret in self._known:
                if secret in text:
                    text = text.replace(secret, MASK)
            text = _mask_shapes(text)
        for pattern in self._extra:
            text = pattern.sub(MASK, text)
        return text

    def _gives_away(self, name: str) -> bool:
        return is_own_secret(name) or any(secret in name for secret in self._known)

    def value(self, value: object) -> object:
        """Dicts, lists and tuples masked all the way down; the very same object when nothing was to mask."""
        return self._value(value, _MAX_DEPTH)

    def command(self, words: Sequence[str]) -> list[str]:
        """A command line: also the word that follows ``--token``, ``--password`` and their like."""
        masked: list[str] = []
        is_secret = False
        for word in words:
            masked.append(MASK if is_secret and not word.startswith("-") else self.text(word))
            is_secret = word.startswith("-") and "=" not in word and is_secret_name(word)
        return masked

    def _value(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, dict):
            return self._mapping(value, depth - 1) if depth else TOO_DEEP
        if isinstance(value, (list, tuple)):
            return self._sequence(value, depth - 1) if depth else TOO_DEEP
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace"))
        return value

    def _mapping(self, mapping: dict[object, object], depth: int) -> dict[object, object]:
        masked: dict[object, object] = {}
        is_changed = False
        for key, value in mapping.items():
            name, is_secret = self._name_of(key) if isinstance(key, str) else (key, False)
            if is_secret and value and value is not True:
                kept: object = MASK
            else:
                kept = self._value(value, depth)
            is_changed = is_changed or kept is not value or name != key
            masked[name] = kept
        return masked if is_changed else mapping

    def _name_of(self, key: str) -> tuple[str, bool]:
        """A key masked, and whether a secret stands under it. The same few keys come again and again."""
        return self._name(key) if len(key) <= _MAX_NAME else (self.text(key), False)

    def _judge_name(self, key: str) -> tuple[str, bool]:
        return self.text(key), _is_secret_name(key)

    def _sequence(self, sequence: list[object] | tuple[object, ...], depth: int) -> object:
        masked = [self._value(item, depth) for item in sequence]
        if all(new is old for new, old in zip(masked, sequence, strict=True)):
            return sequence
        return masked if isinstance(sequence, list) else tuple(masked)


def is_secret_name(name: str) -> bool:
    """Whether a secret stands under this name: ``api_key``, ``X-ClaWatch-Key``, ``botToken``; not ``tokens``."""
    return len(name) <= _MAX_NAME and _is_secret_name(name)


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").endswith(_NAME_ENDS)


def _mask_shapes(text: str) -> str:
    # One look for a character that a whole group needs spares most texts all of its hints.
    if ":" in text or "=" in text or "%3" in text:
        text = _mask_group(text, text.lower(), _NAMED)
    if "_" in text:
        text = _mask_group(text, text, _UNDERSCORED)
    if "-" in text:
        text = _mask_group(text, text, _DASHED)
    if "." in text:
        text = _mask_group(text, text, _DOTTED)
    if "eyJ" in text or "AKIA" in text or "ASIA" in text or "AIza" in text or "login#" in text or "earer" in text:
        text = _mask_group(text, text, _BARE)
    return text


def _mask_group(text: str, searched: str, shapes: tuple[Shape, ...]) -> str:
    for hints, pattern, replacement in shapes:
        for hint in hints:
            if hint in searched:
                text = pattern.sub(replacement, text)
                break
    return text
