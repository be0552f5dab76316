"""HTTP to the daemon over one kept connection. Redirects are never followed: the key goes where it was meant to."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from clawatch import __version__

DEFAULT_URL = "http://127.0.0.1:8787"
_MAX_ANSWER = 4 * 1024 * 1024
_MAX_RETRY_AFTER = 300.0


class Unreachable(Exception):
    """No answer came. Says why in a few words; never holds the key."""


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]
    """Empty when the answer was no JSON object."""
    retry_after: float | None
    """Seconds the server asks us to wait."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """The refusal in words."""
        error = self.body.get("error", "")
        return f"{self.status} {error}".strip() if isinstance(error, str) else str(self.status)


class Transport:
    """One connection; not for several threads at once: ``clone()`` gives another."""

    def __init__(self, url: str, key: str | None, timeout: float, longest: int = _MAX_ANSWER) -> None:
        """``longest``: bytes of an answer; larger ones count as empty.

        Raises ValueError for an address that is none, or a key with characters no key has. Opens nothing.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("the address must look like http://HOST:PORT, without user or password")
        if key and not (key.isascii() and key.isprintable()):
            raise ValueError("the key holds characters that no key has")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = quote(parts.path.rstrip("/"), safe="/%")
        self._key = key
        self._timeout = timeout
        self._connection: HTTPConnection | None = None
        self._is_aborted = False
        self._longest = longest
        self._parts = (url, key, timeout, longest)

    def __repr__(self) -> str:
        return f"Transport({self._host}:{self._port})"

    def clone(self) -> Transport:
        return Transport(*self._parts)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises Unreachable."""
        return self._ask("POST", path, body, {"Content-Type": "application/json", **(headers or {})}, self._timeout)

    def get(self, path: str, wait: float = 0.0) -> Answer:
        """``wait``: how much longer than usual the answer may take. Raises Unreachable."""
        return self._ask("GET", path, None, {}, self._timeout + wait)

    def delete(self, path: str) -> Answer:
        """Raises Unreachable."""
        return self._ask("DELETE", path, None, {}, self._timeout)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abort(self) -> None:
        """For good: a request that another thread is waiting in ends as Unreachable, and so do all later ones."""
        self._is_aborted = True
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        is_kept = self._connection is not None
        try:
            return self._exchange(method, path, body, headers, timeout)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            if not is_kept or self._is_aborted or isinstance(error, TimeoutError):
                raise Unreachable(_say(error)) from None
        # the server may have closed the kept connection meanwhile; ids make a second sending harmless
        try:
            return self._exchange(method, path, body, headers, timeout)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(_say(error)) from None

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        connection = self._open(timeout)
        connection.request(method, self._prefix + path, body, {**self._headers(), **headers})
        response = connection.getresponse()
        raw = response.read(self._longest)
        if response.read(1) or response.will_close:
            self.close()
        return Answer(response.status, _object(raw), _seconds(response.getheader("Retry-After")))

    def _open(self, timeout: float) -> HTTPConnection:
        if self._connection is None:
            kind = HTTPSConnection if self._secure else HTTPConnection
            self._connection = kind(self._host, self._port, timeout=min(timeout, self._timeout))
            self._connection.connect()
        self._connection.sock.settimeout(timeout)
        if self._is_aborted:
            raise ConnectionAbortedError("given up")
        return self._connection

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"clawatch-client/{__version__}", "Accept": "application/json"}
        if self._key:
            headers["X-ClaWatch-Key"] = self._key
        return headers


def segment(text: str) -> str:
    """``text`` as one segment of a path."""
    return quote(text, safe="")


def _say(error: Exception) -> str:
    # ValueErrors of http.client quote the header they refuse
    return type(error).__name__ if isinstance(error, ValueError) else str(error) or type(error).__name__


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), _MAX_RETRY_AFTER) if seconds == seconds else None
