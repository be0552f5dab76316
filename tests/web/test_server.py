"""What every request passes, and what every refusal looks like."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, web
from yarl import URL

from clawatch.apis.envelopes import Refused, clawatch_envelope, reply
from clawatch.apis.routes import Api, Route
from clawatch.domain.access import Principal, Scope
from clawatch.domain.redaction import Redactor
from clawatch.domain.time import MINUTE
from clawatch.log import Cleaning
from clawatch.ports import ClaWatchError, Conflict, Forbidden, Invalid, NotFound, StoreUnavailable, TooMany
from clawatch.settings import RateLimit
from clawatch.testing.clock import FakeClock
from clawatch.web.server import WebSettings

MakeSite = Callable[..., Awaitable[Any]]


# -- keys and scopes ---------------------------------------------------------------------------------------


async def test_a_request_with_the_right_key_reaches_its_door(site: Any) -> None:
    """CW-01"""
    answer = await site.ask("GET", "/api/things", headers=await site.key(Scope.READ, name="olga"))
    assert (answer.status, await answer.json()) == (200, {"user": "olga", "over": False})


@pytest.mark.parametrize("headers", [{}, {"X-ClaWatch-Key": "wrong"}, {"Authorization": "Bearer wrong"},
                                     {"Authorization": "Basic eDp5"}, {"Authorization": ""}])
async def test_a_missing_or_wrong_key_is_401(site: Any, headers: dict[str, str]) -> None:
    """CW-02"""
    answer = await site.ask("GET", "/api/things", headers=headers)
    assert (answer.status, await answer.json()) == (401, {"error": "Invalid or missing API key"})
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_key_without_the_scope_is_403_and_admin_may_everything(site: Any) -> None:
    answer = await site.ask("POST", "/api/things", headers=await site.key(Scope.READ, Scope.INGEST))
    assert (answer.status, await answer.json()) == (403, {"error": "This needs a key with the scope control"})
    assert (await site.ask("POST", "/api/things", headers=await site.key(Scope.ADMIN, name="a"))).status == 200


async def test_a_loopback_grant_works_without_a_key_for_its_scopes(site_with: MakeSite) -> None:
    """CW-34"""
    site = await site_with(loopback=(Scope.READ,))
    assert (await site.ask("GET", "/api/things")).status == 200
    assert (await site.ask("POST", "/api/things")).status == 403
    assert (await site.ask("GET", "/api/things", headers={"X-Forwarded-For": "127.0.0.1"})).status == 401
    assert (await site.ask("GET", "/api/things", headers={"Origin": "http://evil.example"})).status == 401


async def test_a_revoked_key_is_refused_at_once(site: Any) -> None:
    headers = await site.key(Scope.READ)
    assert (await site.ask("GET", "/api/things", headers=headers)).status == 200
    await site.access.revoke_key("k")
    assert (await site.ask("GET", "/api/things", headers=headers)).status == 401


# -- Host, Origin, CORS --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/things", "/health", "/login", "/nowhere", "/ws"])
async def test_a_host_that_is_not_ours_is_421_on_every_path(site: Any, path: str) -> None:
    """DNS rebinding: a page whose name was pointed at us."""
    for host in ("evil.example", f"evil.example:{site.port}", "127.0.0.1.evil.example", "localhost.", "x@localhost"):
        answer = await site.ask("GET", path, headers={"Host": host} | await site.key(name=f"k{hash(host)}"))
        assert answer.status == (421 if host != "localhost." else answer.status), host
        if answer.status == 421:
            assert "server.public_url" in (await answer.json())["error"]


async def test_a_request_without_a_host_or_with_two_is_refused(site: Any) -> None:
    none = await site.raw(b"GET /health HTTP/1.0\r\n\r\n")
    two = await site.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n")
    assert none.split()[1] in (b"421", b"400")
    assert two.split()[1] in (b"421", b"400")


async def test_a_post_with_a_cookie_needs_our_own_origin(site: Any) -> None:
    cookie = await site.cookie()
    own = {"Origin": site.origin}
    assert (await site.ask("GET", "/api/things", headers=cookie)).status == 200
    assert (await site.ask("POST", "/api/things", headers=cookie | own)).status == 200
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{site.port + 1}", f"https://127.0.0.1:{site.port}"):
        answer = await site.ask("POST", "/api/things", headers=cookie | {"Origin": origin})
        assert answer.status == 403, origin
    assert (await site.ask("POST", "/api/things", headers=cookie)).status == 403
    assert len(site.door.principals) == 2


async def test_a_socket_with_a_cookie_needs_our_own_origin(site: Any) -> None:
    cookie = await site.cookie()
    async with site.client.ws_connect(site.origin + "/ws", headers=cookie | {"Origin": site.origin}) as ws:
        assert (await ws.receive_json(timeout=5))["via"] == "cookie"
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    answer = await site.ask("GET", "/ws", headers=cookie | upgrade | {"Origin": "http://evil.example"})
    assert (answer.status, "own page" in (await answer.json())["error"]) == (403, True)


CORS = ("https://app.example.com", "https://*.vercel.app", "http://localhost:3000")


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://my-app.vercel.app", "https://a.b.vercel.app",
                                    "http://localhost:3000"])
async def test_listed_origins_may_read_and_send_the_key_but_never_cookies(site_with: MakeSite, origin: str) -> None:
    """CW-61"""
    site = await site_with(cors_origins=CORS)
    preflight = await site.ask("OPTIONS", "/api/things", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-clawatch-key,ngrok-skip-browser-warning,content-type",
    })
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    allowed = {name.strip().lower() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"x-clawatch-key", "ngrok-skip-browser-warning", "content-type", "authorization"} <= allowed
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    for headers in (await site.key(), {}):
        answer = await site.ask("GET", "/api/things", headers=headers | {"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin, "on refusals too"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.vercel.app.x.com", "https://vercel.app", "http://my-app.vercel.app",
                                    "https://my-app.vercel.app:8443", "https://app.example.com.evil.net", "null",
                                    "https://evil.com/.vercel.app", "https://evil.com#.vercel.app", "*",
                                    "xhttps://app.example.com", "https://app.example.com/"])
async def test_other_origins_get_no_permission(site_with: MakeSite, origin: str) -> None:
    site = await site_with(cors_origins=CORS)
    preflight = await site.ask("OPTIONS", "/api/things",
                               headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status == 403
    answer = await site.ask("GET", "/api/things", headers=await site.key() | {"Origin": origin})
    for one in (preflight, answer):
        assert "Access-Control-Allow-Origin" not in one.headers


async def test_an_origin_that_is_none_is_named(site_with: MakeSite) -> None:
    with pytest.raises(Invalid, match=r"server\.cors_origins: '\*'"):
        await site_with(cors_origins=("*",))


# -- refusals in the door's envelope ------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "status"), [
    (Invalid("no"), 400), (Forbidden("no"), 403), (NotFound("no"), 404), (Conflict("no"), 409),
    (StoreUnavailable("no"), 503), (TooMany("no", 1.2), 429), (ClaWatchError("no"), 400), (Refused(418, "no"), 418),
])
async def test_what_a_port_refuses_has_its_status_in_the_doors_envelope(
    site: Any, error: ClaWatchError, status: int
) -> None:
    site.door.error = error
    headers = await site.key()
    ours = await site.ask("GET", "/api/things", headers=headers)
    theirs = await site.ask("GET", "/other/things", headers=headers)
    assert (ours.status, await ours.json()) == (status, {"error": "no"})
    assert (theirs.status, (await theirs.json())["detail"]) == (status, "no")
    assert ("Retry-After" in ours.headers) == (status in (429, 503))
    assert ("Retry-After" in theirs.headers) == (status in (429, 503))


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/nowhere", 404), ("GET", "/nowhere", 404), ("GET", "/", 200), ("DELETE", "/api/things", 405),
    ("OPTIONS", "/api/things", 405), ("POST", "/health", 405), ("GET", "/ws", 426), ("GET", "/api/things/a%00b", 200),
    ("GET", "/%ff%fe", 404), ("GET", "/api/things/%ed%a0%80", 200), ("GET", "/api/../../etc/passwd", 404),
    ("PROPFIND", "/api/things", 405),
])
async def test_what_the_framework_refuses_is_in_an_envelope_too(
    site: Any, method: str, path: str, status: int
) -> None:
    answer = await site.client.request(method, URL(site.origin + path, encoded=True), headers=await site.key())
    assert answer.status == status
    if status >= 400:
        assert list(await answer.json()) == ["error"]
    if status == 405:
        assert answer.headers["Allow"]


async def test_the_longest_prefix_chooses_the_envelope(site: Any) -> None:
    for path, key in (("/api/x", "error"), ("/api/v1/x", "detail"), ("/api/v1", "detail"), ("/api/v10", "error"),
                      ("/other", "detail"), ("/others", "error")):
        assert key in await (await site.ask("GET", path)).json(), path


async def test_an_unexpected_exception_is_logged_whole_and_answered_without_a_trace(site: Any) -> None:
    site.door.error = LookupError("the inner secret")
    answer = await site.ask("GET", "/api/things?token=t0ken", headers=await site.key())
    assert (answer.status, await answer.json()) == (500, {"error": "Internal error; ClaWatch's log says more"})
    [entry] = [log for log in site.logs if log["event"] == "http.failed"]
    assert "the inner secret" in entry["exception"]
    assert "t0ken" not in repr(site.logs)


async def test_an_exception_after_the_head_cuts_the_connection(site: Any) -> None:
    with pytest.raises(ClientPayloadError):
        await site.ask("GET", "/api/stream", headers=await site.key())
    assert [log["event"] for log in site.logs if log["level"] == "error"] == ["http.failed"]


@pytest.mark.parametrize("request_", [
    b"rubbish\r\n\r\n", b"GET /ws?token=s3cret HTTP/9.9\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n",
    b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /?token=s3cret HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 200 + b"\r\n",
])
async def test_what_is_not_http_is_400_in_json_and_leaves_nothing_of_itself_in_the_log(
    site: Any, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await site.raw(request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert json.loads(body) == {"error": "The request is not valid HTTP"}
    assert "s3cret" not in repr(site.logs) + caplog.text


async def test_bodies_are_bounded_and_their_faults_are_400(site: Any) -> None:
    """CW-24"""
    headers = await site.key()
    assert (await site.ask("POST", "/api/echo", data=b'"' + b"x" * 1_000 + b'"', headers=headers)).status == 413
    gzipped = headers | {"Content-Encoding": "gzip"}
    assert (await site.ask("POST", "/api/echo", data=b"not gzip", headers=gzipped)).status == 400
    for body in (b"{", b"NaN", b"[" * 900, b'"\xff"', b"1e999"):
        answer = await site.ask("POST", "/api/echo", data=body, headers=headers)
        assert (answer.status, list(await answer.json())) == (400, ["error"])
    for body in (b"9" * 900, b"[[]]"):
        assert (await site.ask("POST", "/api/echo", data=body, headers=headers)).status == 200


async def test_an_unfinished_body_is_answered_or_dropped_never_a_500(site: Any) -> None:
    key = (await site.key())["X-ClaWatch-Key"].encode()
    head = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nX-ClaWatch-Key: " + key + b"\r\n"
    await site.raw(head + b"Content-Length: 100\r\n\r\n{", hang_up=True)
    await site.raw(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", hang_up=True)
    broken = await site.raw(head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{\r\n")
    assert broken.split()[1] == b"400"
    assert [log for log in site.logs if log["level"] in ("error", "exception")] == []


async def test_a_client_that_waits_is_told_to_go_on_and_strange_expectations_are_passed_over(site: Any) -> None:
    key = (await site.key())["X-ClaWatch-Key"].encode()
    for expect, told in ((b"100-continue", 1), (b"tea", 0)):
        answer = await site.raw(
            b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nX-ClaWatch-Key: " + key + b"\r\nExpect: " + expect
            + b"\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"
        )
        assert answer.count(b"HTTP/1.1 100 Continue") == told
        assert b"HTTP/1.1 200 OK" in answer


async def test_an_empty_body_with_a_json_content_type_is_fine(site: Any) -> None:
    """CW-15"""
    answer = await site.ask(
        "POST", "/api/things", headers=await site.key() | {"Content-Type": "application/json"}, data=b""
    )
    assert answer.status == 200


# -- rates ---------------------------------------------------------------------------------------------------


async def test_a_key_over_its_rate_is_429_with_retry_after_and_others_are_not(
    site_with: MakeSite, clock: FakeClock
) -> None:
    site = await site_with(WebSettings(rest=RateLimit(2, MINUTE)))
    one, two = await site.key(Scope.READ, name="one"), await site.key(Scope.READ, name="two")
    assert [(await site.ask("GET", "/api/things", headers=one)).status for _ in range(3)] == [200, 200, 429]
    answer = await site.ask("GET", "/api/things", headers=one)
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert (await site.ask("GET", "/api/things", headers=two)).status == 200
    clock.advance(MINUTE)
    assert (await site.ask("GET", "/api/things", headers=one)).status == 200


async def test_ingest_has_a_rate_of_its_own_and_a_brake_answers_beyond_it(site_with: MakeSite) -> None:
    site = await site_with(WebSettings(rest=RateLimit(1, MINUTE), ingest=RateLimit(2, MINUTE)))
    headers = await site.key()
    assert (await site.ask("GET", "/api/things", headers=headers)).status == 200
    for status in (200, 200, 429):
        assert (await site.ask("POST", "/api/echo", data="{}", headers=headers)).status == status
    answer = await site.ask("POST", "/api/brake", headers=headers)
    assert (answer.status, (await answer.json())["over"]) == (200, True)


async def test_a_forwarded_address_of_a_stranger_buys_no_new_rate(site_with: MakeSite) -> None:
    site = await site_with(WebSettings(rest=RateLimit(1, MINUTE)), loopback=(Scope.READ,))
    assert (await site.ask("GET", "/api/things")).status == 200
    assert (await site.ask("GET", "/api/things")).status == 429
    guesses = [{"X-ClaWatch-Key": f"guess {n}", "X-Forwarded-For": f"198.51.100.{n}"} for n in range(12)]
    statuses = [(await site.ask("GET", "/api/things", headers=headers)).status for headers in guesses]
    assert statuses == [401] * 10 + [429] * 2


async def test_behind_a_trusted_proxy_each_client_has_its_own(site_with: MakeSite) -> None:
    site = await site_with(trusted_proxies=("127.0.0.1",))
    guesses = [{"X-ClaWatch-Key": f"guess {n}", "X-Forwarded-For": f"198.51.100.{n}"} for n in range(12)]
    statuses = [(await site.ask("GET", "/api/things", headers=headers)).status for headers in guesses]
    assert statuses == [401] * 12


# -- sockets ---------------------------------------------------------------------------------------------------


async def test_a_token_in_a_sockets_address_works_and_never_reaches_a_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    secret = (await site.key(Scope.READ))["X-ClaWatch-Key"]
    async with site.client.ws_connect(f"{site.origin}/ws?token={secret}") as ws:
        assert (await ws.receive_json(timeout=5))["user"] == "k"
    async with site.client.ws_connect(f"{site.origin}/ws?token=cw_wr0ng") as ws:
        assert "error" in await ws.receive_json(timeout=5)
        await ws.receive(timeout=5)
        assert ws.close_code == 1008
    await site.ask("GET", f"/ws?token={secret}")
    await site.ask("GET", f"/nowhere?token={secret}")
    logged = repr(site.logs) + caplog.text
    assert "/nowhere" in logged
    assert secret not in logged
    assert "cw_wr0ng" not in logged


async def test_guessing_in_first_frames_comes_to_an_end_too(site_with: MakeSite) -> None:
    site = await site_with(guesses=RateLimit(2, MINUTE))
    said = []
    for n in range(3):
        async with site.client.ws_connect(site.origin + "/ws") as ws:
            await ws.send_json({"type": "auth", "token": f"guess {n}"})
            said.append((await ws.receive_json(timeout=5))["error"])
    assert said[:2] == ["Invalid or missing API key"] * 2
    assert said[2].startswith("Too many")


async def test_a_shutdown_closes_sockets_with_1001(site: Any) -> None:
    async with site.client.ws_connect(site.origin + "/ws", headers=await site.key()) as ws:
        await ws.receive_json(timeout=5)
        stopping = asyncio.create_task(site.stop())
        await ws.receive(timeout=5)
        assert ws.close_code == 1001
        await stopping
    with pytest.raises(ClientConnectionError):
        await site.ask("GET", "/livez")


# -- headers and the log ------------------------------------------------------------------------------------


async def test_answers_carry_the_headers_that_keep_browsers_careful(site: Any) -> None:
    for path in ("/api/things", "/nowhere", "/login"):
        headers = (await site.ask("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Server"] == "ClaWatch"
    assert (await site.ask("GET", "/api/things")).headers["Cache-Control"] == "no-store"


async def test_refusals_are_logged_with_who_and_where(site: Any) -> None:
    await site.ask("GET", "/api/things/a%0Ab?x=1")
    assert {key: site.logs[-1][key] for key in ("event", "level", "method", "path", "status", "client")} == {
        "event": "http.request", "level": "info", "method": "GET", "path": "/api/things/a\nb", "status": 401,
        "client": "127.0.0.1",
    }


async def test_a_client_that_is_refused_all_the_time_does_not_fill_the_log(site: Any) -> None:
    for _ in range(100):
        await site.ask("GET", "/api/things")
    lines = [line for line in site.logs if line["event"] == "http.request" and line["status"] == 401]
    assert len(lines) == 60
    await site.ask("GET", "/nowhere")
    assert site.logs[-1]["status"] == 404, "other reasons have lines of their own"


async def test_a_secret_in_a_path_is_known_behind_its_escapes(site: Any) -> None:
    await site.ask("GET", "/nowhere/a%20ghp_" + "Ab3" * 12 + "%0Alevel=error")
    logged = Cleaning(Redactor())(None, "", dict(site.logs[-1]))
    assert logged["path"] == "/nowhere/a [redacted]\\nlevel=error"


async def test_head_is_answered_like_get_without_a_body(site: Any) -> None:
    answer = await site.ask("HEAD", "/api/things", headers=await site.key())
    assert (answer.status, await answer.read()) == (200, b"")


# -- starting ------------------------------------------------------------------------------------------------


async def _nothing(request: web.Request, principal: Principal) -> web.StreamResponse:
    return reply({})


async def test_two_doors_that_want_one_route_are_both_named(site_with: MakeSite) -> None:
    api = Api((Route("GET", "/same", _nothing, None, ""),), clawatch_envelope)
    with pytest.raises(ClaWatchError, match="the apis one and two both serve GET /same"):
        await site_with(apis=[("one", api), ("two", api)])


async def test_a_socket_that_is_lent_stays_open_so_that_clients_wait_over_a_reload(site_with: MakeSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as lent:
        first = await site_with(sock=lent)
        assert first.port == lent.getsockname()[1]
        await first.stop()
        waiting = asyncio.create_task(first.ask("GET", "/livez"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await site_with(sock=lent)
        assert (await waiting).status == 200


async def test_a_port_that_is_taken_is_one_clear_line(site_with: MakeSite) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClaWatchError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            await site_with(port=port)


async def test_a_host_that_is_not_this_machine_is_one_clear_line(site_with: MakeSite) -> None:
    with pytest.raises(ClaWatchError, match=r"cannot listen on 203\.0\.113\.1:0"):
        await site_with(host="203.0.113.1")


async def test_the_port_found_is_in_the_links_and_names_the_cookie(site: Any) -> None:
    assert site.access.public_url == site.origin
    assert site.access.cookie_name == f"clawatch_{site.port}"


async def test_requests_on_one_connection_are_answered_in_order(site: Any) -> None:
    one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = await site.raw(one * 3 + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 4
