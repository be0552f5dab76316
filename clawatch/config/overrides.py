"""The ``agents:`` block: rules with other settings for some agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from clawatch.config.document import Document
from clawatch.config.models import AgentOverride, FileSettings
from clawatch.config.parts import USE, Part
from clawatch.config.problems import Place, Problem, say_known
from clawatch.config.validation import validate
from clawatch.plugins import Registry
from clawatch.ports import RuleType
from clawatch.settings import RuleSettings

_MAX_REMEMBERED = 8_192


class RuleBook:
    """Every rule's settings for every agent. The first override that matches an agent's id or group holds."""

    def __init__(
        self, base: Mapping[str, RuleSettings], overrides: Sequence[tuple[str, Mapping[str, RuleSettings]]] = ()
    ) -> None:
        self.base = base
        self.overrides = tuple(overrides)
        self._matching = lru_cache(maxsize=_MAX_REMEMBERED)(self._find)

    def settings(self, rule: str, agent_id: str, group: str) -> RuleSettings:
        """Raises KeyError for a rule that is not in use."""
        if self.overrides:
            own = self._matching(agent_id, group)
            if rule in own:
                return own[rule]
        return self.base[rule]

    def own(self, agent_id: str, group: str) -> Mapping[str, RuleSettings]:
        """The rules that hold otherwise for this agent."""
        return self._matching(agent_id, group) if self.overrides else {}

    def _find(self, agent_id: str, group: str) -> Mapping[str, RuleSettings]:
        for match, settings in self.overrides:
            if fnmatchcase(agent_id, match) or (group and fnmatchcase(group, match)):
                return settings
        return {}


def read_rule_book(
    document: Document, settings: FileSettings, rules: Sequence[Part[RuleType]], registry: Registry,
    problems: list[Problem],
) -> RuleBook:
    models = _models(settings, rules, registry)
    bases = {part.name: _base(settings, part.name) for part in rules}
    overrides = []
    for index, raw in enumerate(settings.agents):
        override = validate(AgentOverride, raw, document, ("agents", index), problems)
        if override is None:
            continue
        own: dict[str, RuleSettings] = {}
        for name, changes in override.rules.items():
            place: Place = ("agents", index, "rules", name)
            if name in models:
                changed = validate(models[name], merged(bases.get(name, {}), changes), document, place, problems)
                if changed is not None:
                    own[name] = changed
            elif name not in settings.rules:  # else it was found wrong there
                said = f"no rule {name[:80]!r} is in use; {say_known(name, list(models))}"
                problems.append(document.problem(place, said))
        overrides.append((override.match, own))
    return RuleBook({part.name: part.settings for part in rules}, overrides)


def _models(
    settings: FileSettings, rules: Sequence[Part[RuleType]], registry: Registry
) -> dict[str, type[RuleSettings]]:
    """Also those of rules whose own settings are wrong: mistakes in their overrides are told together with them."""
    models = {part.name: part.contribution.settings for part in rules}
    for name, raw in settings.rules.items():
        use = raw.get(USE, name) if isinstance(raw, dict) else name
        if name not in models and isinstance(use, str) and use in registry.rules:
            models[name] = registry.rules[use].part.settings
    return models


def _base(settings: FileSettings, name: str) -> dict[str, Any]:
    return {key: value for key, value in (settings.rules.get(name) or {}).items() if key != USE}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it; mappings are merged, everything else is replaced."""
    found = dict(base)
    for key, value in changes.items():
        known = found.get(key)
        found[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found
