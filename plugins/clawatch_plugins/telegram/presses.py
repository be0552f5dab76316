"""What a press on a button does."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger
from telegram import Bot, CallbackQuery

from clawatch.domain.access import Principal
from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, Reason
from clawatch.domain.commands import CONTROL_OF, Command, CommandType, in_words
from clawatch.domain.deliveries import Notification
from clawatch.domain.time import HOUR
from clawatch.ports import ClaWatchError, Core, NotFound
from clawatch_plugins.telegram.callbacks import Action, Signer
from clawatch_plugins.telegram.escaping import clean, fit
from clawatch_plugins.telegram.guard import Guard, principal_of
from clawatch_plugins.telegram.sending import Courier
from clawatch_plugins.telegram.text import when

_MAX_ANSWER = 200
"""Characters of a callback answer, by the Bot API."""
_VERBS = {
    Action.PAUSE: CommandType.PAUSE,
    Action.RESUME: CommandType.RESUME,
    Action.START: CommandType.START,
}


class Presses:
    """Carries out presses: does it, answers what truly happened, and shows it in the message pressed on."""

    def __init__(self, bot: Bot, courier: Courier, signer: Signer, guard: Guard, core: Core) -> None:
        self._bot = bot
        self._courier = courier
        self._signer = signer
        self._guard = guard
        self._core = core
        self._log: FilteringBoundLogger = core.log

    async def handle(self, query: CallbackQuery) -> None:
        message = query.message
        if message is None:  # inline messages have no chat; we never send any
            await self._answer(query, "Not allowed here.", is_refusal=True)
            return
        why = self._guard.objection(message.chat, query.from_user)
        if why is not None:
            self._guard.note(message.chat, query.from_user, why)
            await self._answer(query, f"Not allowed: {why}.", is_refusal=True)
            return
        meant = self._signer.read(query.data or "", message.chat.id)
        if meant is None:
            self._guard.note(message.chat, query.from_user, "forged or foreign callback data")
            await self._answer(query, "This button is not valid here.", is_refusal=True)
            return
        await self._act(query, message.chat.id, message.message_id, *meant)

    async def _act(self, query: CallbackQuery, chat: int, message_id: int, action: Action, alert_id: str) -> None:
        principal = principal_of(query.from_user)
        self._log.info("telegram.pressed", action=action.name.lower(), alert=alert_id, by=principal.user)
        try:
            said = await self._do(action, alert_id, principal)
        except ClaWatchError as refusal:
            await self._answer(query, f"Not done: {refusal}", is_refusal=True)
        except Exception as error:
            self._log.error("telegram.press_failed", action=action.name.lower(), error=type(error).__name__)
            await self._answer(query, "That went wrong; the log of ClaWatch says why.", is_refusal=True)
        else:
            await self._answer(query, said)
        await self._show(chat, message_id, alert_id, principal)

    async def _do(self, action: Action, alert_id: str, principal: Principal) -> str:
        alert = await self._core.queries.alert(alert_id, principal)
        commands = self._core.commands
        match action:
            case Action.PAUSE | Action.RESUME | Action.START:
                return said(*await commands.control(alert.agent_id, _VERBS[action], principal, alert.id))
            case Action.ACKNOWLEDGE:
                return _said_acknowledged(await commands.acknowledge(alert.id, principal))
            case Action.UNACKNOWLEDGE:
                await commands.acknowledge(alert.id, principal, acknowledged=False)
                return "No longer acknowledged."
            case Action.SILENCE:
                silence = await commands.silence(principal, HOUR, "a press on Telegram", alert_id=alert.id)
                return f"Silenced until {when(silence.expires_at)}."

    async def _answer(self, query: CallbackQuery, text: str, is_refusal: bool = False) -> None:
        try:
            await self._bot.answer_callback_query(query.id, fit(clean(text), _MAX_ANSWER), show_alert=is_refusal)
        except Exception as error:  # too old to be answered, or no network: what was done is done
            self._log.debug("telegram.not_answered", error=type(error).__name__)

    async def _show(self, chat: int, message_id: int, alert_id: str, principal: Principal) -> None:
        """Bring the message up to date. Best effort: the outbox edits the alert's newest message anyway."""
        async with self._courier.thread(alert_id):
            try:
                alert = await self._core.queries.alert(alert_id, principal)
                await self._courier.edit(chat, message_id, standing(self._core, alert, principal))
            except Exception as error:
                self._log.debug("telegram.not_edited", alert=alert_id, error=type(error).__name__)


def said(agent: Agent, command: Command | None) -> str:
    """What became of a control command, for people."""
    name = fit(clean(agent.name), 60)
    if command is None or CONTROL_OF.get(command.type) is not agent.control:
        return f"{name}: nothing to do, it is {agent.status}."
    words = f"{name}: {in_words(command)}"
    if command.is_open:
        return f"{words}; waiting for the agent."
    return f"{words}: {command.message}" if command.message else f"{words}."


def _said_acknowledged(alert: Alert) -> str:
    return f"Acknowledged by {alert.acknowledged.by}." if alert.acknowledged else "Acknowledged."


def standing(core: Core, alert: Alert, principal: Principal) -> Notification:
    """The alert as it stands now, in the form that is shown."""
    now = core.clock.now().wall
    agent = _agent(core, alert.agent_id, principal)
    return Notification(
        id="",
        notifier="",
        thread=alert.id,
        reason=Reason.UPDATED,
        at=now,
        now=now,
        severity=alert.severity,
        text=alert.message,
        alert=alert,
        agent=agent,
        command=None if agent is None else core.queries.controlling(agent).command,
        silenced_until=core.queries.silenced_until(alert),
    )


def _agent(core: Core, agent_id: str, principal: Principal) -> Agent | None:
    try:
        return core.queries.agent(agent_id, principal)
    except NotFound:
        return None
