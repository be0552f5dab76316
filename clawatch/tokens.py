"""Access tokens and login cookies: signed, short of memory, each good for its own audience only."""

from __future__ import annotations

import hmac
import secrets
from typing import Literal

import jwt
import msgspec
from msgspec import Struct

from clawatch.domain.time import SECOND, Millis

Audience = Literal["clawatch:token", "clawatch:cookie"]
MAX_TOKEN = 2_048
"""Characters; longer ones are not looked at."""

_ALGORITHM = "HS256"
_PRINT = 16
"""Characters of a key's hash that its tokens carry: a new key of an old name does not revive them."""


class Claims(Struct, frozen=True, omit_defaults=True):
    """``sub`` is the key's name; ``key`` the beginning of its hash, empty for a login."""

    sub: str
    aud: Audience
    exp: int
    """Seconds since the epoch."""
    key: str = ""
    jti: str = ""
    """Names a login, so that it can be ended."""

    def is_of(self, key_hash: str) -> bool:
        return hmac.compare_digest(self.key, key_hash[:_PRINT])


def claims_for(name: str, key_hash: str, audience: Audience, expires_at: Millis, jti: str = "") -> Claims:
    return Claims(name, audience, expires_at // SECOND, key_hash[:_PRINT], jti)


class Signer:
    """Signs and reads tokens with our own secret. Only HS256 is ever accepted, whatever a token's head says."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    @staticmethod
    def new_secret() -> str:
        return secrets.token_urlsafe(48)

    def sign(self, claims: Claims) -> str:
        return jwt.encode(msgspec.to_builtins(claims), self._secret, algorithm=_ALGORITHM)

    def read(self, token: str, audience: Audience, now: Millis) -> Claims | None:
        """None when it was not signed by us, is for another audience or has expired."""
        if len(token) > MAX_TOKEN or token.count(".") != 2:
            return None
        try:
            payload = jwt.decode(
                token, self._secret, algorithms=[_ALGORITHM], audience=audience,
                options={"require": ["sub", "aud", "exp"], "verify_exp": False},  # the time is judged by our own clock
            )
            claims = msgspec.convert(payload, Claims)
        except (jwt.PyJWTError, ValueError):
            return None
        return claims if now < claims.exp * SECOND else None
