"""What ``clawatch doctor`` says of a bot: its settings, and what the Bot API says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from clawatch.apis.callers import is_loopback
from clawatch.domain.remarks import Remark, fine, warning, wrong
from clawatch.domain.time import SECOND
from clawatch.settings import Surroundings

if TYPE_CHECKING:
    from clawatch_plugins.telegram.settings import TelegramSettings


async def check(settings: TelegramSettings, surroundings: Surroundings) -> list[Remark]:
    """Real calls are getMe and getChat, which nobody sees."""
    remarks: list[Remark] = []
    if is_loopback(URL(surroundings.public_url).host or ""):
        remarks.append(warning(
            f"the button Open leads to {surroundings.public_url}, which a phone cannot reach",
            "set server.public_url to where you reach ClaWatch from elsewhere",
        ))
    if not settings.operators:
        remarks.append(warning("nobody's buttons and commands count", "list the ids of people in users"))
    if surroundings.session is not None:
        remarks += await _Caller(settings, surroundings.session).check()
    return remarks or [fine("configured")]


class _Caller:
    def __init__(self, settings: TelegramSettings, session: ClientSession) -> None:
        self._settings = settings
        self._session = session

    async def check(self) -> list[Remark]:
        try:
            known, bot = await self._ask("getMe")
            if not known:
                return [wrong("Telegram does not know this bot token", "copy it again from @BotFather")]
            remarks = [fine(f"Telegram knows the bot as @{bot.get('username', '?')}")]
            for chat in self._settings.chats:
                known, _ = await self._ask("getChat", chat_id=chat)
                if not known:
                    remarks.append(wrong(
                        f"the bot cannot write to the chat {chat}",
                        "check the id; write /start to the bot there, or add it to the group",
                    ))
        except (OSError, ClientError, TimeoutError, ValueError) as error:  # its words would quote the URL
            host = URL(self._settings.api_url).host
            return [wrong(f"{host} cannot be reached ({type(error).__name__})", "check the network, or api_url")]
        return remarks

    async def _ask(self, method: str, **parameters: Any) -> tuple[bool, dict[str, Any]]:
        url = f"{self._settings.api_url}/bot{self._settings.bot_token.get_secret_value()}/{method}"
        timeout = ClientTimeout(total=self._settings.timeout / SECOND)
        async with self._session.post(url, data=parameters, timeout=timeout, allow_redirects=False) as answer:
            body = await answer.json(content_type=None)
        result = body.get("result") if isinstance(body, dict) else None
        return isinstance(result, dict) and bool(body.get("ok")), result if isinstance(result, dict) else {}
