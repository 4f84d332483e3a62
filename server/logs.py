"""Logging as JSON lines on standard error."""

import logging
import sys
import traceback
from typing import Final

import structlog

LONGEST: Final = 256
"""The maximum length of a logged text in characters; callers choose some of these texts."""


def configure(level: str) -> None:
    """Configures the process's logging, once; level is `debug`, `info`, `warning` or `error`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _cut,
            _place_of_exception,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Libraries)] + [_Libraries()]


class _Libraries(logging.Handler):
    """Writes what libraries log (for example asyncio, about a task that was never awaited) as JSON lines.

    Only the message itself is written: what libraries format into it, such as an exception's text, may hold patient
    data.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line with the message up to its first line break; asyncio puts exceptions after it."""
        words, _, _ = str(record.msg).partition("\n")
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            words=words,
            at=f"{record.pathname}:{record.lineno}",
            exc_info=record.exc_info,
        )


def _cut(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value[:LONGEST] if isinstance(value, str) else value for key, value in event.items()}


def _place_of_exception(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Adds the exception's type and location, never its text: a driver's text holds the row that was refused."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = given[1] if isinstance(given, tuple) else sys.exception()
    chain = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        chain.append({"type": type(error).__qualname__, "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]})
        error = error.__cause__ or error.__context__
    return {**event, "exceptions": chain}
