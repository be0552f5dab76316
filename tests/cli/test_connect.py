"""``clawatch connect`` shows what connects an agent, and writes it only when asked, once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clawatch.cli import main

KEY = "cw_" + "k" * 43
URL = "http://127.0.0.1:8787"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("CLAWATCH_CONFIG", "CLAWATCH_URL", "CLAWATCH_KEY", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["connect", *arguments])

    return call


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".claude" / "settings.json"


def there(name: str = "claude-code") -> tuple[str, ...]:
    return (name, "--url", URL, "--key", KEY)


def test_it_names_the_agents_there_are(run: Run) -> None:
    names = {line.split("\t")[0] for line in run().output.splitlines()}
    assert {"claude-code", "codex", "gemini", "opencode", "pi", "openclaw"} <= names
    result = run("clippy")
    assert result.exit_code == 2
    assert "claude-code" in result.output


@pytest.mark.parametrize("name", ["claude-code", "codex", "gemini", "opencode", "pi", "openclaw"])
def test_showing_writes_nothing(run: Run, tmp_path: Path, name: str) -> None:
    result = run(*there(name))
    assert result.exit_code == 0, result.output
    assert (URL in result.output and KEY in result.output) or name == "pi"
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("name", ["claude-code", "codex", "gemini", "opencode", "pi", "openclaw"])
def test_writing_twice_writes_once(run: Run, tmp_path: Path, name: str) -> None:
    assert run(*there(name), "--write").exit_code == 0
    files = {file: file.read_text() for file in (tmp_path / "home").rglob("*") if file.is_file()}
    assert bool(files) is (name not in ("pi", "openclaw"))
    again = run(*there(name), "--write")
    assert again.exit_code == 0
    assert "wrote" not in again.output
    assert {file: file.read_text() for file in (tmp_path / "home").rglob("*") if file.is_file()} == files


def test_claude_code_gets_telemetry_and_hooks_beside_its_own(run: Run, settings: Path) -> None:
    settings.parent.mkdir()
    mine: dict[str, Any] = {
        "model": "opus", "env": {"EDITOR": "vi"},
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]},
    }  # fmt: skip
    settings.write_text(json.dumps(mine))
    assert run(*there(), "--write").exit_code == 0
    written = json.loads(settings.read_text())
    assert written["model"] == "opus"
    assert written["env"]["EDITOR"] == "vi"
    assert written["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == URL
    assert written["env"]["OTEL_EXPORTER_OTLP_HEADERS"] == f"X-ClaWatch-Key={KEY}"
    assert written["hooks"]["Stop"][0] == mine["hooks"]["Stop"][0]
    [hook] = written["hooks"]["Stop"][1]["hooks"]
    assert hook["url"] == f"{URL}/hooks/claude-code"
    assert not {"SessionStart", "Setup", "WorktreeCreate"} & written["hooks"].keys(), "these take no answer of ours"
    [backup] = settings.parent.glob("*.bak")
    assert json.loads(backup.read_text()) == mine


def test_another_collector_is_left_alone_and_named(run: Run, settings: Path) -> None:
    settings.parent.mkdir()
    settings.write_text('{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}}')
    result = run(*there(), "--write")
    assert result.exit_code == 1
    assert "sets env.OTEL_EXPORTER_OTLP_ENDPOINT to something else" in result.output
    assert KEY not in settings.read_text(), "the key is not for the other collector"
    assert run(*there(), "--write", "--replace").exit_code == 0
    assert json.loads(settings.read_text())["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == URL


def test_a_file_that_is_not_understood_is_not_touched(run: Run, settings: Path) -> None:
    settings.parent.mkdir()
    settings.write_text('{"model": "opus", // mine\n}')
    result = run(*there(), "--write")
    assert result.exit_code == 1
    assert "left as it is" in result.output
    assert settings.read_text() == '{"model": "opus", // mine\n}'
    assert list(settings.parent.iterdir()) == [settings]


def test_codex_is_told_the_whole_address(run: Run, tmp_path: Path) -> None:
    assert run(*there("codex"), "--write").exit_code == 0
    exporter = tomllib.loads((tmp_path / "home/.codex/config.toml").read_text())["otel"]["exporter"]["otlp-http"]
    assert exporter == {"endpoint": f"{URL}/v1/logs", "protocol": "binary", "headers": {"X-ClaWatch-Key": KEY}}


def test_without_a_daemon_there_is_no_key_to_write(run: Run) -> None:
    shown = run("codex")
    assert shown.exit_code == 0
    assert "YOUR_INGEST_KEY" in shown.output
    refused = run("codex", "--write")
    assert refused.exit_code == 1
    assert "no key to write" in refused.output


def test_where_clawatch_has_run_a_key_is_made_once(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\nserver: {{public_url: 'https://watch.example'}}\n")
    (tmp_path / "data").mkdir()
    options = ("codex", "--config", str(config), "--write")
    assert run(*options).exit_code == 0
    written = (tmp_path / "home/.codex/config.toml").read_text()
    assert "https://watch.example/v1/logs" in written
    assert "cw_" in written
    again = run(*options)
    assert "has it all already" in again.output
    listed = CliRunner().invoke(main, ["keys", "list", "--json", "--config", str(config)])
    [key] = [key for key in json.loads(listed.output)["keys"] if key["name"] == "codex"]
    assert key["scopes"] == ["ingest"]
