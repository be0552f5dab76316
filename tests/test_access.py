"""Keys, tokens, login codes and what a request may be taken for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from clawatch.access import COOKIE_LIFE, SIGNING_SECRET, Access, AccessSettings, fixed_key
from clawatch.domain.access import KEY_PREFIX, Scope, hash_secret
from clawatch.domain.time import DAY, HOUR, MINUTE, SECOND
from clawatch.ports import ClaWatchError, Conflict, Forbidden, Invalid, NotFound, StoreUnavailable, TooMany
from clawatch.settings import RateLimit
from clawatch.testing.clock import FakeClock
from clawatch.testing.memory import MemoryStore

MakeAccess = Callable[..., Awaitable[Access]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def access_with(store: MemoryStore, clock: FakeClock) -> MakeAccess:
    async def make(**settings: Any) -> Access:
        access = Access(store, AccessSettings(**settings), clock)
        await access.open()
        return access

    return make


class Transport:
    """A connection from ``peer`` as aiohttp sees it."""

    def __init__(self, peer: str = "127.0.0.1", own: str = "127.0.0.1") -> None:
        self._info: dict[str, Any] = {"peername": (peer, 50_000), "sockname": (own, 8787)}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._info.get(name, default)


def a_request(method: str = "GET", path: str = "/", peer: str = "127.0.0.1", own: str = "127.0.0.1",
              **headers: str) -> web.Request:
    sent = {"Host": "127.0.0.1:8787"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, path, headers=sent, transport=Transport(peer, own))  # type: ignore[arg-type]


# -- keys -----------------------------------------------------------------------------------------------


async def test_a_made_key_opens_at_once_and_carries_its_rights(access_with: MakeAccess) -> None:
    access = await access_with()
    secret = await access.create_key("ci", [Scope.INGEST], ["build-*"], "olga", None)
    principal = access.check_secret(secret)
    assert principal is not None
    assert secret.startswith(KEY_PREFIX)
    assert (principal.name, principal.user, principal.scopes) == ("ci", "olga", {Scope.INGEST})
    assert principal.sees("build-7")
    assert not principal.sees("other")


async def test_a_fixed_key_is_kept_as_its_hash_only(access_with: MakeAccess) -> None:
    access = await access_with(keys=(fixed_key("ops", "a secret", [Scope.ADMIN]),))
    assert access.check_secret("a secret") is not None
    assert "a secret" not in repr(access.settings)
    [key] = access.keys()
    assert key.hash == hash_secret("a secret")


async def test_a_fixed_key_with_an_empty_secret_opens_nothing(access_with: MakeAccess) -> None:
    access = await access_with(keys=(fixed_key("ops", "", [Scope.ADMIN]),))
    assert access.check_secret("") is None
    assert access.keys() == []


WRONG = ["", "cw_nope", "\ud800", "\ud800.a.b", "é.é.é", "é" * 10, "a" * 100_000, "a.b.c", "\x00"]


@pytest.mark.parametrize("secret", WRONG, ids=ascii)
async def test_a_wrong_secret_is_nobody(access_with: MakeAccess, secret: str) -> None:
    access = await access_with()
    await access.create_key("ci", [Scope.READ], ["*"], "", None)
    assert access.check_secret(secret) is None


async def test_a_key_expires(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    secret = await access.create_key("ci", [Scope.READ], ["*"], "", clock.now().wall + HOUR)
    clock.advance(HOUR - 1)
    assert access.check_secret(secret) is not None
    clock.advance(1)
    assert access.check_secret(secret) is None


async def test_a_key_that_expires_after_the_end_of_time_is_refused(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    with pytest.raises(Invalid, match="a hundred years"):
        await access.create_key("k", [Scope.READ], ["*"], "", clock.now().wall + 99_999_999 * DAY)


async def test_a_key_made_or_revoked_elsewhere_is_seen_at_the_next_refresh(
    access_with: MakeAccess,
) -> None:
    daemon, cli = await access_with(), await access_with()
    secret = await cli.create_key("ci", [Scope.READ], ["*"], "", None)
    await daemon.refresh()
    assert daemon.check_secret(secret) is not None
    await cli.revoke_key("ci")
    assert daemon.check_secret(secret) is not None
    await daemon.refresh()
    assert daemon.check_secret(secret) is None


async def test_an_unknown_secret_is_looked_up_in_the_store_but_not_for_every_guess(
    access_with: MakeAccess, clock: FakeClock
) -> None:
    daemon, cli = await access_with(), await access_with()
    first = await cli.create_key("one", [Scope.READ], ["*"], "", None)
    assert await daemon.identify(a_request(), first) is not None
    second = await cli.create_key("two", [Scope.READ], ["*"], "", None)
    assert await daemon.identify(a_request(), second) is None, "looked a moment ago"
    clock.advance(100)
    assert await daemon.identify(a_request(), second) is not None


async def test_a_refresh_that_began_before_a_revocation_does_not_bring_the_key_back(
    access_with: MakeAccess, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await access_with()
    secret = await access.create_key("ci", [Scope.READ], ["*"], "", None)
    read, may_go_on, reads = store.keys, asyncio.Event(), 0

    async def slow_at_first() -> Any:
        nonlocal reads
        reads += 1
        keys = await read()
        if reads == 1:
            await may_go_on.wait()
        return keys

    monkeypatch.setattr(store, "keys", slow_at_first)
    stale = asyncio.create_task(access.refresh())
    revoking = asyncio.create_task(access.revoke_key("ci"))
    for _ in range(20):  # as far as either can get
        await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(stale, revoking)
    assert access.check_secret(secret) is None


async def test_a_store_that_cannot_be_read_changes_nothing(
    access_with: MakeAccess, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await access_with()
    secret = await access.create_key("ci", [Scope.READ], ["*"], "", None)

    async def full() -> Any:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(store, "keys", full)
    await access.refresh()
    assert access.check_secret(secret) is not None


async def test_a_fixed_key_cannot_be_revoked_nor_its_name_taken(access_with: MakeAccess) -> None:
    access = await access_with(keys=(fixed_key("ops", "a secret", [Scope.ADMIN]),))
    with pytest.raises(Conflict):
        await access.revoke_key("ops")
    with pytest.raises(Conflict):
        await access.create_key("ops", [Scope.READ], ["*"], "", None)


async def test_an_unknown_key_cannot_be_revoked(access_with: MakeAccess) -> None:
    with pytest.raises(NotFound):
        await (await access_with()).revoke_key("nobody")


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "a" * 65, "a\n", "<b>", "é"])
async def test_a_strange_name_is_refused(access_with: MakeAccess, name: str) -> None:
    with pytest.raises(Invalid):
        await (await access_with()).create_key(name, [Scope.READ], ["*"], "", None)


async def test_a_key_without_scopes_or_patterns_is_refused(access_with: MakeAccess) -> None:
    access = await access_with()
    with pytest.raises(Invalid):
        await access.create_key("x", [], ["*"], "", None)
    with pytest.raises(Invalid):
        await access.create_key("x", [Scope.READ], [], "", None)


# -- the first key --------------------------------------------------------------------------------------


async def test_the_first_key_is_made_once_and_on_loopback_only(access_with: MakeAccess) -> None:
    access = await access_with()
    secret = await access.first_key()
    assert secret is not None
    principal = access.check_secret(secret)
    assert principal is not None
    assert principal.may(Scope.CONTROL)
    assert await access.first_key() is None
    assert await (await access_with(host="0.0.0.0")).first_key() is None, "the store holds one now"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "watch.example.com", ""])
async def test_reachable_by_others_without_a_key_is_refused_in_one_line(access_with: MakeAccess, host: str) -> None:
    access = await access_with(host=host)
    with pytest.raises(ClaWatchError, match=r"set auth\.keys, or run `clawatch keys create") as refusal:
        await access.first_key()
    assert "\n" not in str(refusal.value)


async def test_reachable_by_others_with_a_fixed_key_is_fine(access_with: MakeAccess) -> None:
    access = await access_with(host="0.0.0.0", keys=(fixed_key("ops", "x" * 20, [Scope.ADMIN]),))
    assert await access.first_key() is None


# -- tokens ---------------------------------------------------------------------------------------------


async def test_a_token_stands_for_its_key_until_it_expires(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    key = access.check_secret(await access.create_key("ci", [Scope.READ], ["a*"], "olga", None))
    assert key is not None
    token, life = access.issue_token(key)
    assert life == HOUR // SECOND
    holder = access.check_secret(token)
    assert holder is not None
    assert (holder.name, holder.user, holder.scopes, holder.agents, holder.via) == (
        "ci", "olga", {Scope.READ}, ("a*",), "token"
    )
    clock.advance(HOUR)
    assert access.check_secret(token) is None


async def test_revoking_a_key_kills_its_tokens_at_once_also_when_the_name_is_used_again(
    access_with: MakeAccess,
) -> None:
    access = await access_with()
    key = access.check_secret(await access.create_key("ci", [Scope.READ], ["*"], "", None))
    assert key is not None
    token, _ = access.issue_token(key)
    await access.revoke_key("ci")
    assert access.check_secret(token) is None
    await access.create_key("ci", [Scope.ADMIN], ["*"], "", None)
    assert access.check_secret(token) is None


async def test_a_token_never_outlives_its_key(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    key = access.check_secret(await access.create_key("ci", [Scope.READ], ["*"], "", clock.now().wall + MINUTE))
    assert key is not None
    assert access.issue_token(key)[1] == 60


async def test_a_token_is_given_for_a_key_only_not_for_another_token(access_with: MakeAccess) -> None:
    access = await access_with(loopback=(Scope.READ,))
    key = access.check_secret(await access.create_key("ci", [Scope.READ], ["*"], "", None))
    assert key is not None
    holder = access.check_secret(access.issue_token(key)[0])
    local = access.authenticate(a_request())
    for principal in (holder, local):
        assert principal is not None
        with pytest.raises(Forbidden):
            access.issue_token(principal)


def _unsigned(claims: dict[str, Any], head: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims)]
    return ".".join([*parts, ""])


async def test_a_forged_token_is_nobody(access_with: MakeAccess, store: MemoryStore, clock: FakeClock) -> None:
    """`alg: none`, another secret, another algorithm, another audience, no expiry."""
    access = await access_with()
    await access.create_key("admin", [Scope.ADMIN], ["*"], "", None)
    [key] = access.keys()
    ours = await store.secret(SIGNING_SECRET)
    assert ours is not None
    good = {"sub": "admin", "aud": "clawatch:token", "exp": clock.now().wall // 1000 + 60, "key": key.hash[:16]}
    assert access.check_secret(jwt.encode(good, ours, algorithm="HS256")) is not None, "the baseline is valid"
    forged = [
        _unsigned(good, {"alg": "none", "typ": "JWT"}),
        _unsigned(good, {"alg": "None"}),
        jwt.encode(good, "x" * 64, algorithm="HS256"),
        jwt.encode(good, ours, algorithm="HS512"),
        jwt.encode(good | {"aud": "clawatch:cookie"}, ours, algorithm="HS256"),
        jwt.encode(good | {"key": ""}, ours, algorithm="HS256"),
        jwt.encode(good | {"exp": "never"}, ours, algorithm="HS256"),
        jwt.encode({k: v for k, v in good.items() if k != "exp"}, ours, algorithm="HS256"),
        jwt.encode({k: v for k, v in good.items() if k != "aud"}, ours, algorithm="HS256"),
        jwt.encode(good | {"exp": clock.now().wall // 1000}, ours, algorithm="HS256"),
    ]
    assert [access.check_secret(token) for token in forged] == [None] * len(forged)


async def test_tokens_survive_a_restart_because_the_secret_is_in_the_store(access_with: MakeAccess) -> None:
    before = await access_with()
    key = before.check_secret(await before.create_key("ci", [Scope.READ], ["*"], "", None))
    assert key is not None
    token, _ = before.issue_token(key)
    assert (await access_with()).check_secret(token) is not None


# -- login ----------------------------------------------------------------------------------------------


async def test_a_login_link_works_once(access_with: MakeAccess) -> None:
    access = await access_with()
    link = await access.issue_login(15 * MINUTE)
    page, _, code = link.partition("#")
    assert page == "http://127.0.0.1:8787/login"
    cookie = await access.redeem_login(code)
    assert cookie is not None
    assert await access.redeem_login(code) is None
    principal = access.authenticate(a_request(Cookie=f"{access.cookie_name}={cookie}"))
    assert principal is not None
    assert (principal.via, principal.may(Scope.ADMIN)) == ("cookie", True)


async def test_a_login_link_expires_and_wrong_codes_are_none(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    code = (await access.issue_login(15 * MINUTE)).partition("#")[2]
    assert await access.redeem_login("nope") is None
    assert await access.redeem_login("") is None
    assert await access.redeem_login("\ud800" * 3) is None
    clock.advance(15 * MINUTE + 1)
    assert await access.redeem_login(code) is None


async def test_a_cookie_is_no_token_a_token_no_cookie_and_both_end(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with()
    cookie = await access.redeem_login((await access.issue_login(MINUTE)).partition("#")[2])
    assert cookie is not None
    assert access.check_secret(cookie) is None
    key = access.check_secret(await access.create_key("ci", [Scope.ADMIN], ["*"], "", None))
    assert key is not None
    token, _ = access.issue_token(key)
    assert access.authenticate(a_request(Cookie=f"{access.cookie_name}={token}")) is None
    clock.advance(COOKIE_LIFE)
    assert access.authenticate(a_request(Cookie=f"{access.cookie_name}={cookie}")) is None


async def test_the_cookie_of_a_daemon_on_another_port_is_not_ours(clock: FakeClock) -> None:
    """Browsers send cookies to every port of a host."""
    other = Access(MemoryStore(), AccessSettings(port=9999), clock)
    ours = Access(MemoryStore(), AccessSettings(port=8787), clock)
    await other.open()
    await ours.open()
    cookie = await other.redeem_login((await other.issue_login(DAY)).partition("#")[2])
    assert other.cookie_name != ours.cookie_name
    assert ours.authenticate(a_request(Cookie=f"{other.cookie_name}={cookie}")) is None
    assert ours.authenticate(a_request(Cookie=f"{ours.cookie_name}={cookie}")) is None


# -- how a request says who it is -------------------------------------------------------------------------


async def test_the_same_key_works_in_every_place_it_may_stand(access_with: MakeAccess) -> None:
    """CW-01"""
    access = await access_with()
    secret = await access.create_key("ci", [Scope.READ], ["*"], "", None)
    for headers in ({"X_ClaWatch_Key": secret}, {"x_clawatch_key": secret}, {"Authorization": f"Bearer {secret}"},
                    {"authorization": f"bearer {secret}"}):
        assert access.authenticate(a_request(**headers)) is not None
    assert access.authenticate(a_request(path=f"/ws?token={secret}", Upgrade="websocket")) is not None
    assert access.authenticate(a_request(path=f"/api/agents?token={secret}")) is None, "on WebSockets only"


async def test_a_wrong_key_is_not_passed_over_for_a_cookie_or_a_grant(access_with: MakeAccess) -> None:
    access = await access_with(loopback=(Scope.READ,))
    assert access.authenticate(a_request()) is not None
    assert access.authenticate(a_request(X_ClaWatch_Key="wrong")) is None
    assert access.authenticate(a_request(X_ClaWatch_Key="")) is None


# -- loopback -------------------------------------------------------------------------------------------


async def test_nothing_is_granted_to_loopback_by_default(access_with: MakeAccess) -> None:
    assert (await access_with()).authenticate(a_request()) is None


async def test_a_loopback_grant_gives_its_scopes_and_no_more(access_with: MakeAccess) -> None:
    """CW-34"""
    access = await access_with(loopback=(Scope.READ, Scope.INGEST))
    principal = access.authenticate(a_request())
    assert principal is not None
    assert principal.scopes == {Scope.READ, Scope.INGEST}


@pytest.mark.parametrize("host", ["localhost:8787", "127.0.0.1", "[::1]:8787", "LOCALHOST", "watch.example.com"])
async def test_a_loopback_grant_holds_for_our_names(access_with: MakeAccess, host: str) -> None:
    access = await access_with(loopback=(Scope.READ,), public_url="https://watch.example.com")
    assert access.authenticate(a_request(Host=host)) is not None


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example.com"},
    {"Host": "localhost.evil.com"},
    {"Host": "127.0.0.1.evil.com:8787"},
    {"Host": "[::1].evil.com"},
    {"Host": ""},
    {"Forwarded": "for=1.2.3.4"},
    {"X_Forwarded_For": "127.0.0.1"},
    {"x_forwarded_proto": "https"},
    {"X_Forwarded_Anything": ""},
    {"Via": "1.1 proxy"},
    {"Origin": "http://evil.example.com"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Origin": "http://localhost:8787"},
    {"Origin": ""},
])
async def test_a_loopback_grant_does_not_hold_for(access_with: MakeAccess, headers: dict[str, str]) -> None:
    access = await access_with(loopback=(Scope.READ,))
    assert access.authenticate(a_request(**headers)) is None


async def test_a_loopback_grant_needs_a_loopback_peer(access_with: MakeAccess) -> None:
    access = await access_with(loopback=(Scope.READ,), host="0.0.0.0")
    assert access.authenticate(a_request(peer="192.168.1.9")) is None
    assert access.authenticate(a_request(peer="::ffff:192.168.1.9")) is None
    assert access.authenticate(a_request(peer="::1")) is not None
    assert access.authenticate(a_request(peer="::ffff:127.0.0.1")) is not None


async def test_our_own_page_has_the_loopback_grant(access_with: MakeAccess) -> None:
    access = await access_with(loopback=(Scope.READ,))
    assert access.authenticate(a_request(Origin="http://127.0.0.1:8787")) is not None


# -- Host, Origin, proxies ---------------------------------------------------------------------------------


async def test_on_every_address_the_one_that_was_called_is_a_name_of_ours(access_with: MakeAccess) -> None:
    access = await access_with(host="0.0.0.0")
    assert access.place.is_ours(a_request(own="192.168.1.5", Host="192.168.1.5:8787"))
    assert not access.place.is_ours(a_request(own="192.168.1.5", Host="192.168.1.6:8787"))
    assert not access.place.is_ours(a_request(own="192.168.1.5", Host="rebound.example.com:8787"))


async def test_a_cookie_from_a_foreign_page_is_forbidden_for_what_changes_something(access_with: MakeAccess) -> None:
    access = await access_with()
    cookie = await access.redeem_login((await access.issue_login(DAY)).partition("#")[2])
    sent = {"Cookie": f"{access.cookie_name}={cookie}"}
    assert access.authenticate(a_request("POST", Origin="http://127.0.0.1:8787", **sent)) is not None
    assert access.authenticate(a_request("GET", **sent)) is not None
    for origin in ({}, {"Origin": "http://127.0.0.1:3000"}, {"Origin": "http://localhost:8787"}, {"Origin": "null"},
                   {"Origin": "https://127.0.0.1:8787"}):
        with pytest.raises(Forbidden):
            access.authenticate(a_request("POST", **sent, **origin))
        with pytest.raises(Forbidden):
            access.authenticate(a_request("GET", Upgrade="websocket", **sent, **origin))


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_what_another_page_makes_a_browser_fetch_has_neither_cookie_nor_grant(
    access_with: MakeAccess, site: str
) -> None:
    """Reading changes something, too: commands that were fetched count as delivered."""
    access = await access_with(loopback=(Scope.INGEST,))
    cookie = await access.redeem_login((await access.issue_login(DAY)).partition("#")[2])
    sent = {"Cookie": f"{access.cookie_name}={cookie}"}
    with pytest.raises(Forbidden):
        access.authenticate(a_request("GET", Sec_Fetch_Site=site, **sent))
    with pytest.raises(Forbidden):
        access.authenticate(a_request("GET", Origin="http://127.0.0.1:3000", **sent))
    assert access.authenticate(a_request("GET", Sec_Fetch_Site=site)) is None
    for own in ("none", "same-origin"):
        assert access.authenticate(a_request("GET", Sec_Fetch_Site=own, **sent)) is not None
        assert access.authenticate(a_request("GET", Sec_Fetch_Site=own)) is not None


async def test_behind_https_our_origin_is_the_public_one_alone(access_with: MakeAccess) -> None:
    access = await access_with(public_url="https://watch.example.com/")
    assert access.public_url == "https://watch.example.com"
    assert access.place.is_https
    of = access.place.is_own_origin
    assert of(a_request(Host="watch.example.com", Origin="https://watch.example.com"))
    assert not of(a_request(Host="watch.example.com", Origin="http://watch.example.com"))
    assert of(a_request(Host="localhost:9000", Origin="http://localhost:9000")), "through a tunnel"


async def test_the_clients_address_is_believed_from_trusted_proxies_only(access_with: MakeAccess) -> None:
    access = await access_with(trusted_proxies=("10.0.0.0/8", "::1"))
    client = access.place.client
    assert client(a_request(peer="203.0.113.7", X_Forwarded_For="1.1.1.1")) == "203.0.113.7"
    assert client(a_request(peer="10.0.0.2", X_Forwarded_For="6.6.6.6, 203.0.113.7")) == "203.0.113.7"
    assert client(a_request(peer="10.0.0.2", X_Forwarded_For="6.6.6.6, 203.0.113.7, 10.9.9.9")) == "203.0.113.7"
    assert client(a_request(peer="10.0.0.2", X_Forwarded_For="6.6.6.6, rubbish")) == "10.0.0.2"
    assert client(a_request(peer="10.0.0.2")) == "10.0.0.2"


@pytest.mark.parametrize("settings", [
    {"public_url": "watch.example.com"}, {"public_url": "ftp://x"}, {"trusted_proxies": ("proxy",)},
])
async def test_a_setting_that_makes_no_sense_is_named(access_with: MakeAccess, settings: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"server\."):
        await access_with(**settings)


async def test_the_port_that_was_found_names_the_cookie_and_the_links(access_with: MakeAccess) -> None:
    access = await access_with(port=0)
    access.bound(40_123)
    assert access.cookie_name == "clawatch_40123"
    assert (await access.issue_login(MINUTE)).startswith("http://127.0.0.1:40123/login#")


# -- guessing ---------------------------------------------------------------------------------------------


async def test_guessing_keys_comes_to_an_end(access_with: MakeAccess, clock: FakeClock) -> None:
    access = await access_with(guesses=RateLimit(3, MINUTE))
    for guess in ("one", "two", "three"):
        assert await access.identify(a_request(X_ClaWatch_Key=guess)) is None
    with pytest.raises(TooMany) as refusal:
        await access.identify(a_request(X_ClaWatch_Key="four"))
    assert 0 < refusal.value.retry_after <= 60
    assert await access.identify(a_request(peer="127.0.0.2", X_ClaWatch_Key="four")) is None, "another address"
    clock.advance(MINUTE)
    assert await access.identify(a_request(X_ClaWatch_Key="four")) is None


async def test_a_fixed_key_cannot_be_found_by_guessing_on(access_with: MakeAccess) -> None:
    """Operators choose short keys; beyond the limit even the right guess does not tell."""
    access = await access_with(guesses=RateLimit(2, MINUTE), keys=(fixed_key("ops", "1234", [Scope.ADMIN]),))
    for guess in ("1232", "1233"):
        await access.identify(a_request(X_ClaWatch_Key=guess))
    with pytest.raises(TooMany):
        await access.identify(a_request(X_ClaWatch_Key="1234"))


async def test_an_agent_with_a_wrong_key_locks_nobody_out(access_with: MakeAccess) -> None:
    access = await access_with(guesses=RateLimit(2, MINUTE), keys=(fixed_key("ops", "1234", [Scope.ADMIN]),))
    for _ in range(20):
        assert await access.identify(a_request(X_ClaWatch_Key="expired long ago")) is None
    assert await access.identify(a_request(X_ClaWatch_Key="1234")) is not None


async def test_those_who_were_right_before_go_on_while_their_neighbour_guesses(access_with: MakeAccess) -> None:
    access = await access_with(guesses=RateLimit(2, MINUTE), keys=(fixed_key("ops", "1234", [Scope.ADMIN]),))
    made = await access.create_key("ci", [Scope.READ], ["*"], "", None)
    assert await access.identify(a_request(X_ClaWatch_Key="1234")) is not None
    for guess in ("a", "b", "c", "d"):
        with suppress(TooMany):
            await access.identify(a_request(X_ClaWatch_Key=guess))
    assert await access.identify(a_request(X_ClaWatch_Key="1234")) is not None
    assert await access.identify(a_request(X_ClaWatch_Key=made)) is not None


async def test_a_foreign_page_cannot_use_up_its_visitor_s_tries(access_with: MakeAccess) -> None:
    """A page may open WebSockets anywhere, with whatever token it likes."""
    access = await access_with(guesses=RateLimit(2, MINUTE), keys=(fixed_key("ops", "1234", [Scope.ADMIN]),))
    for guess in ("a", "b"):
        await access.identify(a_request(X_ClaWatch_Key=guess, Origin="http://evil.example"))
    with pytest.raises(TooMany):
        await access.identify(a_request(X_ClaWatch_Key="c", Origin="http://other.example"))
    access.count_login(a_request("POST"))
    assert await access.identify(a_request(X_ClaWatch_Key="1234")) is not None
