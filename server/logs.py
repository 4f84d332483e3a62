"""Logs as JSON lines on standard error."""

import logging
import sys

import structlog

LONGEST = 256
"""Characters of any logged text: a caller chooses some of them."""


def configure(level: str) -> None:
    """Set the process's logging up once; level is `debug`, `info`, `warning` or `error`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _cut,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _cut(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {
        key: value[:LONGEST] if isinstance(value, str) and key != "exception" else value for key, value in event.items()
    }
