"""Where OpenClaw keeps its things, and what its configuration says of the gateway. Read only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawatch.domain.hashing import hash_value
from clawatch_plugins.openclaw.reading import table, whole, word

NAMES = (".openclaw", ".clawdbot", ".moltbot", ".moldbot")
"""Its state directories below the home, under the names it has had; profiles append ``-name``."""
CONFIGS = ("openclaw.json", "clawdbot.json", "moltbot.json")
DEFAULT_PORT = 18_789
_MAX_CONFIG = 2_000_000
_NOISE = re.compile(r'("(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|//[^\n]*|/\*.*?\*/|\t', re.DOTALL)
_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


@dataclass(frozen=True)
class Home:
    """A state directory, and the name that its agents' ids begin with."""

    name: str
    path: Path

    @property
    def marks(self) -> str:
        """The name of its marks; two homes of one name read on each by itself."""
        return f"openclaw:{self.name}:{hash_value(str(self.path.resolve()))[:8]}"


def homes(name: str, home: Path, environ: Mapping[str, str]) -> list[Home]:
    """The state directories there are, the one that the environment names first; profiles add theirs to ``name``."""
    named = environ.get("OPENCLAW_STATE_DIR", "")
    found = [Home(name, Path(named).expanduser())] if named else []
    for base in NAMES:
        found.append(Home(name, home / base))
        found += [Home(f"{name}{path.name.removeprefix(base)}", path) for path in sorted(home.glob(f"{base}-*"))]
    real: dict[Path, Home] = {}
    for one in found:
        if one.path.is_dir():
            real.setdefault(one.path.resolve(), one)
    return list(real.values())


@dataclass(frozen=True)
class Store:
    """One agent's transcripts: files, a database, or both while they are moved."""

    agent: str
    sessions: Path
    database: Path


def stores(state_dir: Path) -> Iterator[Store]:
    for folder in sorted((state_dir / "agents").glob("*/")):
        yield Store(folder.name, folder / "sessions", folder / "agent" / "openclaw-agent.sqlite")


def ledger(state_dir: Path) -> Path:
    return state_dir / "state" / "openclaw.sqlite"


@dataclass(frozen=True)
class GatewayConfig:
    """What its configuration says; empty where it says nothing that can be used."""

    token: str = ""
    port: int = DEFAULT_PORT


def gateway_config(state_dir: Path, environ: Mapping[str, str]) -> GatewayConfig:
    """From ``openclaw.json``. Never raises: a configuration that cannot be read says nothing."""
    told = next((told for name in CONFIGS if (told := _parsed(state_dir / name)) is not None), {})
    gateway = table(told, "gateway")
    token = word(table(gateway, "auth"), "token", limit=1_000) or environ.get("OPENCLAW_GATEWAY_TOKEN", "")
    named = _VARIABLE.fullmatch(token)
    if named:
        token = environ.get(named[1], "")
    return GatewayConfig(token, whole(gateway, "port") or DEFAULT_PORT)


def _parsed(path: Path) -> dict[str, Any] | None:
    """JSON5, of which YAML knows all but the comments."""
    import yaml

    try:
        if path.stat().st_size > _MAX_CONFIG:
            return None
        text = _NOISE.sub(lambda match: match[1] or " ", path.read_text(errors="replace"))
        value = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return value if isinstance(value, dict) else None


def here() -> Mapping[str, str]:
    return os.environ
