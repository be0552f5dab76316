"""The gateway's frames: requests, answers, events, and what an answer can refuse."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from clawatch_plugins.openclaw.reading import Told, items, table, whole, word

MAX_FRAME = 26_214_400
"""What a gateway may send at once after the handshake."""
DEFAULT_TICK = 30.0
UNADVERTISED = frozenset({
    "sessions.usage", "sessions.usage.logs", "sessions.usage.timeseries", "sessions.get", "sessions.resolve",
})
"""Methods that work and are never listed."""
_PAIRING = ("pairing_required", "not_paired", "pairing required", "device not paired")
_VERSION = ("protocol mismatch", "protocol_mismatch", "unsupported protocol", "protocol version")
_TOKEN = ("unauthorized", "auth_failed", "token_mismatch", "token mismatch", "token missing", "unauthenticated")
_UNKNOWN = ("unknown method", "method_not_found", "unknown_method", "not implemented")
_INVALID = ("invalid_request", "invalid params", "invalid_params", "unexpected property", "additional")


class Refused(Exception):
    """The gateway's refusal, in its own words."""

    def __init__(self, error: Told) -> None:
        self.code = word(error, "code") or "ERROR"
        self.message = word(error, "message", limit=300)
        self.details = table(error, "details")
        self.retry_after = whole(error, "retryAfterMs") / 1000 or None
        super().__init__(f"{self.code}: {self.message}" if self.message else self.code)

    def _says(self, phrases: tuple[str, ...]) -> bool:
        said = " ".join((self.code, self.message, word(self.details, "code"), word(self.details, "reason"))).lower()
        return any(phrase in said for phrase in phrases)

    @property
    def needs_approval(self) -> bool:
        return self._says(_PAIRING)

    @property
    def is_about_version(self) -> bool:
        return self._says(_VERSION)

    @property
    def is_about_token(self) -> bool:
        return not self.needs_approval and self._says(_TOKEN)

    @property
    def is_unknown_method(self) -> bool:
        return self._says(_UNKNOWN)

    @property
    def is_invalid(self) -> bool:
        return self._says(_INVALID)

    @property
    def request_id(self) -> str:
        """By which the gateway's owner approves the device; empty when it is not told."""
        told = word(self.details, "requestId", limit=64)
        return told if told.replace("-", "").replace("_", "").isalnum() else ""


class Hello(Struct, frozen=True, kw_only=True):
    """What the gateway says when it lets us in."""

    protocol: int
    version: str
    methods: frozenset[str]
    scopes: frozenset[str]
    device_token: str
    tick: float
    """Seconds between two of its ticks."""

    def has(self, method: str) -> bool:
        return method in self.methods or method in UNADVERTISED


def read_hello(payload: Told) -> Hello:
    auth, policy = table(payload, "auth"), table(payload, "policy")
    return Hello(
        protocol=whole(payload, "protocol"),
        version=word(table(payload, "server"), "version"),
        methods=frozenset(m for m in items(table(payload, "features"), "methods") if isinstance(m, str)),
        scopes=frozenset(s for s in items(auth, "scopes") if isinstance(s, str)),
        device_token=word(auth, "deviceToken", limit=1_000),
        tick=whole(policy, "tickIntervalMs") / 1000 or DEFAULT_TICK,
    )


def request_frame(request_id: str, method: str, params: Told) -> str:
    frame: dict[str, Any] = {"type": "req", "id": request_id, "method": method, "params": params}
    return msgspec.json.encode(frame).decode()
