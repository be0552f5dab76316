"""Who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from clawatch.domain.access import Key, Principal, Scope
from clawatch.domain.time import Millis

if TYPE_CHECKING:
    from aiohttp import web


class AccessPort(Protocol):
    """Who is asking, and the keys there are."""

    @property
    def public_url(self) -> str:
        """Without a trailing slash."""
        ...

    @property
    def cookie_name(self) -> str: ...

    def check_secret(self, secret: str) -> Principal | None:
        """A key or an access token; None when it is neither, expired or revoked."""
        ...

    def authenticate(self, request: web.Request) -> Principal | None:
        """By X-ClaWatch-Key, Authorization, cookie, ``?token=`` (WebSockets only) or a loopback grant."""
        ...

    async def identify(self, request: web.Request, secret: str | None = None) -> Principal | None:
        """As ``authenticate``, or by a ``secret`` that came in a first frame; looks into the store once more
        before it calls a secret unknown. Raises TooMany when this address guesses, Forbidden for a cookie
        from another site."""
        ...

    def is_from_here(self, request: web.Request) -> bool:
        """Whether it comes from this machine, through no proxy and by one of our names, whatever page asked for it."""
        ...

    def is_own_origin(self, request: web.Request) -> bool:
        """Whether the request names an Origin, and it is one of our own pages'."""
        ...

    def secret_of(self, request: web.Request) -> str | None:
        """The key or token that came with it, unchecked; login cookies are none."""
        ...

    def issue_token(self, principal: Principal) -> tuple[str, int]:
        """An access token for this principal's key, and its life in seconds. Raises Forbidden when it has none."""
        ...

    async def issue_login(self, life: Millis) -> str:
        """A one-time login link for the admin."""
        ...

    async def redeem_login(self, code: str) -> str | None:
        """The cookie's value for a one-time code; None when it is wrong, used or expired."""
        ...

    def keys(self) -> list[Key]: ...

    async def create_key(
        self, name: str, scopes: Sequence[Scope], agents: Sequence[str], user: str, expires_at: Millis | None
    ) -> str:
        """The new key, shown this once. Raises Conflict when the name is taken, Invalid when it is no name."""
        ...

    async def revoke_key(self, name: str) -> None:
        """Raises NotFound, or Conflict for a key of the configuration."""
        ...
