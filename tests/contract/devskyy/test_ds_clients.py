"""The contract's own clients, as its page writes them, unchanged but for the address and the token."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from clawatch.testing.app import ADMIN_KEY

CLIENTS = Path(__file__).parent / "clients"
NODE = shutil.which("node")


async def run(*command: str) -> tuple[int | None, str]:
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(60):
            said, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    return child.returncode, said.decode()


async def test_the_check_up_script_passes_nine_of_nine(run_ds: Any) -> None:
    """DS-56, DS-24, DS-48, DS-55: without a token, from this machine."""
    keys = [{"name": "ops", "key": ADMIN_KEY, "scopes": ["admin"]}]
    async with run_ds(auth={"keys": keys, "loopback": ["read"]}) as ds:
        await ds.worker("commerce")
        await ds.table()
        await ds.submit()
        port = ds.cw.url.rpartition(":")[2]
        script = str(CLIENTS / "check_endpoints.py")
        code, said = await run(sys.executable, script, "--host", "localhost", "--port", port)
    assert (code, "9/9 passed" in said) == (0, True), said


@pytest.mark.skipif(NODE is None, reason="needs Node")
async def test_a_javascript_client_listens_and_comes_back(run_ds: Any) -> None:
    """DS-01, DS-04, DS-07, DS-57: connects as the page says, hears an agent, is cut off and connects again."""
    assert NODE is not None
    async with run_ds() as ds:
        child = await asyncio.create_subprocess_exec(
            NODE, "--experimental-websocket", "--no-warnings", str(CLIENTS / "reconnecting.mjs"),
            ds.cw.url.replace("http", "ws"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        assert child.stdout is not None
        said: list[str] = []

        async def until(text: str) -> None:
            async with asyncio.timeout(20):
                while not said or said[-1] != text:
                    line = await child.stdout.readline()  # type: ignore[union-attr]
                    assert line, said
                    said.append(line.decode().strip())

        await until("pong agents")
        await ds.worker("commerce")
        await until("agent_status_update commerce-001 running")
        await until("connected again")
        await until("closed with 4004")
        assert await child.wait() == 0
