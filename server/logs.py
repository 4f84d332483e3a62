"""Logs as JSON lines on standard error."""

import logging
import sys
import traceback
from typing import Final

import structlog

LONGEST: Final = 256
"""Characters of any logged text: a caller chooses some of them."""


def configure(level: str) -> None:
    """Set the process's logging up once; level is `debug`, `info`, `warning` or `error`."""
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


def _cut(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value[:LONGEST] if isinstance(value, str) else value for key, value in event.items()}


def _place_of_exception(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say which exception it was and where, never its text: a driver's holds the row that a constraint refused."""
    if not event.pop("exc_info", None):
        return event
    error = sys.exception()
    chain = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        chain.append({"type": type(error).__qualname__, "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]})
        error = error.__cause__ or error.__context__
    return {**event, "exceptions": chain}
