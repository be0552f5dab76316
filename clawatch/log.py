"""Logging: structlog and the standard library's records through one chain, redacted, to standard error.

For people on a terminal, else one ``key=value`` line or JSON object each. Agents, servers and libraries write
parts of what is logged: control characters never reach the terminal and no text can fake a line of its own.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

import structlog

from clawatch.domain.redaction import Redactor

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_QUIET = ("aiohttp.access", "apscheduler", "asyncio", "httpcore", "httpx", "telegram")
"""Libraries whose INFO lines say nothing to an operator."""

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_MAX_DEPTH = 20
_TRACE = "exception"


class Form(StrEnum):
    CONSOLE = "console"
    LOGFMT = "logfmt"
    JSON = "json"


def configure(
    redactor: Redactor | None = None, level: str = "info", form: Form | None = None, stream: TextIO | None = None
) -> FilteringBoundLogger:
    """Send every log record of this process to ``stream`` (standard error), and give the daemon's own logger.

    May be called again, with another redactor after a reload. ``form`` None: console on a terminal, else logfmt.
    """
    stream = stream or sys.stderr
    chosen = form or (Form.CONSOLE if stream.isatty() else Form.LOGFMT)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(chosen, redactor or Redactor(), colors=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # it would print a record's raw arguments to standard error
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    log: FilteringBoundLogger = structlog.get_logger("clawatch")
    return log


def _common() -> list[Processor]:
    """What happens to every record, ours and the libraries'."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(form: Form, redactor: Redactor, colors: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            Cleaning(redactor),
            _renderer(form, colors),
        ],
    )


def _renderer(form: Form, colors: bool) -> Processor:
    if form is Form.JSON:
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    if form is Form.LOGFMT:
        order = ("timestamp", "level", "logger", "event")
        return _logfmt(structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False))
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _logfmt(render: structlog.processors.LogfmtRenderer) -> Processor:
    def rendered(logger: WrappedLogger, name: str, event: EventDict) -> str:
        # A key of logfmt cannot hold blanks, quotes or equals signs; the renderer would raise.
        return render(logger, name, {re.sub(r'[\s"=]', "_", str(key)): value for key, value in event.items()})

    return rendered


class Cleaning:
    """The processor that every record passes last: secrets masked, control characters written out."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        try:
            masked = self._redactor.value({str(key): _plain(value, _MAX_DEPTH) for key, value in event.items()})
        except Exception as error:  # a value whose repr raises must not cost the line
            return {"event": "log.unprintable", "level": "error", "reason": type(error).__name__}
        assert isinstance(masked, dict)
        return {neutral(key): _neutral_trace(value) if key == _TRACE else _neutral(value)
                for key, value in masked.items()}


def neutral(text: str) -> str:
    """The text with control, direction and invisible characters, newlines too, written as escapes."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _neutral(value: object) -> object:
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, dict):
        return {neutral(key) if isinstance(key, str) else key: _neutral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_neutral(item) for item in value]
    return value


def _neutral_trace(value: object) -> object:
    """A traceback keeps its lines; each is indented, so that a message inside cannot pass for a record."""
    return "\n".join("    " + neutral(line) for line in str(value).split("\n"))


def _plain(value: object, depth: int) -> object:
    """Only texts, numbers, dicts and lists: what a renderer would turn into text itself must be seen before."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if depth and isinstance(value, dict):
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, depth - 1) for item in value]
    return repr(value)
