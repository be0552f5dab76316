"""When many alerts become one message."""

from __future__ import annotations

from clawatch.alerting.storms import STORM_SIZE, Storms
from clawatch.domain.alerts import Reason, Severity
from clawatch.domain.deliveries import Outgoing
from clawatch.domain.time import HOUR, MINUTE, SECOND, Moment
from clawatch.testing.clock import FakeClock


def fired(n: int, at: int) -> Outgoing:
    return Outgoing(
        id=str(n), notifier="n", thread=str(n), reason=Reason.FIRED, created_at=at, next_at=at, rule="stuck",
        agent_id=f"a{n}", severity=Severity.CRITICAL, text="stuck",
    )


def begun(storms: Storms, now: Moment) -> None:
    """As many were said as are said singly."""
    for n in range(STORM_SIZE):
        assert not storms.is_one(fired(n, now.wall), "o", now)
        storms.rang(fired(n, now.wall), "o", now)


def test_what_came_about_at_once_is_one_storm_however_long_it_takes_to_get_through_it(clock: FakeClock) -> None:
    storms = Storms("n")
    began = clock.now().wall
    begun(storms, clock.now())
    for n in range(100):
        now = clock.advance(5 * SECOND)
        assert storms.is_one(fired(n, began), "o", now)
        summary = storms.absorb(fired(n, began), "o", now)
    assert summary.text.startswith("100 more alerts of stuck")


def test_what_is_said_at_once_after_an_outage_is_one_storm_however_long_ago_it_came_about(clock: FakeClock) -> None:
    storms = Storms("n")
    begun(storms, clock.now())
    assert storms.is_one(fired(11, clock.now().wall - HOUR), "o", clock.now())


def test_after_a_storm_an_alert_rings_again(clock: FakeClock) -> None:
    storms = Storms("n")
    begun(storms, clock.now())
    now = clock.advance(MINUTE)
    assert not storms.is_one(fired(11, now.wall), "o", now)
