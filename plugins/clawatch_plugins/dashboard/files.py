"""The built page's files, read once: there are few of them, and they are small."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What a page is made of; other files are not served."""
_SMALL = 512
"""Bytes that are not worth compressing."""


@dataclass(frozen=True)
class File:
    type: str
    body: bytes
    packed: bytes | None
    """The body by gzip; None where that gains nothing."""
    tag: str


@dataclass(frozen=True)
class Page:
    index: File
    assets: dict[str, File]
    """By name. The name changes with the content."""


def read_page(folder: Path) -> Page | None:
    """None when the page has not been built."""
    index = folder / "index.html"
    if not index.is_file():
        return None
    assets = (path for path in sorted((folder / "assets").glob("*")) if path.suffix in TYPES)
    return Page(_read(index), {path.name: _read(path) for path in assets})


def file_of(kind: str, body: bytes) -> File:
    packed = gzip.compress(body, 9, mtime=0) if len(body) > _SMALL else body
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return File(kind, body, packed if len(packed) < len(body) else None, tag)


def _read(path: Path) -> File:
    return file_of(TYPES[path.suffix], path.read_bytes())
