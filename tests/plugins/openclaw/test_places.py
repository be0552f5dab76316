"""Where OpenClaw keeps its things, and what its configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.openclaw.identity import agent_in, is_automated, is_main
from clawatch_plugins.openclaw.places import gateway_config, homes
from clawatch_plugins.openclaw.settings import OpenClawSettings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

CONFIG = """
// OpenClaw's own JSON5
{
\tgateway: { port: 19001, auth: { token: "abc // no comment", mode: 'token' }, },
  /* more
     of it */
  "agents": { defaults: { heartbeat: { every: "30m" } } },
}
"""


def test_profiles_and_old_names_are_found_and_a_link_is_no_second_home(tmp_path: Path) -> None:
    for name in (".openclaw", ".openclaw-work", ".clawdbot"):
        (tmp_path / name).mkdir()
    (tmp_path / ".moltbot").symlink_to(tmp_path / ".openclaw")
    found = {home.name: home.path.name for home in homes("openclaw", tmp_path, {})}
    assert found["openclaw-work"] == ".openclaw-work"
    assert [home.path.name for home in homes("openclaw", tmp_path, {})] == [".openclaw", ".openclaw-work", ".clawdbot"]


def test_the_environment_names_the_state_directory(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home,) = homes("openclaw", tmp_path, {"OPENCLAW_STATE_DIR": str(tmp_path / "elsewhere")})
    assert home.path.name == "elsewhere"


def test_the_configuration_is_read_with_its_comments(tmp_path: Path) -> None:
    (tmp_path / "openclaw.json").write_text(CONFIG)
    found = gateway_config(tmp_path, {})
    assert (found.port, found.token) == (19_001, "abc // no comment")


def test_a_token_may_stand_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "openclaw.json").write_text('{"gateway": {"auth": {"token": "${MY_TOKEN}"}}}')
    assert gateway_config(tmp_path, {"MY_TOKEN": "x"}).token == "x"
    assert gateway_config(tmp_path, {}).token == ""
    (tmp_path / "openclaw.json").write_text('{"gateway": {"auth": {"token": {"source": "file"}}}}')
    assert gateway_config(tmp_path, {"OPENCLAW_GATEWAY_TOKEN": "y"}).token == "y"


@given(text=st.text(max_size=80) | st.text(alphabet="{}[]\"'/*:,\n\t&!", max_size=60))
def test_no_configuration_makes_it_raise(tmp_path_factory: Any, text: str) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "openclaw.json").write_text(text, errors="replace")
    gateway_config(folder, {})


@pytest.mark.parametrize(("key", "agent", "automated", "main"), [
    ("agent:main:main", "main", False, True),
    ("agent:ops:telegram:direct:7", "ops", False, False),
    ("agent:main:cron:nightly", "main", True, False),
    ("agent:main:subagent:0f6a", "main", True, False),
    ("hook:7", "main", True, False),
    ("global", "main", False, True),
    ("", "main", False, False),
    ("agent:", "main", False, False),
])
def test_a_key_tells_the_agent_and_who_speaks(key: str, agent: str, automated: bool, main: bool) -> None:
    assert (agent_in(key), is_automated(key), is_main(key)) == (agent, automated, main)


@pytest.mark.parametrize("wrong", [
    {"gateway": "http://x"}, {"gateway": "ws://"}, {"poll": "1ms"}, {"proof_within": 0}, {"name": "with space"},
    {"name": ""}, {"nonsense": 1},
])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenClawSettings.model_validate(wrong)


def test_the_gateway_of_this_machine_is_at_the_port_its_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "openclaw.json").write_text(CONFIG)
    settings = OpenClawSettings.model_validate({"state_dir": tmp_path})
    assert (settings.gateway_url(), settings.gateway_token()) == ("ws://127.0.0.1:19001", "abc // no comment")
    elsewhere = OpenClawSettings.model_validate({"files": False, "gateway": "wss://box.example", "token": "t"})
    assert (elsewhere.gateway_url(), elsewhere.homes()) == ("wss://box.example", [])
