"""Recordings in Parquet: a table with a row for each line, and a column for each field of any kind of line.

``kind`` says what a row is; what it has no use for is null. Fields that are objects or lists in NDJSON are structs,
maps, lists or JSON text. The rows are in the order that lines would be in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

_ROWS = 10_000
_STRUCTURED = frozenset({
    "metrics", "segments", "regions", "by_segment", "by_region", "world_state", "initial_state", "key_influences",
    "state", "variable_changes", "aggregates",
})  # fmt: skip
_WHOLE = frozenset({"tick", "decision_tick", "keyframe_interval", "affected_agents"})
"""Numbers that tables with nulls often hold as floats."""


def rows_of(file: Path) -> Iterator[bytes]:
    """Lines of NDJSON, row by row; a few thousand rows are in memory."""
    for batch in _open(file).iter_batches(batch_size=_ROWS):
        for row in batch.to_pylist():
            yield json.dumps(_line(row), default=_text).encode()


def number_of_rows(file: Path) -> int:
    rows: int = _open(file).metadata.num_rows
    return rows


def _open(file: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise click.ClickException("Parquet needs pyarrow: pip install 'clawatch[parquet]'") from None
    try:
        return ParquetFile(file)
    except (ArrowException, OSError) as error:
        raise click.ClickException(f"{file} is no Parquet file: {error}") from None


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if name in _STRUCTURED:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                return value  # the daemon says which line it is
        return _plain(value)
    if name in _WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _plain(value: Any) -> Any:
    """Structs without their nulls, and maps, which come as lists of pairs, as objects."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
            return {str(key): _plain(one) for key, one in value}
        return [_plain(one) for one in value]
    return value


def _text(value: Any) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)
