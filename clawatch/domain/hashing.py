"""Hashes of what is compared but never kept: arguments, results, names of series."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec


def hash_value(value: Any) -> str:
    """32 hex digits; the same for equal JSON values, whatever the order of their keys. Never raises."""
    return blake2b(_canonical(value), digest_size=16).hexdigest()


def _canonical(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="deterministic", enc_hook=repr)
    except RecursionError:
        return b"nested too deeply"
    except (ValueError, TypeError):  # lone surrogates, odd keys
        return repr(value).encode("utf-8", "surrogatepass")
