"""Notifications as signed posts, and what each answer means."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate

import pytest
from aiohttp import web
from clawatch_plugins.webhook import open_webhook, register_notifiers
from clawatch_plugins.webhook.settings import WebhookSettings
from msgspec.structs import replace
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, AlertType, Mark, Reason, Severity
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Delivered, Notification, RetryLater, Undeliverable
from clawatch.domain.time import DAY, SECOND
from clawatch.testing.clock import START

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert(
    id="alert_1", fingerprint="f", rule="loop", type=AlertType.LOOP_DETECTED, severity=Severity.WARNING,
    agent_id="a", subject="s", message="looping", state=AlertState.FIRING, started_at=START, fired_at=START,
    acknowledged=Mark(by="ops", at=START), evidence={"calls": 5},
)
FIRED = Notification(
    id="out_1", notifier="hook", thread="alert_1", reason=Reason.FIRED, at=START, now=START + 1,
    severity=Severity.WARNING, text="looping", alert=ALERT,
    agent=Agent(id="a", name="A", created_at=0, cost=1_500_000_000, tokens=7, error_count=2),
    command=Command(
        id="cmd_1", agent_id="a", type=CommandType.PAUSE, state=CommandState.CONFIRMED, requested_at=START,
        requested_by="ops", changed_at=START,
    ),
)


async def test_a_post_verifies_by_the_standard(receiver):
    assert await receiver.notifier().deliver(FIRED) == Delivered("told")
    ((headers, body),) = receiver.posts
    assert Verifier(SECRET).verify(body, headers) == json.loads(body)
    assert headers["webhook-id"] == "out_1"
    assert headers["Content-Type"] == "application/json"


async def test_the_body_says_what_happened_to_what(receiver):
    await receiver.notifier().deliver(FIRED)
    assert json.loads(receiver.posts[0][1]) == {
        "type": "alert.fired",
        "timestamp": "2026-03-09T14:00:00.000Z",
        "data": {
            "reason": "fired", "severity": "warning", "text": "looping",
            "alert": {
                "id": "alert_1", "agentId": "a", "rule": "loop", "type": "loop_detected", "severity": "warning",
                "subject": "s", "message": "looping", "state": "firing", "timestamp": "2026-03-09T14:00:00.000Z",
                "resolvedAt": None, "acknowledged": True, "acknowledgedBy": "ops", "silencedUntil": None,
                "evidence": {"calls": 5},
            },
            "agent": {"id": "a", "name": "A", "host": "", "status": "pending", "costUsd": 1.5, "tokenCount": 7,
                      "errorCount": 2},
            "command": {"id": "cmd_1", "type": "pause", "state": "confirmed", "words": "paused, confirmed",
                        "requestedBy": "ops", "message": ""},
        },
    }


async def test_a_notice_stands_alone(receiver):
    await receiver.notifier().deliver(replace(FIRED, reason=Reason.NOTICE, alert=None, agent=None, command=None))
    body = json.loads(receiver.posts[0][1])
    assert (body["type"], body["data"]["alert"]) == ("notice", None)


@pytest.mark.parametrize("secret", ["plain words", "pläin", SECRET, SECRET.rstrip("=")])
async def test_a_plain_secret_is_taken_as_its_bytes(receiver, secret):
    await receiver.notifier(secret=secret).deliver(FIRED)
    ((headers, body),) = receiver.posts
    Verifier(secret if secret.startswith("whsec_") else secret.encode()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(base64.b64encode(b"another").decode()).verify(body, headers)


async def test_without_a_secret_nothing_is_signed(receiver):
    await receiver.notifier(secret="").deliver(FIRED)
    assert "webhook-signature" not in receiver.posts[0][0]


async def test_configured_headers_are_sent(receiver):
    await receiver.notifier(headers={"Authorization": "Bearer x"}).deliver(FIRED)
    assert receiver.posts[0][0]["Authorization"] == "Bearer x"


async def test_a_retry_has_the_same_id_and_a_time_of_its_own(receiver):
    await receiver.answering(web.Response(status=503), FIRED)
    receiver.core.clock.advance(5 * SECOND)
    await receiver.notifier().deliver(FIRED)
    (first, _), (second, body) = receiver.posts
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5
    Verifier(SECRET).verify(body, second)


async def test_a_summary_that_grew_is_no_repeat(receiver):
    summary = replace(FIRED, reason=Reason.SUMMARY, alert=None, text="11 more")
    for text in ("11 more", "11 more", "12 more"):
        await receiver.notifier().deliver(replace(summary, text=text))
    ids = [headers["webhook-id"] for headers, _ in receiver.posts]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_delivered(receiver, status):
    assert await receiver.answering(web.Response(status=status, text="x"), FIRED) == Delivered("told")


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504])
async def test_what_can_be_mended_is_tried_again(receiver, status):
    assert await receiver.answering(web.Response(status=status), FIRED) == RetryLater(f"the receiver answered {status}")


@pytest.mark.parametrize("status", [400, 405, 410, 413, 422])
async def test_what_trying_cannot_help_is_undeliverable(receiver, status):
    outcome = await receiver.answering(web.Response(status=status), FIRED)
    assert outcome == Undeliverable(f"the receiver answered {status}")


@pytest.mark.parametrize(
    ("value", "after"),
    [("7", 7 * SECOND), ("0", 0), ("9" * 40, DAY), ("-1", None), ("soon", None), ("", None), ("²", None)],
)
async def test_retry_after_in_seconds_is_honoured_within_reason(receiver, value, after):
    outcome = await receiver.answering(web.Response(status=429, headers={"Retry-After": value}), FIRED)
    assert outcome.after == after


async def test_retry_after_as_a_date_is_honoured(receiver):
    now = receiver.core.clock.now().wall
    date = formatdate(now / 1000 + 60, usegmt=True)
    outcome = await receiver.answering(web.Response(status=503, headers={"Retry-After": date}), FIRED)
    assert 59 * SECOND <= outcome.after <= 60 * SECOND


async def test_a_redirect_is_not_followed(receiver):
    away = web.Response(status=307, headers={"Location": f"{receiver.url}/hook"})
    outcome = await receiver.answering(away, FIRED)
    assert isinstance(outcome, RetryLater)
    assert "write the final address" in outcome.why
    assert len(receiver.posts) == 1


async def test_a_receiver_that_does_not_answer_is_tried_again(receiver):
    assert await receiver.answering(None, FIRED, timeout="100ms") == RetryLater("the receiver did not answer in time")


async def test_a_body_without_end_is_not_waited_for(receiver):
    assert await receiver.notifier(url=f"{receiver.url}/endless").deliver(FIRED) == Delivered("told")


async def test_a_receiver_that_is_down_is_tried_again_without_showing_the_url(receiver, unused_tcp_port):
    outcome = await receiver.notifier(url=f"http://127.0.0.1:{unused_tcp_port}/secret-path").deliver(FIRED)
    assert isinstance(outcome, RetryLater)
    assert "secret-path" not in outcome.why


async def test_a_url_that_is_none_is_undeliverable(receiver):
    outcome = await receiver.notifier(url="http://").deliver(FIRED)
    assert isinstance(outcome, Undeliverable)


async def test_a_silenced_alert_and_an_update_of_what_was_never_told_are_not_posted(receiver):
    notifier = receiver.notifier()
    assert await notifier.deliver(replace(FIRED, is_quiet=True)) == Delivered()
    assert await notifier.deliver(replace(FIRED, reason=Reason.RESOLVED)) == Delivered()
    assert await notifier.deliver(replace(FIRED, reason=Reason.RAISED, is_quiet=True, ref="told")) == Delivered()
    assert not receiver.posts


async def test_an_update_of_what_was_told_is_posted_even_when_quiet(receiver):
    for reason in (Reason.UPDATED, Reason.RESOLVED):
        await receiver.notifier().deliver(replace(FIRED, reason=reason, is_quiet=True, ref="told"))
    assert [json.loads(body)["type"] for _, body in receiver.posts] == ["alert.updated", "alert.resolved"]


async def test_what_json_cannot_carry_is_replaced(receiver):
    odd = replace(ALERT, message="\ud800", evidence={"\ud800": ["\udfff", 1e400]})
    assert await receiver.notifier().deliver(replace(FIRED, alert=odd)) == Delivered("told")
    alert = json.loads(receiver.posts[0][1])["data"]["alert"]
    assert alert["message"] == "?"


async def test_without_a_url_nothing_is_posted(receiver):
    settings = WebhookSettings()
    assert not settings.is_configured
    async with open_webhook(settings, receiver.core) as notifier:
        assert isinstance(await notifier.deliver(FIRED), Undeliverable)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x"}, {"url": "example.com"}, {"secret": "whsec_"}, {"secret": "whsec_not base64!"},
        {"headers": {"Webhook-Id": "x"}}, {"headers": {"a b": "x"}}, {"headers": {"a": "x\r\nb: c"}}, {"no": 1},
    ],
)
def test_wrong_settings_are_refused_without_showing_them(wrong):
    with pytest.raises(ValueError) as refused:
        WebhookSettings.model_validate(wrong)
    assert "not base64!" not in str(refused.value)


def test_secrets_are_not_shown():
    settings = WebhookSettings(url="https://x/SECRETPATH", secret="topsecret", headers={"A": "hidden"})
    for word in ("SECRETPATH", "topsecret", "hidden"):
        assert word not in repr(settings)


def test_the_plugin_registers_its_notifier():
    (contribution,) = register_notifiers()
    assert (contribution.name, contribution.settings) == ("webhook", WebhookSettings)
