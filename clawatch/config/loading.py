"""From a file to a configuration: read raw, load plugins, then validate everything and tell all mistakes at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clawatch.config.document import Document, read
from clawatch.config.effective import Config
from clawatch.config.models import FileSettings, PluginSettings
from clawatch.config.overrides import read_rule_book
from clawatch.config.parts import Settling
from clawatch.config.problems import ConfigError, Problem, say_known
from clawatch.config.routes import read_routes
from clawatch.config.validation import validate
from clawatch.plugins import Registry, collect

NO_FILE = "configuration"
_CWD_FILE = Path("config.yaml")
_SYSTEM_FILE = Path("/etc/clawatch/config.yaml")


@dataclass(frozen=True)
class Loaded:
    config: Config
    registry: Registry
    path: Path | None
    """None: there was no file."""


def find_config(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: the one named, ``$CLAWATCH_CONFIG``, ``./config.yaml``, the user's, the system's, else None.

    Raises ConfigError when the one that was asked for is not there.
    """
    asked = explicit or (Path(environ["CLAWATCH_CONFIG"]) if environ.get("CLAWATCH_CONFIG") else None)
    if asked is not None:
        if not asked.is_file():
            raise ConfigError([Problem(str(asked), None, "", "there is no such file")])
        return asked
    places = (_CWD_FILE, _expand("~/.config/clawatch/config.yaml", environ), _SYSTEM_FILE)
    return next((place for place in places if place.is_file()), None)


def load(
    path: Path | None,
    environ: Mapping[str, str] = os.environ,
    options: Mapping[str, Any] | None = None,
    installed: Iterable[EntryPoint] | None = None,
) -> Loaded:
    """The configuration of a file (None: the defaults). Raises ConfigError with every mistake there is.

    ``options`` are what the command line sets, in the file's own form: ``{"server": {"port": 0}}``.
    """
    document, settings, problems = _settings(path, environ, options)
    data_dir = _data_dir(settings.data_dir, path, environ)
    registry = _collect(settings.plugins, data_dir, path, environ, installed, document, problems)
    config = _effective(document, settings, registry, data_dir, problems)
    if problems or config is None:
        raise ConfigError(problems)
    return Loaded(config, registry, path)


def load_plugins(path: Path | None, environ: Mapping[str, str] = os.environ) -> Registry:
    """The plugins alone, as far as the configuration can be understood. Raises ConfigError when it is no YAML."""
    document, settings, problems = _settings(path, environ, None)
    data_dir = _data_dir(settings.data_dir, path, environ)
    return _collect(settings.plugins, data_dir, path, environ, None, document, problems)


# -- the file as a whole ------------------------------------------------------------------------------


def _settings(
    path: Path | None, environ: Mapping[str, str], options: Mapping[str, Any] | None
) -> tuple[Document, FileSettings, list[Problem]]:
    document = Document(NO_FILE) if path is None else read(path, environ)
    if document.problems and not document.values:
        raise ConfigError(document.problems)
    document = document.with_options(options or {})
    values = {key: value for key, value in document.values.items() if value is not None}
    problems = list(document.problems)
    settings = validate(FileSettings, values, document, (), problems)
    if settings is None:
        settings = _as_far_as_valid(values)
    return document, settings, problems


def _as_far_as_valid(values: Mapping[str, Any]) -> FileSettings:
    """The settings without the keys that are wrong, so that the mistakes in the others are found too."""
    right = {}
    for key, value in values.items():
        mistakes: list[Problem] = []
        if validate(FileSettings, {key: value}, Document(NO_FILE), (), mistakes) is not None:
            right[key] = value
    settings = validate(FileSettings, right, Document(NO_FILE), (), [])
    assert settings is not None
    return settings


def _collect(
    settings: PluginSettings, data_dir: Path, path: Path | None, environ: Mapping[str, str],
    installed: Iterable[EntryPoint] | None, document: Document, problems: list[Problem],
) -> Registry:
    directory = None if settings.directory is None else _resolve(settings.directory, path, environ)
    registry = collect(settings.disabled, directory, data_dir, installed)
    known = [report.name for report in registry.reports]
    for index, name in enumerate(settings.disabled):
        if name not in known:
            message = f"there is no plugin {name[:80]!r}; {say_known(name, known)}"
            problems.append(document.problem(("plugins", "disabled", index), message))
    return registry


def _data_dir(named: str | None, path: Path | None, environ: Mapping[str, str]) -> Path:
    if named is not None:
        return _resolve(named, path, environ)
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd lists several with colons
    return Path(state) if state else _expand("~/.local/share/clawatch", environ)


def _resolve(text: str, path: Path | None, environ: Mapping[str, str]) -> Path:
    """A path in the file is seen from where the file lies."""
    folder = Path.cwd() if path is None else path.parent.absolute()
    return folder / _expand(text, environ)


def _expand(text: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        return Path(home, text[2:])
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user, or a user without a home
        return Path(text)


# -- everything together ------------------------------------------------------------------------------


def _effective(
    document: Document, settings: FileSettings, registry: Registry, data_dir: Path, problems: list[Problem]
) -> Config | None:
    settling = Settling(document, registry, problems)
    storage = settling.storage(settings.storage)
    rules = settling.section("rules", registry.rules, settings.rules)
    notifiers = settling.section("notifiers", registry.notifiers, settings.notifiers)
    sources = settling.section("sources", registry.sources, settings.sources)
    apis = settling.section("apis", registry.apis, settings.apis)
    controllers = settling.section("controllers", registry.controllers, settings.controllers)
    priced = _with_prices(settings, document, registry)
    enrichers = settling.section("enrichers", registry.enrichers, priced)
    rule_book = read_rule_book(document, settings, rules, registry, problems)
    routes = read_routes(document, settings, rules, problems)
    if storage is None:
        return None
    return Config(
        server=settings.server, data_dir=data_dir, timezone=settings.timezone or local_zone(), auth=settings.auth,
        storage=storage, retention=settings.retention, limits=settings.limits, prices=settings.prices,
        redact=settings.redact, rules=rules, sources=sources, notifiers=notifiers, routes=routes, apis=apis,
        controllers=controllers, enrichers=enrichers, plugins=settings.plugins, rule_book=rule_book,
        left_out=tuple(settling.left_out),
    )


def _with_prices(settings: FileSettings, document: Document, registry: Registry) -> dict[str, Any]:
    """The enrichers' blocks, with the operator's own prices handed to the enricher of that name."""
    blocks = dict(settings.enrichers)
    prices = document.values.get("prices") if settings.prices else None
    block = blocks.get("prices")
    if prices and "prices" in registry.enrichers and (block is None or isinstance(block, dict)):
        blocks["prices"] = {"overrides": prices, **(block or {})}
    return blocks


def local_zone() -> ZoneInfo:
    """The machine's time zone; UTC where it cannot be made out."""
    from tzlocal import get_localzone

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tzlocal warns about unusual machines; a wrong guess is only cosmetic
            return ZoneInfo(str(get_localzone()))
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")
