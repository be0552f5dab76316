"""``clawatch doctor`` says what Claude Code's settings make it report, and what to do about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clawatch_plugins.claude_code.checkup import examine_settings
from clawatch_plugins.claude_code.connecting import plan
from clawatch_plugins.claude_code.source import TranscriptsSettings

from clawatch.domain.remarks import Level
from clawatch.ports import Target
from clawatch.settings import Surroundings

URL = "http://127.0.0.1:8787"
CONNECTED = plan(Target(url=URL, key="cw_" + "k" * 43, home=Path("/home/ana"))).merges[0].settings


def said(tmp_path: Path, settings: Any) -> list[tuple[Level, str]]:
    file = tmp_path / "settings.json"
    file.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    remarks = examine_settings(file, URL)
    assert all(one.remedy for one in remarks if one.level is not Level.OK)
    return [(one.level, one.text.removeprefix(f"{file}: ")) for one in remarks]


def test_where_claude_code_never_ran_nothing_is_said(tmp_path: Path) -> None:
    assert examine_settings(tmp_path / "nowhere" / "settings.json", URL) == []


def test_connected_is_well(tmp_path: Path) -> None:
    assert said(tmp_path, CONNECTED) == [(Level.OK, "logs and hooks are on")]


@pytest.mark.parametrize(("settings", "words"), [
    ({}, ["reports nothing"]),
    ({**CONNECTED, "env": {}}, ["logs exporter is off"]),
    ({"env": CONNECTED["env"]}, ["cannot be paused", "judged by sizes only"]),
    ({"env": {**CONNECTED["env"], "OTEL_LOG_TOOL_DETAILS": "1"}}, ["cannot be paused"]),
    (json.loads(json.dumps(CONNECTED).replace(URL, "http://other:1")), ["hooks call another", "goes to another", "on"]),
    ("{,}", ["cannot be understood"]), ([], ["reports nothing"]), ({"env": 7, "hooks": 7}, ["reports nothing"]),
])  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, settings: Any, words: list[str]) -> None:
    found = said(tmp_path, settings)
    assert len(found) == len(words)
    assert all(word in text for word, (_, text) in zip(words, found, strict=True))


async def test_the_files_are_named_with_their_ages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    settings = TranscriptsSettings()
    (missing,) = await settings.examine(Surroundings(URL))
    assert missing.level is Level.WARNING
    projects = tmp_path / "claude" / "projects" / "-opt"
    projects.mkdir(parents=True)
    empty, _ = await settings.examine(Surroundings(URL))
    assert "holds no session yet" in empty.text
    (projects / "a.jsonl").write_text("{}\n")
    files, _ = await settings.examine(Surroundings(URL))
    assert files.level is Level.OK
    assert "1 session file, 1 written within 7 d" in files.text
