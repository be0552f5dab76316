"""Chat commands: a look at the fleet and a hand on it, from the phone."""

from __future__ import annotations

import glob
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger
from telegram import Message
from telegram.constants import ChatType

from clawatch.domain.access import Principal
from clawatch.domain.alerts import AlertState
from clawatch.domain.commands import CommandType
from clawatch.domain.time import DAY, HOUR, MINUTE, Millis, parse_duration, say_duration
from clawatch.domain.words import count_of
from clawatch.ports import AlertFilter, ClaWatchError, Core
from clawatch_plugins.telegram import reports
from clawatch_plugins.telegram.escaping import code, escape
from clawatch_plugins.telegram.guard import Guard, principal_of
from clawatch_plugins.telegram.naming import Named, find
from clawatch_plugins.telegram.presses import said
from clawatch_plugins.telegram.sending import Courier
from clawatch_plugins.telegram.text import when

COMMANDS = {
    "status": "how things stand",
    "agents": "every agent",
    "costs": "what was spent",
    "pause": "NAME: pause an agent",
    "resume": "NAME: let it go on",
    "silence": "[NAME] [1h]: no new messages for a while",
    "unsilence": "[NAME]: end silences early",
    "login": "a one-time link to the page (private chats)",
    "help": "this list",
}
_LOGIN_LIFE = 10 * MINUTE
_LONGEST_SILENCE = 30 * DAY
_ROOM = 300

Answer = Callable[["Message", Principal, str], Awaitable[str]]


class Chat:
    """Carries out chat commands and answers them."""

    def __init__(self, courier: Courier, guard: Guard, core: Core) -> None:
        self.username = ""
        """The bot's own; commands to another bot in the same group are not for us."""
        self._courier = courier
        self._guard = guard
        self._core = core
        self._log: FilteringBoundLogger = core.log
        self._answers: dict[str, Answer] = {
            "start": self._help,
            "help": self._help,
            "status": self._status,
            "agents": self._agents,
            "costs": self._costs,
            "pause": self._pause,
            "resume": self._resume,
            "silence": self._silence,
            "unsilence": self._unsilence,
            "login": self._login,
        }

    async def handle(self, message: Message) -> None:
        command, argument = self._command(message)
        if command is None:
            return
        why = self._guard.objection(message.chat, message.from_user, message.sender_chat)
        if why is not None:
            if self._guard.note(message.chat, message.from_user, why):
                await self._reply(message, f"Not allowed: {escape(why, _ROOM)}.")
            return
        assert message.from_user is not None
        principal = principal_of(message.from_user)
        self._log.info("telegram.command", command=command, by=principal.user)
        await self._reply(message, await self._answer(command, message, principal, argument))

    def _command(self, message: Message) -> tuple[str | None, str]:
        """The command and its argument; None for anything else, also for what was only passed on."""
        text = message.text or ""
        if not text.startswith("/") or message.forward_origin is not None or message.via_bot is not None:
            return None, ""
        word, _, argument = text[1:].partition(" ")
        command, _, bot = word.partition("@")
        if bot and bot.lower() != self.username.lower():
            return None, ""
        command = command.lower()
        return (command if command in self._answers else None), argument.strip()

    async def _answer(self, command: str, message: Message, principal: Principal, argument: str) -> str:
        try:
            return await self._answers[command](message, principal, argument)
        except ClaWatchError as refusal:
            return f"Not done: {escape(str(refusal), _ROOM)}"
        except Exception as error:
            self._log.error("telegram.command_failed", command=command, error=type(error).__name__)
            return "That went wrong; the log of ClaWatch says why."

    async def _reply(self, message: Message, text: str) -> None:
        topic = message.message_thread_id if message.is_topic_message else None
        await self._courier.say(message.chat.id, text, topic)

    # -- to read

    async def _help(self, message: Message, principal: Principal, argument: str) -> str:
        return "\n".join(f"/{name} — {escape(words, _ROOM)}" for name, words in COMMANDS.items())

    async def _status(self, message: Message, principal: Principal, argument: str) -> str:
        queries = self._core.queries
        firing = await queries.alerts(principal, AlertFilter(state=AlertState.FIRING))
        return reports.status(await queries.system(), queries.agents(principal), firing.items, self._now)

    async def _agents(self, message: Message, principal: Principal, argument: str) -> str:
        return reports.agents(self._core.queries.agents(principal), self._now)

    async def _costs(self, message: Message, principal: Principal, argument: str) -> str:
        queries = self._core.queries
        day = await queries.costs(principal, self._now - DAY, None, None)
        return reports.costs(day, queries.agents(principal))

    @property
    def _now(self) -> Millis:
        return self._core.clock.now().wall

    # -- to act

    async def _pause(self, message: Message, principal: Principal, argument: str) -> str:
        return await self._control(CommandType.PAUSE, principal, argument)

    async def _resume(self, message: Message, principal: Principal, argument: str) -> str:
        return await self._control(CommandType.RESUME, principal, argument)

    async def _control(self, verb: CommandType, principal: Principal, name: str) -> str:
        found = self._find(name, principal)
        if isinstance(found, str):
            return found
        return escape(said(*await self._core.commands.control(found.id, verb, principal)), _ROOM)

    async def _silence(self, message: Message, principal: Principal, argument: str) -> str:
        name, duration = _split_silence(argument)
        if not 0 < duration <= _LONGEST_SILENCE:
            return f"A silence lasts up to {say_duration(_LONGEST_SILENCE)}; write it like 30m, 1h or 2d."
        pattern, what = "*", "everything"
        if name:
            found = self._find(name, principal)
            if isinstance(found, str):
                return found
            pattern, what = glob.escape(found.id), code(found.name, _ROOM)
        silence = await self._core.commands.silence(principal, duration, "a command on Telegram", agent=pattern)
        return f"🔕 Silenced {what} until {when(silence.expires_at)}."

    async def _unsilence(self, message: Message, principal: Principal, argument: str) -> str:
        silences = await self._core.queries.silences(principal)
        if argument:
            found = self._find(argument, principal)
            if isinstance(found, str):
                return found
            silences = [silence for silence in silences if silence.agent == glob.escape(found.id)]
        for silence in silences:
            await self._core.commands.unsilence(silence.id, principal)
        return f"🔔 Ended {count_of(len(silences), 'silence')}." if silences else "Nothing is silenced."

    async def _login(self, message: Message, principal: Principal, argument: str) -> str:
        if message.chat.type != ChatType.PRIVATE:
            return "Ask me that in a private chat: whoever has the link is let in."
        link = await self._core.access.issue_login(_LOGIN_LIFE)
        return f"Good once, for {say_duration(_LOGIN_LIFE)}:\n{escape(link, 2 * _ROOM)}"

    def _find(self, name: str, principal: Principal) -> Named:
        return find(name, self._core.queries.agents(principal))


def _split_silence(argument: str) -> tuple[str, Millis]:
    """``[NAME] [1h]``: the last word is a duration when it reads like one."""
    name, _, last = argument.rpartition(" ")
    try:
        return name.strip(), parse_duration(last)
    except ValueError:
        return argument, HOUR


