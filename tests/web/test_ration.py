"""Lines are rationed by reason, and what is left out is told."""

from __future__ import annotations

from clawatch.domain.time import MINUTE
from clawatch.settings import RateLimit
from clawatch.web.ration import Ration


def test_what_was_left_out_is_said_with_the_next_line() -> None:
    ration = Ration(RateLimit(2, MINUTE))
    assert [ration.take("401", 0) for _ in range(5)] == [{}, {}, None, None, None]
    assert ration.take("404", 0) == {}
    assert ration.take("401", MINUTE) == {"left_out": 3}
    assert ration.take("401", 2 * MINUTE) == {}
