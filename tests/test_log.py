"""Logging: one chain for every record, nothing secret in it, nothing that fools a terminal."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from clawatch.domain.redaction import MASK, Redactor
from clawatch.log import Form, configure, neutral

SECRET = "sk-" + "Ab3" * 12
BOT = "123456789:AAE" + "x" * 32


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(params=list(Form))
def form(request: pytest.FixtureRequest) -> Form:
    chosen: Form = request.param
    return chosen


def logged(form: Form, say: Callable[[Any], object], level: str = "info") -> str:
    stream = io.StringIO()
    say(configure(form=form, stream=stream, level=level))
    return stream.getvalue()


def test_no_secret_is_logged_wherever_it_stands(form: Form) -> None:
    def say(log: Any) -> None:
        log.info("spoken", text=f"key {SECRET}", deep={"a": [SECRET, {"b": SECRET}]}, password="hunter2-plain",
                 error=ValueError(SECRET), raw=SECRET.encode(), url="http://x/ws?token=hunter3-plain")
        log.info(f"in the event {SECRET}", **{SECRET: 1})

    text = logged(form, say)
    assert SECRET not in text
    assert "hunter" not in text
    assert text.count(MASK) == 9


def test_records_of_libraries_are_redacted_too(form: Form) -> None:
    def say(log: Any) -> None:
        url = f"https://api.telegram.org/bot{BOT}/getMe"
        logging.getLogger("httpx").warning("HTTP Request: POST %s", url)
        logging.getLogger("telegram.ext").error("failed for %s", url)
        logging.getLogger("aiohttp.server").info("GET /ws?token=%s", "hunter2-plain")

    text = logged(form, say)
    assert BOT not in text
    assert "AAE" not in text
    assert "hunter2" not in text
    assert "api.telegram.org" in text


def test_tracebacks_are_redacted_and_cannot_fake_a_line(form: Form) -> None:
    def fail() -> None:
        raise RuntimeError(f"boom\n2026-01-01 [info] all is well\n{SECRET}\x1b[2J")

    def say(log: Any) -> None:
        try:
            fail()
        except RuntimeError:
            log.exception("part.failed")
            logging.getLogger("library").exception("failed")

    text = logged(form, say)
    assert SECRET not in text
    assert "\x1b" not in text
    assert "RuntimeError: boom" in text
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01 [info]")]


def test_hostile_text_stays_on_its_line_and_moves_no_cursor(form: Form) -> None:
    hostile = "x\r\nlevel=error event=forged \x1b[31m\x9b2J \u202e \u2028 \ud800 \x00"
    text = logged(form, lambda log: log.info("agent.seen", agent=hostile, **{hostile: [hostile]}))
    assert len(text.splitlines()) == 1
    assert text.rstrip("\n").isprintable()
    text.encode("utf-8")


def test_json_lines_are_json() -> None:
    text = logged(Form.JSON, lambda log: log.info("alert.fired", rule="stuck", deep={"n": 1}))
    record = json.loads(text)
    assert record["event"] == "alert.fired"
    assert (record["rule"], record["deep"], record["level"]) == ("stuck", {"n": 1}, "info")


def test_logfmt_lines_begin_with_time_level_logger_and_event() -> None:
    text = logged(Form.LOGFMT, lambda log: log.info("alert.fired", rule="stuck", **{'a "b"=': 1}))
    assert [part.partition("=")[0] for part in text.split()] == [
        "timestamp", "level", "logger", "event", "rule", "a__b__",
    ]


def test_chatty_libraries_are_quiet_at_info(form: Form) -> None:
    def say(log: Any) -> None:
        for name in ("httpx", "apscheduler.executors.default", "telegram.Bot"):
            logging.getLogger(name).info("again")
            logging.getLogger(name).warning("trouble")

    text = logged(form, say)
    assert "again" not in text
    assert text.count("trouble") == 3


def test_debug_is_dropped_unless_asked_for() -> None:
    assert logged(Form.JSON, lambda log: log.debug("x")) == ""
    assert "x" in logged(Form.JSON, lambda log: log.debug("x"), level="debug")


def test_a_value_whose_repr_raises_does_not_cost_more_than_its_line(form: Form) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    text = logged(form, lambda log: (log.info("odd", value=Odd()), log.info("next")))
    assert "log.unprintable" in text
    assert "next" in text


def test_warnings_go_the_same_way() -> None:
    def say(log: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn(f"old {SECRET}", UserWarning, stacklevel=1)
            logging.captureWarnings(False)

    text = logged(Form.JSON, say)
    assert "UserWarning" in text
    assert SECRET not in text


def test_a_second_configuration_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(form=Form.JSON, stream=first)
    configure(Redactor(), form=Form.JSON, stream=second).info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_neutral_text_is_printable_and_otherwise_unchanged() -> None:
    assert neutral("naïve — 日本 🦞") == "naïve — 日本 🦞"
    assert neutral("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
