"""``check-config`` and ``plugins``, and a command line that loads no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from clawatch.cli import COMMANDS, main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no configuration of the machine is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLAWATCH_CONFIG", raising=False)


def call(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_check_config_tells_every_mistake_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("server: {port: x}\nrules:\n  stuck: {after: 5 mins}\n")
    result = call("check-config", "wrong.yaml")
    assert result.exit_code == 2
    assert 'wrong.yaml:3 rules.stuck.after: "5 mins" is not a duration; write 5m' in result.output.splitlines()
    assert "wrong.yaml:1 server.port: must be a whole number" in result.output.splitlines()


def test_check_config_says_ok_and_what_it_means(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{server: {port: 1234}, storage: {use: memory}}")
    result = call("check-config")
    assert result.exit_code == 0, result.output
    last = result.output.splitlines()[-1]
    assert last.startswith("OK: config.yaml; 127.0.0.1:1234, data in ")
    assert last.endswith("notifiers: none, so nobody is told")


def test_check_config_names_a_file_that_is_not_there() -> None:
    result = call("check-config", "none.yaml")
    assert result.exit_code == 2
    assert result.output == "none.yaml: there is no such file\n"


def test_check_config_notes_what_is_left_out_and_why(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{notifiers: {telegram: {bot_token: '1:a'}}, storage: {use: memory}}")
    assert "note: notifiers.telegram is left out; it needs: chats" in call("check-config").output.splitlines()


def test_a_rule_from_a_refused_directory_is_missed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins").chmod(0o777)
    (tmp_path / "config.yaml").write_text("{plugins: {directory: plugins}, rules: {slow_tools: {}}}")
    result = call("check-config")
    assert result.exit_code == 2
    assert "plugins was refused: can be written by group or others; run chmod go-w on it" in result.output


def test_check_config_notes_plugins_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "plugins" / "bad.py").write_text("raise RuntimeError('\\x1b[31mno')")
    (tmp_path / "plugins" / "bad.py").chmod(0o644)
    (tmp_path / "config.yaml").write_text("{plugins: {directory: plugins}, storage: {use: memory}}")
    result = call("check-config")
    assert result.exit_code == 0, result.output
    assert f"note: plugin bad ({tmp_path}/plugins/bad.py): broken: RuntimeError:" in result.output
    assert "\x1b" not in result.output


def test_plugins_are_listed_with_origin_version_hooks_and_state(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("plugins: {disabled: [telegram]}")
    result = call("plugins")
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split() for line in result.output.splitlines()}
    assert lines["name"] == ["name", "origin", "version", "hooks", "state"]
    assert lines["stuck"][:2] == ["stuck", "clawatch"]
    assert lines["stuck"][3:] == ["rules", "loaded"]
    assert lines["telegram"][3:] == ["-", "disabled:", "by", "plugins.disabled"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_it_is_said_to_be(name: str) -> None:
    module, _, attribute = COMMANDS[name].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert call(name, "--help").exit_code == 0


def test_a_plugins_command_is_offered(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "plugins" / "greeter.py").write_text(
        "import click\nfrom clawatch.hookspecs import hookimpl\n"
        "@click.command()\ndef greet():\n    'Greets.'\n    click.echo('hello')\n"
        "@hookimpl\ndef register_commands():\n    return [greet]\n"
    )
    (tmp_path / "plugins" / "greeter.py").chmod(0o644)
    (tmp_path / "config.yaml").write_text("plugins: {directory: plugins}")
    assert call("greet").output == "hello\n"
    assert "Greets." in call("--help").output


def test_an_unknown_command_is_told_even_while_the_configuration_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("[")
    result = call("frobnicate")
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.output


def test_send_loads_neither_the_daemon_nor_its_libraries() -> None:
    code = (
        "import sys; from clawatch.cli import main\n"
        "try: main(['send', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'aiohttp', 'pydantic', 'pluggy', 'structlog', 'clawatch.app'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
