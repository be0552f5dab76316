"""Mistakes in a configuration, in words: ``config.yaml:14 rules.stuck.after: …; write …``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

_BARE_KEY = re.compile(r"[\w*-]+", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """One mistake. ``message`` says what is wrong and what to write instead."""

    file: str
    line: int | None
    place: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where} {self.place}: {self.message}" if self.place else f"{where}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` holds every mistake, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(sorted(unique, key=lambda one: (one.line or 0, one.place)))
        super().__init__("\n".join(map(str, self.problems)))


def say_place(place: Place) -> str:
    """``auth.keys[0].key``; keys that are not plain words are quoted."""
    said = ""
    for part in place:
        if isinstance(part, int):
            said += f"[{part}]"
        else:
            said += ("." if said else "") + (part if _BARE_KEY.fullmatch(part) else json.dumps(part[:80]))
    return said


def say_known(word: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown word: the near one, else what there is."""
    near = difflib.get_close_matches(word, known, 1, 0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(known)}" if known else "there are none"
