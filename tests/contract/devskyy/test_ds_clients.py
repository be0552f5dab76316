"""The contract's own clients, as its page writes them, unchanged but for the address and the token."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from clawatch.testing.app import ADMIN_KEY

CLIENTS = Path(__file__).parent / "clients"
DOCS = Path(__file__).parents[3] / "docs"
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


async def test_an_agent_written_as_the_page_shows_takes_a_task(ds: Any, tmp_path: Path) -> None:
    """DS-41: with the client library, in a process of its own."""
    section = (DOCS / "apis.md").read_text().partition("## DevSkyy")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    file = tmp_path / "agent.py"
    file.write_text(found.group(1) + "\nimport time\ntime.sleep(60)\n")
    task = await ds.submit()
    env = {**os.environ, "CLAWATCH_URL": ds.cw.url, "CLAWATCH_KEY": ds.cw.key, "XDG_STATE_HOME": str(tmp_path)}
    child = await asyncio.create_subprocess_exec(sys.executable, str(file), env=env)
    try:
        done = await ds.task(task["taskId"], "completed")
    finally:
        child.kill()
        await child.wait()
    assert (done["agentId"], done["result"]["result"]) == ("commerce-001", "priced")
    assert done["metrics"]["costUsd"] == 0.02


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
