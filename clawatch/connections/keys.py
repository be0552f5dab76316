"""The address and the key that an agent is connected with: what it has already, else a key made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clawatch.access import Access
from clawatch.app import opened_access
from clawatch.config.effective import Config
from clawatch.config.loading import find_config, load
from clawatch.config.problems import ConfigError
from clawatch.connections.files import UnreadableError, text_of
from clawatch.connections.merging import keys_in
from clawatch.domain.access import Scope
from clawatch.ports import ClaWatchError, Conflict
from clawatch.ports.connecting import Connection, Target

_MOST_NAMES = 100


async def look_up(
    connection: Connection, draft: Target, config: Path | None, data_dir: Path | None, needs_key: bool
) -> tuple[str, str]:
    """The daemon's address and a key for this agent. Raises ClaWatchError where the store may not be opened."""
    async with opened_access(_configured(config, data_dir)) as access:
        key = await _key(connection, draft, access) if needs_key else ""
        return access.public_url, key


def _configured(file: Path | None, data_dir: Path | None) -> Config:
    options: dict[str, Any] = {} if data_dir is None else {"data_dir": str(data_dir.expanduser().absolute())}
    try:
        config = load(find_config(file), options=options).config
    except ConfigError as error:
        raise ClaWatchError(str(error)) from None
    if not config.data_dir.is_dir():
        raise ClaWatchError(f"no ClaWatch has run here yet: there is no {config.data_dir}")
    return config


async def _key(connection: Connection, draft: Target, access: Access) -> str:
    for merge in connection.plan(draft).merges:
        for key in _known(merge.path):
            principal = access.check_secret(key)
            if principal is not None and principal.may(Scope.INGEST):
                return key
    for number in range(1, _MOST_NAMES):
        name = connection.name if number == 1 else f"{connection.name}-{number}"
        try:
            return await access.create_key(name, [Scope.INGEST], ["*"], "", None)
        except Conflict:
            continue
    raise ClaWatchError(f"there are {_MOST_NAMES} keys for {connection.name}; revoke some, or give one with --key")


def _known(path: Path) -> list[str]:
    try:
        return keys_in(text_of(path))
    except UnreadableError:
        return []
