"""The login page, the cookie, and tokens for keys."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import web

from clawatch.apis.envelopes import clawatch_envelope, reply
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.time import MINUTE
from clawatch.settings import RateLimit

MakeSite = Callable[..., Awaitable[Any]]


async def code_of(site: Any) -> str:
    return str((await site.access.issue_login(MINUTE)).partition("#")[2])


async def log_in(site: Any, code: str, **headers: str) -> Any:
    return await site.ask("POST", "/api/auth/login", json={"code": code}, headers=headers)


async def test_the_page_runs_its_own_script_only_and_leaks_nothing(site: Any) -> None:
    for path in ("/login", "/"):
        page = await site.ask("GET", path)
        policy = page.headers["Content-Security-Policy"]
        assert page.content_type == "text/html"
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        html = await page.text()
        assert not re.search(r"<script(?![^>]*src=)|<style| on\w+=| style=", html), "nothing inline"
        for path_of_file in re.findall(r'(?:src|href)="(/(?:login|start)\.[a-z]+)"', html):
            assert (await site.ask("GET", path_of_file)).status == 200
        assert not re.search(r'(?:src|href)="(?!/)', html), "nothing from elsewhere"
    assert (await site.ask("GET", "/login.js")).content_type == "text/javascript"
    assert (await site.ask("GET", "/login.css")).content_type == "text/css"


async def test_a_code_buys_a_cookie_that_opens_the_api_once(site: Any) -> None:
    code = await code_of(site)
    answer = await log_in(site, code, Origin=site.origin)
    assert (answer.status, await answer.json()) == (200, {"ok": True})
    [(name, cookie)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert name == f"clawatch_{site.port}"
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("Strict", "/", str(30 * 24 * 3600))
    assert not cookie["secure"]
    assert not cookie["domain"]
    used = await site.ask("GET", "/api/things", headers={"Cookie": f"{name}={cookie.value}"})
    assert await used.json() == {"user": "admin", "over": False}
    again = await log_in(site, code)
    assert (again.status, await again.json()) == (401, {"error": "This login link is wrong, used or expired"})


async def test_under_https_the_cookie_is_secure(site_with: MakeSite) -> None:
    site = await site_with(public_url="https://watch.example.com")
    assert "Secure" in (await log_in(site, await code_of(site))).headers["Set-Cookie"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"code": 7}', b'{"code": null}', b"[]", b"{", b"x" * 5_000])
async def test_a_body_that_is_no_code_is_refused(site: Any, body: bytes) -> None:
    answer = await site.ask("POST", "/api/auth/login", data=body)
    assert answer.status == (413 if len(body) > 4_096 else 400)
    assert "error" in await answer.json()


async def test_another_site_can_log_nobody_in_or_out(site: Any) -> None:
    code = await code_of(site)
    for path in ("/api/auth/login", "/api/auth/logout"):
        answer = await site.ask("POST", path, json={"code": code}, headers={"Origin": "http://evil.example"})
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers
    assert (await log_in(site, code)).status == 200, "the code was not used up"


async def test_guessing_codes_comes_to_an_end(site_with: MakeSite) -> None:
    site = await site_with(guesses=RateLimit(3, MINUTE))
    answers = [await log_in(site, f"guess {n}") for n in range(4)]
    assert [answer.status for answer in answers] == [401, 401, 401, 429]
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert (await log_in(site, await code_of(site))).status == 429


async def test_logging_out_takes_the_cookie_back(site: Any) -> None:
    answer = await site.ask("POST", "/api/auth/logout", headers=await site.cookie() | {"Origin": site.origin})
    [cookie] = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert (answer.status, cookie.value, cookie["max-age"]) == (200, "", "0")


async def test_after_logging_out_the_cookie_lets_nobody_in(site: Any) -> None:
    """A copy of it, wherever it went, ends with it; other logins go on."""
    mine, other = await site.cookie(), await site.cookie()
    assert (await site.ask("GET", "/api/things", headers=mine)).status == 200
    await site.ask("POST", "/api/auth/logout", headers=mine | {"Origin": site.origin})
    assert (await site.ask("GET", "/api/things", headers=mine)).status == 401
    assert (await site.ask("GET", "/api/things", headers=other)).status == 200
    assert (await site.ask("POST", "/api/auth/logout", headers=mine | {"Origin": site.origin})).status == 200


async def test_a_key_buys_a_token_that_works_as_a_bearer(site: Any) -> None:
    answer = await site.ask("POST", "/api/auth/token", headers=await site.key(Scope.READ, name="olga"))
    body = await answer.json()
    assert (answer.status, body["token_type"], body["expires_in"]) == (200, "bearer", 3600)
    assert answer.headers["Cache-Control"] == "no-store"
    used = await site.ask("GET", "/api/things", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert (await used.json())["user"] == "olga"


async def test_no_key_no_token_and_no_token_for_a_token(site: Any) -> None:
    assert (await site.ask("POST", "/api/auth/token")).status == 401
    token = (await (await site.ask("POST", "/api/auth/token", headers=await site.key())).json())["access_token"]
    assert (await site.ask("POST", "/api/auth/token", headers={"Authorization": f"Bearer {token}"})).status == 403


@pytest.mark.parametrize("path", ["/alerts", "/alerts/alert_1", "/agents/claude-code%3A1"])
async def test_the_links_in_messages_lead_to_a_page(site: Any, path: str) -> None:
    answer = await site.ask("GET", path)
    assert (answer.status, answer.content_type) == (200, "text/html")


async def test_the_start_page_makes_room_for_a_doors_own(site_with: MakeSite) -> None:
    async def mine(request: web.Request, principal: Principal) -> web.StreamResponse:
        return reply("mine")

    site = await site_with(apis=[("dashboard", Api((Route("GET", "/", mine, None, ""),), clawatch_envelope))])
    assert await (await site.ask("GET", "/")).json() == "mine"
    assert (await site.ask("GET", "/alerts")).status == 404, "the links are the door's too"
