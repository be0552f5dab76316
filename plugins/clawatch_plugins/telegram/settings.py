"""What the configuration says about a Telegram bot."""

from __future__ import annotations

import re

from pydantic import SecretStr, field_validator

from clawatch.domain.remarks import Remark
from clawatch.domain.time import SECOND
from clawatch.settings import Duration, Settings, Surroundings

_TOKEN = re.compile(r"[A-Za-z0-9_:-]*")
"""What a token may be made of; anything else would change the URLs it becomes a part of."""


class TelegramSettings(Settings):
    bot_token: SecretStr = SecretStr("")
    """From @BotFather."""
    chats: tuple[int, ...] = ()
    """Ids of the chats that are told; groups have negative ones."""
    users: tuple[int, ...] = ()
    """Ids of the people whose presses and commands count; when empty, the positive ids in ``chats``."""
    api_url: str = "https://api.telegram.org"
    timeout: Duration = 10 * SECOND
    """For one request to the API."""

    @field_validator("bot_token")
    @classmethod
    def _is_a_token(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value().strip()
        if not _TOKEN.fullmatch(text):
            raise ValueError("is not a bot token; copy it from @BotFather, it looks like 110201543:AAHdqTcvCH1vGW")
        return SecretStr(text)

    @field_validator("api_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("is not a URL; write it like https://api.telegram.org")
        return url.rstrip("/")

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys without which it cannot run."""
        needed = {"bot_token": self.bot_token.get_secret_value(), "chats": self.chats}
        return tuple(key for key, value in needed.items() if not value)

    @property
    def is_configured(self) -> bool:
        return not self.missing

    @property
    def operators(self) -> frozenset[int]:
        """Whose presses and commands count. A private chat has the id of its person."""
        return frozenset(self.users or (chat for chat in self.chats if chat > 0))

    async def examine(self, surroundings: Surroundings) -> list[Remark]:
        from clawatch_plugins.telegram.checking import check

        return await check(self, surroundings)
