"""Where to post, and what to sign with."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, field_validator

from clawatch.domain.remarks import Remark, fine, warning, wrong
from clawatch.domain.time import SECOND
from clawatch.settings import Duration, Settings, Surroundings

if TYPE_CHECKING:
    from aiohttp import ClientSession

_PREFIX = "whsec_"


class WebhookSettings(Settings):
    url: str = Field(default="", repr=False)
    """May hold a secret itself, so it is never shown."""
    secret: SecretStr = SecretStr("")
    """``whsec_`` and base64, else taken as it is; when empty nothing is signed."""
    headers: dict[str, str] = Field(default={}, repr=False)
    """Sent beside our own, an ``Authorization`` for example."""
    timeout: Duration = 10 * SECOND
    verify: bool = True
    """Whether the server's certificate is checked."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        url = url.strip()
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("is not a URL; write it like https://example.com/hook")
        return url

    @field_validator("secret")
    @classmethod
    def _is_a_secret(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value().strip()
        signing_key(text)
        return SecretStr(text)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name.isascii() or not name.isprintable() or not value.isprintable() or " " in name or ":" in name:
                raise ValueError("holds a name or value that cannot be a header")
            if name.lower().startswith("webhook-"):
                raise ValueError("must not name webhook-id, webhook-timestamp or webhook-signature; those are ours")
        return headers

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys without which it cannot run."""
        return () if self.url else ("url",)

    @property
    def is_configured(self) -> bool:
        return not self.missing

    async def examine(self, surroundings: Surroundings) -> list[Remark]:
        remarks = []
        if not self.secret.get_secret_value():
            remarks.append(warning("requests are not signed, so the receiver cannot tell them from others'",
                                   "set secret, and check the signature there"))
        if surroundings.session is not None:
            remarks.append(await self._call(surroundings.session))
        return remarks or [fine("configured, and signed")]

    async def _call(self, session: ClientSession) -> Remark:
        """Whether somebody answers; HEAD, since nothing is to be announced."""
        from aiohttp import ClientError

        try:
            async with session.head(self.url, ssl=self.verify, allow_redirects=False) as answer:
                return fine(f"somebody answers (HTTP {answer.status})")
        except (OSError, ClientError, TimeoutError, ValueError) as error:
            return wrong(f"nobody answers ({type(error).__name__})", "check the URL, the name and the firewall")


def signing_key(secret: str) -> bytes:
    """The bytes to sign with. Raises ValueError when ``whsec_`` is not followed by base64."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("starts with whsec_ but does not go on in base64")
    return key
