"""Keys, for the administrator. Neither a key nor its hash is ever shown again."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from clawatch.apis.bodies import read_json
from clawatch.apis.envelopes import reply
from clawatch.apis.routes import Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import Millis
from clawatch.ports import Core, Forbidden, Invalid, NotFound
from clawatch_plugins.clawatch.asking import checked_texts, duration_in, known_word
from clawatch_plugins.clawatch.views import key_view
from clawatch_plugins.clawatch.wire import Done, KeyList, KeyMade, KeyWanted

MAX_PATTERNS = 100


class Keys:
    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> tuple[Route, ...]:
        path = "/api/keys"
        return (
            Route("GET", path, self.list, Scope.ADMIN, "All keys, without their secrets", gives=KeyList),
            Route(
                "POST", path, self.create, Scope.ADMIN, "Make a key; it is shown this once",
                takes=KeyWanted, gives=KeyMade, status=201,
            ),
            Route("DELETE", f"{path}/{{name}}", self.revoke, Scope.ADMIN, "Revoke a key", gives=Done),
        )

    async def list(self, request: web.Request, principal: Principal) -> web.Response:
        keys = sorted(self._core.access.keys(), key=lambda key: key.name)
        return reply(KeyList(keys=tuple(key_view(key) for key in keys if _has_all_of(principal, key.agents))))

    async def create(self, request: web.Request, principal: Principal) -> web.Response:
        wanted = await read_json(request, KeyWanted)
        checked_texts([("name", wanted.name), ("user", wanted.user)], most=100)
        scopes = [known_word("scopes", scope, Scope) for scope in dict.fromkeys(wanted.scopes)]
        if not scopes:
            raise Invalid("scopes: a key needs at least one")
        secret = await self._core.access.create_key(
            wanted.name, scopes, _agents(wanted, principal), _user(wanted, principal),
            self._expiry(wanted.expires, principal),
        )
        return reply(KeyMade(name=wanted.name, key=secret), 201, {"Cache-Control": "no-store"})

    def _expiry(self, expires: str | None, principal: Principal) -> Millis | None:
        """When the new key expires: not after the one that makes it."""
        keys = self._core.access.keys()
        own = next((key.expires_at for key in keys if key.name == _key_of(principal)), None)
        if expires is None:
            return own
        expires_at = self._core.clock.now().wall + duration_in("expires", expires)
        if own is not None and expires_at > own:
            raise Forbidden(f"the key {principal.name!r} can only make keys that expire no later than itself")
        return expires_at

    async def revoke(self, request: web.Request, principal: Principal) -> web.Response:
        name = request.match_info["name"]
        keys = self._core.access.keys()
        if any(key.name == name and not _has_all_of(principal, key.agents) for key in keys):
            raise NotFound(f"there is no key named {name}")
        await self._core.access.revoke_key(name)
        return reply(Done())


def _key_of(principal: Principal) -> str | None:
    return principal.name if principal.via in ("key", "token") else None


def _user(wanted: KeyWanted, principal: Principal) -> str:
    """Whose the new key is. Who may speak for some agents only cannot speak for another user."""
    if principal.sees_all:
        return wanted.user
    if wanted.user not in ("", principal.user):
        raise Forbidden(f"the key {principal.name!r} can only make keys of its own user")
    return principal.user


def _agents(wanted: KeyWanted, principal: Principal) -> list[str]:
    """The new key's patterns. Nobody can give away more than they have."""
    agents = list(principal.agents) if wanted.agents is None else wanted.agents
    if not agents or len(agents) > MAX_PATTERNS:
        raise Invalid(f"agents: give 1 to {MAX_PATTERNS} patterns")
    checked_texts([("agents", pattern) for pattern in agents], most=200)
    if not _has_all_of(principal, agents):
        raise Forbidden(f"the key {principal.name!r} can only give away its own agent patterns")
    return agents


def _has_all_of(principal: Principal, agents: Iterable[str]) -> bool:
    """Whether what these patterns open is the principal's own: other keys are none of its business."""
    return principal.sees_all or set(agents) <= set(principal.agents)
