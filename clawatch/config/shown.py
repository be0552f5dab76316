"""The configuration in force as people may see it: what is secret is hidden, durations are written as in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from clawatch.config.effective import Config
from clawatch.config.parts import Part
from clawatch.domain.agents import Agent
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis

HIDDEN = "(hidden)"
NOT_SET = "(not set)"
_DURATION = re.compile(r"(\d+)ms")
_RATE = re.compile(r"(\d+)/(\d+)ms")
_UNITS: tuple[tuple[Millis, str], ...] = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms"))


class ShownConfig:
    """See ``ports.SettingsPort``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._overrides: dict[int, dict[str, Any]] = {}
        """What has been shown before, by the identity of the settings: they live as long as the configuration."""

    def all(self) -> dict[str, Any]:
        return shown(self._config)

    def rules(self) -> dict[str, Any]:
        return {name: shown_settings(settings) for name, settings in self._config.rule_book.base.items()}

    def rules_of(self, agent: Agent) -> dict[str, Any]:
        own = self._config.rule_book.own(agent.id, agent.ruled_as)
        return {name: self._override(settings) for name, settings in own.items()}

    def _override(self, settings: BaseModel) -> dict[str, Any]:
        known = self._overrides.get(id(settings))
        if known is None:
            known = self._overrides[id(settings)] = shown_settings(settings)
        return known


def shown(config: Config) -> dict[str, Any]:
    """All sections with every default filled in, as JSON. No key, token, address that is a secret, or header in it."""
    return {
        "server": shown_settings(config.server),
        "data_dir": str(config.data_dir),
        "timezone": str(config.timezone),
        "auth": shown_settings(config.auth),
        "storage": {"use": config.storage.name, config.storage.name: shown_settings(config.storage.settings)},
        "retention": shown_settings(config.retention),
        "limits": shown_settings(config.limits),
        "prices": {model: shown_settings(price) for model, price in config.prices.items()},
        "redact": len(config.redact),
        "agents": [
            {"match": match, "rules": {name: shown_settings(one) for name, one in settings.items()}}
            for match, settings in config.rule_book.overrides
        ],
        "rules": _parts(config.rules),
        "sources": _parts(config.sources),
        "notifiers": _parts(config.notifiers),
        "routes": [shown_settings(route) for route in config.routes],
        "apis": _parts(config.apis),
        "controllers": _parts(config.controllers),
        "enrichers": _parts(config.enrichers),
        "plugins": shown_settings(config.plugins),
    }


def _parts(parts: Iterable[Part[Any]]) -> dict[str, Any]:
    return {
        part.name: ({} if part.use == part.name else {"use": part.use}) | shown_settings(part.settings)
        for part in parts
    }


def shown_settings(settings: BaseModel) -> dict[str, Any]:
    """A settings model as the file would say it. Hidden: ``SecretStr``, and what a model keeps out of its repr."""
    dumped = settings.model_dump(mode="json", by_alias=True)
    for name, field in type(settings).model_fields.items():
        key = field.serialization_alias or field.alias or name
        value = getattr(settings, name)
        dumped[key] = _shown(value, dumped[key]) if field.repr else _hidden(value)
    return dumped


def _shown(value: Any, dumped: Any) -> Any:
    """``dumped`` is what pydantic made of ``value``: models within it are judged by their own fields."""
    match value:
        case SecretStr():
            return _hidden(value.get_secret_value())
        case BaseModel():
            return shown_settings(value)
        case Mapping():
            return {str(key): _shown(one, dumped[str(key)]) for key, one in value.items()}
        case list() | tuple() if isinstance(dumped, list) and len(dumped) == len(value):
            return [_shown(one, other) for one, other in zip(value, dumped, strict=True)]
    return _written(dumped) if isinstance(dumped, str) else dumped


def _hidden(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict.fromkeys(map(str, value), HIDDEN)
    return HIDDEN if value else NOT_SET


def _written(text: str) -> str:
    """``300000ms`` as ``5m``, ``600/60000ms`` as ``600/m``; other text as it is."""
    if match := _DURATION.fullmatch(text):
        return _write_duration(int(match[1]))
    if match := _RATE.fullmatch(text):
        return f"{match[1]}/{_write_duration(int(match[2])).removeprefix('1')}"
    return text


def _write_duration(duration: Millis) -> str:
    if not duration:
        return "0"
    size, unit = next((size, unit) for size, unit in _UNITS if duration % size == 0)
    return f"{duration // size}{unit}"
