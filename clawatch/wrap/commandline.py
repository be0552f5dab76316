"""A command line that may be shown: what looks like a secret is left out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

HIDDEN = "REDACTED"
_LONGEST = 500

_WORD = r"(?:key|token|secret|passw(?:or)?d|passwd|pwd|passphrase|credentials?|auth|authorization|cookie|bearer)"
_NAME = rf"[\w.-]*{_WORD}(?![a-z])[\w.-]*"
_OPTION = re.compile(rf"--?{_NAME}", re.IGNORECASE)
_RULES = (
    (
        re.compile(rf"({_NAME}[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"'&;]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"(--?{_NAME}\s+)[^\s\"'&;-][^\s\"'&;]*", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"(\w+://)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abps]|hf|cw|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"), HIDDEN),
    (re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"(?<![\w/.-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{32,}(?![\w/.-])"), HIDDEN),
)


def redacted(command: Sequence[str]) -> str:
    """The command as one line for people, at most 500 characters."""
    line = shlex.join(_shown(command))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _shown(command: Sequence[str]) -> Iterator[str]:
    is_secret = False
    for argument in command:
        if is_secret and not argument.startswith("-"):
            yield HIDDEN
            is_secret = False
            continue
        is_secret = _OPTION.fullmatch(argument) is not None
        yield _text(argument)


def _text(argument: str) -> str:
    for pattern, shown in _RULES:
        argument = pattern.sub(shown, argument)
    return argument
