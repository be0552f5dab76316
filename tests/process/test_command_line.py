"""The command line against a running daemon."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest


async def clawatch(launcher: Any, *words: str, **environment: str) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawatch", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CLAWATCH_CONFIG": str(launcher.home / "config.yaml"), **environment},
    )
    out, err = await child.communicate()
    return child.returncode or 0, out.decode(), err.decode()


async def answer(daemon: Any, key: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{daemon.url}/api/agents", headers={"X-ClaWatch-Key": key}) as response,
    ):
        return response.status


async def test_a_key_made_beside_the_daemon_works_and_revoked_no_longer_does(
    launcher: Any, daemon: Any, until: Callable[..., Awaitable[Any]]
) -> None:
    code, key, _ = await clawatch(launcher, "keys", "create", "--name", "phone", "--scope", "read,control")
    assert code == 0
    assert await answer(daemon, key.strip()) == 200
    _, listed, _ = await clawatch(launcher, "keys", "list", "--json")
    assert {k["name"]: k["scopes"] for k in json.loads(listed)["keys"]}["phone"] == ["read", "control"]
    assert key.strip() not in listed
    assert (await clawatch(launcher, "keys", "revoke", "phone"))[0] == 0

    async def is_refused() -> bool:
        return await answer(daemon, key.strip()) == 401

    await until(is_refused, 2.0)


async def test_a_login_link_lets_in_once(launcher: Any, daemon: Any) -> None:
    _, link, _ = await clawatch(launcher, "login")
    code = link.strip().rpartition("#")[2]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        login = f"{daemon.url}/api/auth/login"
        async with session.post(login, json={"code": code}, headers={"Origin": daemon.url}) as response:
            assert response.status in (200, 204), await response.text()
        async with session.get(f"{daemon.url}/api/agents") as response:
            assert response.status == 200
        async with session.post(login, json={"code": code}, headers={"Origin": daemon.url}) as response:
            assert response.status in (400, 401, 403)


async def test_send_and_status(launcher: Any, daemon: Any) -> None:
    environment = {"CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": daemon.key}
    code, out, _ = await clawatch(launcher, "send", "--agent", "nightly", **environment)
    assert (code, out.strip()) == (0, "accepted")
    _, out, _ = await clawatch(launcher, "status", **environment)
    assert "nightly" in out
    _, out, _ = await clawatch(launcher, "status", "--json", **environment)
    assert [agent["id"] for agent in json.loads(out)["agents"]] == ["nightly"]


async def test_status_says_what_is_wrong_with_the_key(launcher: Any, daemon: Any) -> None:
    code, _, err = await clawatch(launcher, "status", CLAWATCH_URL=daemon.url, CLAWATCH_KEY="cw_wrong")
    assert code == 1
    assert "CLAWATCH_KEY" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--host", "0.0.0.0", "--port", "0"], "there is no key"),
        (["check-config"], "OK"),
    ],
)
async def test_without_a_key_nobody_else_may_reach_us(launcher: Any, words: list[str], said: str) -> None:
    (launcher.home / "config.yaml").write_text(json.dumps({"data_dir": str(launcher.home / "data")}))
    code, out, err = await clawatch(launcher, *words)
    assert said in out + err
    assert code == (2 if words[0] == "run" else 0)


async def test_two_daemons_never_share_a_data_directory(launcher: Any, daemon: Any) -> None:
    code, _, err = await clawatch(launcher, "run", "--port", "0")
    assert code == 1
    assert "another ClaWatch runs on" in err
