"""Access: who is asking, and the keys there are."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from clawatch.apis.callers import Place, client_of, is_loopback, is_websocket
from clawatch.apis.limits import counted_address
from clawatch.domain.access import Key, Principal, Scope, hash_secret, new_secret, principal_of
from clawatch.domain.redaction import is_own_secret
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND, Millis
from clawatch.guesses import Guesses
from clawatch.ports import (
    ClaWatchError,
    Clock,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StorePort,
    StoreUnavailable,
)
from clawatch.settings import RateLimit
from clawatch.tokens import Claims, Signer, claims_for

COOKIE_LIFE: Millis = 30 * DAY
LONGEST_LIFE: Millis = 36_500 * DAY
"""Of a key that expires; later instants have no ISO form."""
LOGIN_USER = "admin"
"""Whose a login link is: it is printed where only the admin looks, and belongs to no key."""
LOOK_AGAIN: Millis = 100
"""An unknown secret makes us look into the store at most this often."""
MAX_SECRET = 4_096
SIGNING_SECRET = "token_key"  # noqa: S105 - the name it is kept under
GUESSES = RateLimit(10, MINUTE)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,63}", re.ASCII)
_NOTHING = hash_secret("")


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """What the configuration says of access. ``keys`` are made by ``fixed_key``."""

    keys: tuple[Key, ...] = ()
    loopback: tuple[Scope, ...] = ()
    token_ttl: Millis = HOUR
    host: str = "127.0.0.1"
    port: int = 8787
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    guesses: RateLimit | None = GUESSES
    """How many different wrong secrets, and how many login codes, one address may try (``limits.login``)."""


def fixed_key(
    name: str, secret: str, scopes: Iterable[Scope], agents: Sequence[str] = ("*",), user: str = ""
) -> Key:
    """A key of the configuration, hashed at once. One with an empty secret opens nothing."""
    return Key(
        name=name, hash=hash_secret(secret), scopes=tuple(scopes), agents=tuple(agents), user=user, is_fixed=True
    )


class Access:
    """Implements ``ports.AccessPort``. Call ``open`` before anything else, and ``refresh`` every half second."""

    def __init__(self, store: StorePort, settings: AccessSettings, clock: Clock) -> None:
        self.settings = settings
        self.place = Place(settings.host, settings.port, settings.public_url, settings.trusted_proxies)
        self._store = store
        self._clock = clock
        self._fixed = {key.hash: key for key in settings.keys if key.hash != _NOTHING}
        self._by_hash: dict[str, Key] = {}
        self._by_name: dict[str, Key] = {}
        self._principals: dict[str, Principal] = {}
        """By the hash of their key."""
        self._index([])
        self._ended: set[str] = set()
        """Logins that were ended before their time."""
        self._signer = Signer(Signer.new_secret())
        self._refreshing = asyncio.Lock()
        self._looked_at: Millis | None = None
        self.guesses = Guesses(settings.guesses)
        self.gives_away: Callable[[str], bool] = is_own_secret
        """Whether a secret stands in what will be shown of a key."""

    async def open(self) -> None:
        """Read the keys and the signing secret; make the latter the first time."""
        if await self._store.secret(SIGNING_SECRET) is None:
            await self._store.put_secret(SIGNING_SECRET, Signer.new_secret())
        self._signer = Signer(await self._store.secret(SIGNING_SECRET) or Signer.new_secret())
        await self.refresh()

    async def refresh(self) -> None:
        """Take up keys that another process made or revoked. A store that cannot be read changes nothing."""
        async with self._refreshing:
            try:
                self._index(await self._store.keys())
                self._ended |= await self._store.ended_logins()
            except StoreUnavailable:
                return

    def bound(self, port: int) -> None:
        """The port we really listen on, when the configuration left the choice to the system."""
        settings = self.settings
        self.place = Place(settings.host, port, settings.public_url, settings.trusted_proxies)

    def _index(self, stored: Iterable[Key]) -> None:
        fixed_names = {key.name for key in self._fixed.values()}
        self._by_hash = {key.hash: key for key in stored if key.name not in fixed_names} | self._fixed
        self._by_name = {key.name: key for key in self._by_hash.values()}
        self._principals = {key.hash: principal_of(key) for key in self._by_hash.values()}

    # -- who is asking --------------------------------------------------------------------------------

    @property
    def public_url(self) -> str:
        return self.place.public_url

    @property
    def cookie_name(self) -> str:
        """Named per port, since cookies do not know ports."""
        return f"clawatch_{self.place.port}"

    def check_secret(self, secret: str) -> Principal | None:
        if not 0 < len(secret) <= MAX_SECRET:
            return None
        key = self._key_of(secret)
        if key is not None:
            return self._principals[key.hash] if self._is_alive(key) else None
        claims = self._signer.read(secret, "clawatch:token", self._clock.now().wall)
        return None if claims is None else self._holder(claims)

    def authenticate(self, request: web.Request) -> Principal | None:
        """See ``ports.AccessPort``. A secret that is there must be right: it is not passed over for a cookie."""
        secret = presented_secret(request)
        if secret is not None:
            return self.check_secret(secret)
        return self._by_cookie(request) or self._by_loopback(request)

    def is_from_here(self, request: web.Request) -> bool:
        return self.place.is_from_here(request)

    def is_own_origin(self, request: web.Request) -> bool:
        return "Origin" in request.headers and self.place.is_own_origin(request)

    def secret_of(self, request: web.Request) -> str | None:
        return presented_secret(request)

    async def identify(self, request: web.Request, secret: str | None = None) -> Principal | None:
        secret = presented_secret(request) if secret is None else secret
        if secret is None:
            return self.authenticate(request)
        principal = self.check_secret(secret)
        if principal is None and await self._look_again():
            principal = self.check_secret(secret)
        self._judge_guess(request, secret, principal)
        return principal

    def count_login(self, request: web.Request) -> None:
        """Count an attempt at the login page. Raises TooMany."""
        self.guesses.count(self._guesser(request), self._clock.now().mono)

    def _guesser(self, request: web.Request) -> str:
        """Whose tries are counted. Other sites' pages have their own, or they would use up those of their visitor."""
        address = counted_address(client_of(request))
        return f"pages at {address}" if self.place.is_asked_for_elsewhere(request) else address

    def _judge_guess(self, request: web.Request, secret: str, principal: Principal | None) -> None:
        if principal is None:
            self.guesses.count_wrong(self._guesser(request), secret, self._clock.now().mono)
        elif principal.via == "key" and self._by_name[principal.name].is_fixed:
            self.guesses.check_right(self._guesser(request), principal.name, self._clock)

    def _key_of(self, secret: str) -> Key | None:
        digest = hash_secret(secret)
        key = self._by_hash.get(digest)
        return key if key is not None and hmac.compare_digest(key.hash, digest) else None

    def _is_alive(self, key: Key) -> bool:
        return key.expires_at is None or self._clock.now().wall < key.expires_at

    def _holder(self, claims: Claims) -> Principal | None:
        """Whose an access token is; None when that key was revoked or replaced meanwhile."""
        key = self._by_name.get(claims.sub)
        if key is None or not claims.is_of(key.hash) or not self._is_alive(key):
            return None
        return principal_of(key, via="token")

    def _by_cookie(self, request: web.Request) -> Principal | None:
        claims = self._cookie_of(request)
        if claims is None:
            return None
        must_tell = request.method not in SAFE_METHODS or is_websocket(request)
        if self.place.is_asked_for_elsewhere(request) or (must_tell and not self.place.is_own_origin(request)):
            raise Forbidden("a request with a login cookie must come from ClaWatch's own page")
        return Principal(name=LOGIN_USER, user=LOGIN_USER, scopes=frozenset({Scope.ADMIN}), via="cookie")

    def _cookie_of(self, request: web.Request) -> Claims | None:
        """The login that a cookie stands for; None when it has ended."""
        cookie = request.cookies.get(self.cookie_name)
        claims = self._signer.read(cookie, "clawatch:cookie", self._clock.now().wall) if cookie else None
        return None if claims is None or claims.jti in self._ended else claims

    def _by_loopback(self, request: web.Request) -> Principal | None:
        if not self.settings.loopback or not self.place.is_local(request):
            return None
        return Principal(
            name="loopback", user="loopback", scopes=frozenset(self.settings.loopback), via="loopback"
        )

    async def _look_again(self) -> bool:
        now = self._clock.now().mono
        if self._looked_at is not None and now - self._looked_at < LOOK_AGAIN:
            return False
        self._looked_at = now
        await self.refresh()
        return True

    # -- tokens and logins ----------------------------------------------------------------------------

    def issue_token(self, principal: Principal) -> tuple[str, int]:
        key = self._by_name.get(principal.name)
        if principal.via != "key" or key is None:
            raise Forbidden("an access token is given for a key only")
        now = self._clock.now().wall
        expires_at = min(now + self.settings.token_ttl, key.expires_at or now + self.settings.token_ttl)
        token = self._signer.sign(claims_for(key.name, key.hash, "clawatch:token", expires_at))
        return token, (expires_at - now) // SECOND

    async def issue_login(self, life: Millis) -> str:
        code = new_secret()  # with a key's prefix, so that it is known for a secret wherever it turns up
        await self._store.put_login(hash_secret(code), self._clock.now().wall + life)
        return f"{self.public_url}/login#{code}"

    async def redeem_login(self, code: str) -> str | None:
        now = self._clock.now().wall
        if not 0 < len(code) <= MAX_SECRET or not await self._store.take_login(hash_secret(code), now):
            return None
        claims = claims_for(LOGIN_USER, "", "clawatch:cookie", now + COOKIE_LIFE, secrets.token_urlsafe(12))
        return self._signer.sign(claims)

    async def end_login(self, request: web.Request) -> None:
        """From now on nobody is let in by the cookie that came along. Raises StoreUnavailable: only until a restart."""
        claims = self._cookie_of(request)
        if claims is not None:
            self._ended.add(claims.jti)
            await self._store.end_login(claims.jti, claims.exp * SECOND)

    # -- keys -----------------------------------------------------------------------------------------

    def keys(self) -> list[Key]:
        return sorted(self._by_hash.values(), key=lambda key: key.name)

    async def create_key(
        self, name: str, scopes: Sequence[Scope], agents: Sequence[str], user: str, expires_at: Millis | None
    ) -> str:
        if not _NAME.fullmatch(name):
            raise Invalid("a key's name has 1 to 64 letters, digits and . _ @ + -, beginning with a letter or digit")
        if not scopes or not agents:
            raise Invalid("a key needs at least one scope and one agent pattern")
        if any(map(self.gives_away, (name, user, *agents))):
            raise Invalid("a key's name, user and patterns are shown; they must not hold a key or token")
        if name in self._by_name:
            raise Conflict(f"there is a key named {name} already")
        secret, now = new_secret(), self._clock.now().wall
        if expires_at is not None and expires_at > now + LONGEST_LIFE:
            raise Invalid("a key expires within a hundred years; say nothing for one that never does")
        await self._store.put_key(Key(
            name=name, hash=hash_secret(secret), scopes=tuple(scopes), agents=tuple(agents), user=user,
            created_at=now, expires_at=expires_at,
        ))
        await self.refresh()
        return secret

    async def revoke_key(self, name: str) -> None:
        key = self._by_name.get(name)
        if key is not None and key.is_fixed:
            raise Conflict(f"the key {name} comes from the configuration; remove it there")
        if not await self._store.delete_key(name):
            raise NotFound(f"there is no key named {name}")
        await self.refresh()

    async def first_key(self) -> str | None:
        """The admin key, made now because there was no key at all; None when there is one.

        Raises when others can reach us: then the operator must have made a key on purpose.
        """
        if any(self._is_alive(key) for key in self._by_hash.values()):
            return None
        if not is_loopback(self.settings.host):
            raise ClaWatchError(
                f"server.host {self.settings.host} can be reached by others and there is no key: set auth.keys, "
                "or run `clawatch keys create --name admin --scope admin`"
            )
        if "admin" in self._by_name:  # expired, on purpose
            return None
        return await self.create_key("admin", [Scope.ADMIN], ["*"], LOGIN_USER, None)


def presented_secret(request: web.Request) -> str | None:
    """The key or token that came with a request: X-ClaWatch-Key, Authorization, and ``?token=`` on WebSockets."""
    key = request.headers.get("X-ClaWatch-Key")
    if key is not None:
        return key.strip()
    kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip()
    return request.query.get("token") if is_websocket(request) else None
