"""The device that ClaWatch is to a gateway: an Ed25519 key of our own, which the gateway's owner approves once."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clawatch.ports import MarksPort

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CLIENT_ID, CLIENT_MODE = "gateway-client", "backend"
"""Both are closed lists in the protocol; our own name goes into ``displayName``."""
ROLE = "operator"
SCOPES = ("operator.read", "operator.write")
PLATFORM = sys.platform
_KEY, _TOKEN = "device_key", "device_token"


class Device:
    """``token``: what the gateway has given this device, empty before it was approved."""

    def __init__(self, key: Ed25519PrivateKey, token: str = "") -> None:
        self._key = key
        self.token = token

    @property
    def public(self) -> bytes:
        """The raw 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        return sha256(self.public).hexdigest()

    def prove(self, nonce: str, signed_at: int, token: str, scopes: Sequence[str] = SCOPES) -> dict[str, Any]:
        """The ``device`` of a connect request: signed over the challenge and what is asked for (v3)."""
        text = signed_text(self.id, scopes, signed_at, token, nonce)
        return {
            "id": self.id,
            "publicKey": encode(self.public),
            "signature": encode(self._key.sign(text.encode())),
            "signedAt": signed_at,
            "nonce": nonce,
        }


def signed_text(device_id: str, scopes: Sequence[str], signed_at: int, token: str, nonce: str) -> str:
    """What a device signs; the last field, its family, is empty."""
    asked = (CLIENT_ID, CLIENT_MODE, ROLE, ",".join(scopes))
    return "|".join(("v3", device_id, *asked, str(signed_at), token, nonce, PLATFORM, ""))


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def load_device(marks: MarksPort, source: str) -> Device:
    """The one that was made at the first start, or a new one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    known = await marks.read(source)
    if _KEY in known:
        return Device(Ed25519PrivateKey.from_private_bytes(decode(known[_KEY])), known.get(_TOKEN, ""))
    key = Ed25519PrivateKey.generate()
    await marks.write(source, {_KEY: encode(key.private_bytes_raw())})
    return Device(key)


async def keep_token(marks: MarksPort, source: str, device: Device, token: str | None) -> None:
    """Remember what the gateway has given us, or (None) that it is worth nothing any more."""
    if token != (device.token or None):
        device.token = token or ""
        await marks.write(source, {_TOKEN: token})
