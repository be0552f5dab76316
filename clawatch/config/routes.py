"""The ``routes:`` block: which notifiers hear of what."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from clawatch.config.document import Document
from clawatch.config.models import FileSettings, RouteSettings
from clawatch.config.parts import Part
from clawatch.config.problems import Place, Problem, say_known
from clawatch.config.validation import validate
from clawatch.ports import RuleType


def read_routes(
    document: Document, settings: FileSettings, rules: Sequence[Part[RuleType]], problems: list[Problem]
) -> tuple[RouteSettings, ...]:
    """Every route, its names checked: an alert must not get lost through a slip of the pen."""
    routes = []
    for index, raw in enumerate(settings.routes):
        place: Place = ("routes", index)
        route = validate(RouteSettings, raw, document, place, problems)
        if route is not None:
            routes.append(route)
            problems += _unknown_notifiers(route, document, list(settings.notifiers), place)
            problems += _unknown_rule(route, document, [*settings.rules, *(part.name for part in rules)], place)
    return tuple(routes)


def _unknown_notifiers(route: RouteSettings, document: Document, known: list[str], place: Place) -> list[Problem]:
    return [
        document.problem(
            (*place, "notifiers", number),
            f"no notifier {name[:80]!r} stands under notifiers; {say_known(name, known)}",
        )
        for number, name in enumerate(route.notifiers)
        if name not in known
    ]


def _unknown_rule(route: RouteSettings, document: Document, known: list[str], place: Place) -> list[Problem]:
    pattern = route.match.rule
    if not pattern or any(fnmatchcase(name, pattern) for name in known):
        return []
    said = f"no rule in use matches it; {say_known(pattern, sorted(set(known)))}"
    return [document.problem((*place, "match", "rule"), said)]
