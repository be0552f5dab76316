"""Posting, signing, and what an answer means (https://github.com/standard-webhooks/standard-webhooks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp

from clawatch.domain.alerts import Reason
from clawatch.domain.deliveries import Delivered, Notification, Outcome, RetryLater, Undeliverable
from clawatch.domain.time import DAY, SECOND, Millis
from clawatch.ports import Core
from clawatch_plugins.webhook.payload import encode
from clawatch_plugins.webhook.settings import WebhookSettings, signing_key

_FOLLOWS = frozenset({Reason.UPDATED, Reason.RESOLVED})
"""Reasons that only make sense to a receiver who was told before."""
_MENDABLE = frozenset({401, 403, 404, 408, 409, 421, 423, 425, 429})
"""Refusals that the next try, a new secret or a finished deployment can end; an alert is not given up for them."""
_LONGEST_WAIT = DAY
_TOLD = "told"


class Webhook:
    """Posts notifications. There is no message to edit, so an update is a post of its own."""

    def __init__(self, settings: WebhookSettings, core: Core) -> None:
        self._settings = settings
        self._core = core
        self._key = signing_key(settings.secret.get_secret_value())

    async def deliver(self, notification: Notification) -> Outcome:
        """See ``ports.Notifier``. Silenced alerts, and updates of what was never told, are not posted."""
        if not self._settings.is_configured:
            return Undeliverable("no url is configured")
        if notification.ref is None and (notification.is_quiet or notification.reason in _FOLLOWS):
            return Delivered()
        if notification.is_quiet and notification.reason not in _FOLLOWS:
            return Delivered()
        try:
            return await self._post(_id(notification), encode(notification))
        except TimeoutError:
            return RetryLater("the receiver did not answer in time")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Undeliverable("the url is not one that can be posted to")
        except (aiohttp.ClientError, OSError) as error:
            return RetryLater(f"the receiver is out of reach: {type(error).__name__}")  # its words may show the url

    async def _post(self, id: str, body: bytes) -> Outcome:
        now = self._core.clock.now().wall
        async with self._core.http.session.post(
            self._settings.url,
            data=body,
            headers={**self._settings.headers, "Content-Type": "application/json", **self._signed(id, now, body)},
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout / SECOND),
            allow_redirects=False,
            ssl=self._settings.verify,
        ) as response:
            response.close()  # the answer is its status; a body without end is not waited for
            return _judge(response.status, _retry_after(response.headers.get("Retry-After", ""), now))

    def _signed(self, id: str, now: Millis, body: bytes) -> dict[str, str]:
        timestamp = str(now // SECOND)
        headers = {"webhook-id": id, "webhook-timestamp": timestamp}
        if self._key:
            signature = hmac.new(self._key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(signature).decode()}"
        return headers


def _id(notification: Notification) -> str:
    """The key by which receivers drop repeats: stable over retries, another for each growth of a summary."""
    key = quote(notification.id, safe=":")
    if notification.reason is not Reason.SUMMARY:
        return key
    return f"{key}:{hashlib.blake2b(notification.text.encode('utf-8', 'replace'), digest_size=6).hexdigest()}"


def _judge(status: int, after: Millis | None) -> Outcome:
    if 200 <= status < 300:
        return Delivered(_TOLD)
    if 300 <= status < 400:
        return RetryLater(f"the receiver redirects ({status}), which is not followed; write the final address", after)
    if status >= 500 or status in _MENDABLE:
        return RetryLater(f"the receiver answered {status}", after)
    return Undeliverable(f"the receiver answered {status}")


def _retry_after(value: str, now: Millis) -> Millis | None:
    """Seconds or an HTTP date, as milliseconds from now; at most a day."""
    if value.isascii() and value.isdigit():
        return min(int(value[:9]) * SECOND, _LONGEST_WAIT)
    try:
        instant = int(parsedate_to_datetime(value).timestamp() * SECOND)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, min(instant - now, _LONGEST_WAIT))
