"""What may be shown of a command line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.wrap.commandline import redacted

SECRET = "hunter2"


@pytest.mark.parametrize(
    "command",
    [
        ["agent", "--api-key", SECRET],
        ["agent", "--token=" + SECRET],
        ["agent", "--client-secret", SECRET, "--verbose"],
        ["env", "OPENAI_API_KEY=" + SECRET, "agent"],
        ["agent", "-Dpassword=" + SECRET],
        ["curl", "-H", "Authorization: Bearer " + SECRET, "http://x"],
        ["curl", "-H", "X-Api-Key: " + SECRET],
        ["curl", f"https://user:{SECRET}@host/path"],
        ["curl", f"https://host/path?a=1&token={SECRET}&b=2"],
        ["bash", "-c", f"export DB_PASSWORD='{SECRET}'; agent --auth {SECRET}"],
        ["agent", f'{{"secret": "{SECRET}"}}'],
    ],
)
def test_what_is_named_a_secret_is_hidden(command: list[str]) -> None:
    shown = redacted(command)
    assert SECRET not in shown
    assert "REDACTED" in shown


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "cw_abcdefghijklmnopqrstuv",
        "xoxb-123456789012-abcdef",
        "123456789:AAabcdefghijklmnopqrstuvwxyz012345",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    assert redacted(["agent", secret, "tail"]) == "agent REDACTED tail"


@pytest.mark.parametrize(
    "command",
    [
        ["bash", "-c", "setsid sleep 1000 & sleep 1000"],
        ["python", "-m", "agent", "--model", "claude-sonnet-4-5-20250929", "--max-tokens", "4096"],
        ["/usr/local/lib/python3.11/site-packages/agent/main.py", "monkey", "authors"],
    ],
)
def test_the_rest_stays_readable(command: list[str]) -> None:
    assert "REDACTED" not in redacted(command)


@given(st.lists(st.text()))
@settings(max_examples=50)
def test_any_command_becomes_one_bounded_text(command: list[str]) -> None:
    assert len(redacted(command)) <= 500
