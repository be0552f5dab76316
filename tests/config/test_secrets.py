"""The secrets of a configuration are known wherever they turn up."""

from __future__ import annotations

from pydantic import Field, SecretStr

from clawatch.config.secrets import secrets_in
from clawatch.settings import Settings


class Inner(Settings):
    token: SecretStr = SecretStr("inner token")


class Outer(Settings):
    name: str = "shown"
    password: SecretStr = SecretStr("pass word")
    empty: SecretStr = SecretStr("")
    url: str = Field(default="https://example.com/hook/a1b2c3d4e5f6a7b8?key=0123456789abcdef", repr=False)
    headers: dict[str, str] = Field(default={"Authorization": "Basic eA=="}, repr=False)
    inner: Inner = Inner()


def test_what_is_secret_or_never_shown_is_found_and_nothing_else() -> None:
    assert set(secrets_in(Outer())) == {
        "pass word", "https://example.com/hook/a1b2c3d4e5f6a7b8?key=0123456789abcdef", "a1b2c3d4e5f6a7b8",
        "0123456789abcdef", "Basic eA==", "inner token",
    }


def test_settings_that_are_none_have_no_secrets() -> None:
    assert not list(secrets_in(None))
