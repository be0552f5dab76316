"""What the configuration file may hold: every key of the core, with its default."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from clawatch.domain.access import Key, Scope, hash_secret
from clawatch.domain.agents import MOST_AGENTS
from clawatch.domain.alerts import Severity
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis
from clawatch.ports import RetentionPolicy
from clawatch.settings import Duration, Rate, RateLimit, Settings

_KEY_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_ORIGIN = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9._\[\]:-]+(?::\d{1,5})?")
_MOST_USD = 1_000_000


def _at_least(shortest: Millis, said: str) -> AfterValidator:
    def check(value: Millis) -> Millis:
        if value < shortest:
            raise ValueError(f"is too short; write {said} or more")
        return value

    return AfterValidator(check)


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ValueError("is not the address of a page; write it like https://watch.example.com")
    return url.rstrip("/")


def _origin(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("is not an origin; write https://app.example.com or https://*.example.com, without a path")
    return origin.lower()


def _network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address, strict=False))
    except ValueError:
        raise ValueError("is not an IP address or network; write it like 10.0.0.1 or 10.0.0.0/8") from None


def _zone(name: object) -> object:
    if not isinstance(name, str):
        return name
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(
            "is not a time zone of this machine; write it like Europe/Berlin (pip install tzdata where it has none)"
        ) from None


def _pattern(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if pattern.match(""):
        raise ValueError("matches the empty text, and so everywhere; make it ask for at least one character")
    return pattern


def _key_name(name: str) -> str:
    if not _KEY_NAME.fullmatch(name):
        raise ValueError("is no name for a key; use 1 to 64 letters, digits and . _ @ -")
    return name


def _none_as_empty(value: object) -> object:
    return {} if value is None else value


def _empty_as_none(value: object) -> object:
    """A variable that is not set: ``${CLAWATCH_URL:-}``."""
    return None if isinstance(value, str) and not value.strip() else value


Block = Annotated[dict[str, Any], BeforeValidator(_none_as_empty)]
"""A mapping that may be left empty in YAML (``stuck:``)."""
Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Words = Annotated[str, Field(min_length=1, max_length=200)]
Usd = Annotated[float, Field(ge=0, le=_MOST_USD, allow_inf_nan=False)]
AgeOfADay = Annotated[Duration, _at_least(DAY, "1d")]
AgeOfAnHour = Annotated[Duration, _at_least(HOUR, "1h")]


class ServerSettings(Settings):
    host: Words = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65_535)
    """0 picks a free one."""
    public_url: Annotated[Annotated[str, AfterValidator(_public_url)] | None, BeforeValidator(_empty_as_none)] = None
    """Used in links; without a trailing slash. ``http://host:port`` when not set."""
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Networks whose X-Forwarded-For counts."""


class AuthKey(Settings):
    name: Annotated[str, AfterValidator(_key_name)]
    key: SecretStr
    """Where it is empty (a variable that is not set), the entry counts for nothing."""
    scopes: tuple[Scope, ...] = Field(min_length=1)
    user: str = ""
    agents: tuple[Words, ...] = Field(default=("*",), min_length=1)

    @property
    def is_configured(self) -> bool:
        return bool(self.key.get_secret_value())


class AuthSettings(Settings):
    keys: tuple[AuthKey, ...] = ()
    loopback: tuple[Literal["read", "ingest", "control"], ...] = ()
    token_ttl: Annotated[Duration, _at_least(MINUTE, "1m")] = HOUR

    @model_validator(mode="after")
    def _names_differ(self) -> AuthSettings:
        names = [key.name for key in self.keys]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two keys have the name {twice[0]}; give each its own")
        return self

    @property
    def fixed_keys(self) -> tuple[Key, ...]:
        """The operator's keys as they are kept: hashed."""
        return tuple(
            Key(
                name=key.name, hash=hash_secret(key.key.get_secret_value()), scopes=key.scopes,
                agents=key.agents, user=key.user, is_fixed=True,
            )
            for key in self.keys
            if key.is_configured
        )


class StorageSettings(Settings):
    """``use``, and beside it a block for each store that is described."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Block]

    use: Words = "sqlite"


class RollupRetention(Settings):
    minute: AgeOfAnHour = 31 * DAY
    hour: AgeOfADay = 400 * DAY


class RecordingRetention(Settings):
    """Of what ClaWatch records of its fleet by itself. Recordings that others have written stay."""

    hour: AgeOfADay = 31 * DAY
    day: AgeOfADay = 400 * DAY


class RetentionSettings(Settings):
    events: AgeOfAnHour = 30 * DAY
    rollups: RollupRetention = RollupRetention()
    alerts: AgeOfADay = 400 * DAY
    agents: AgeOfADay = 30 * DAY
    """Only those that are sessions, by when their events are gone too. Their costs stay."""
    recordings: RecordingRetention = RecordingRetention()

    @property
    def policy(self) -> RetentionPolicy:
        return RetentionPolicy(
            events=self.events, minutes=self.rollups.minute, hours=self.rollups.hour, alerts=self.alerts
        )


class LimitSettings(Settings):
    """Per key, else per IP; None is no limit."""

    ingest: Rate | None = None
    rest: Rate | None = RateLimit(600, MINUTE)
    login: Rate | None = RateLimit(10, MINUTE)
    agents: int = Field(default=10_000, ge=1, le=MOST_AGENTS)
    """Per user of keys."""


class Price(Settings):
    """USD per million tokens. Where the cache's prices are not given, whoever prices decides."""

    input: Usd
    output: Usd
    cache_read: Usd | None = None
    cache_write: Usd | None = None


class AgentOverride(Settings):
    match: Words
    """A pattern for the agent's id or group."""
    rules: dict[str, Block]


class RouteMatch(Settings):
    """What is empty matches everything; ``rule`` and ``agent`` are patterns."""

    severity: Severity | None = None
    rule: str = ""
    agent: str = ""


class RouteSettings(Settings):
    match: RouteMatch = RouteMatch()
    notifiers: tuple[str, ...] = Field(min_length=1)


class PluginSettings(Settings):
    disabled: tuple[str, ...] = ()
    directory: str | None = None


class FileSettings(Settings):
    """The file as a whole. What belongs to plugins, and lists whose items are judged one by one, is left raw here."""

    server: ServerSettings = ServerSettings()
    data_dir: Words | None = None
    timezone: Zone | None = None
    auth: AuthSettings = AuthSettings()
    storage: StorageSettings = Field(default_factory=lambda: StorageSettings.model_validate({}))
    retention: RetentionSettings = RetentionSettings()
    limits: LimitSettings = LimitSettings()
    prices: dict[str, Price] = Field(default={})
    redact: tuple[Pattern, ...] = ()
    agents: list[Any] = Field(default=[])
    rules: dict[str, Any] = Field(default={})
    sources: dict[str, Any] = Field(default={})
    notifiers: dict[str, Any] = Field(default={})
    routes: list[Any] = Field(default=[])
    apis: dict[str, Any] = Field(default={})
    controllers: dict[str, Any] = Field(default={})
    enrichers: dict[str, Any] = Field(default={})
    plugins: PluginSettings = PluginSettings()


JUDGED_ONE_BY_ONE: dict[str, type[Settings]] = {"agents": AgentOverride, "routes": RouteSettings}
