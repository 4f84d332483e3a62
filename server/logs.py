"""Logging as JSON lines on standard error."""

import asyncio
import logging
import sys
import traceback
from json.encoder import encode_basestring_ascii
from typing import Final, TextIO

import structlog

LONGEST: Final = 256
"""The maximum length of a logged text in characters; callers choose some of these texts."""


def configure(level: str) -> None:
    """Configures the process's logging, once; level is `debug`, `info`, `warning` or `error`."""
    global _calls
    _calls = _Lines(sys.stderr) if logging.getLevelNamesMapping()[level.upper()] <= logging.INFO else None
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


def write_call(
    *, request_id: str, method: str, outcome: str, seconds: float, user_id: str | None, address: str, at: str
) -> None:
    """Writes the line of a call that ended, in the form of all lines; nothing before `configure`, or above `info`.

    The line is written by hand, because structlog takes 30 µs for it and every call has one. Callers choose the request
    id and the method (before it is known to exist); everything else comes from this server.
    """
    if _calls is not None:
        user = "null" if user_id is None else f'"{user_id}"'
        _calls.add(
            f'{{"request_id": {_quote(request_id)}, "method": {_quote(method)}, "outcome": "{outcome}",'
            f' "milliseconds": {1000 * seconds:.1f}, "user_id": {user}, "address": "{address}",'
            f' "event": "call", "level": "info", "timestamp": "{at}"}}\n'
        )


def _quote(text: str) -> str:
    return encode_basestring_ascii(text[:LONGEST])


class _Lines:
    """Writes lines at the next turn of the event loop, all of a turn at once: a write costs more than a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []

    def add(self, line: str) -> None:
        """Adds a line, which must end with a line break."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(line)

    def _write(self) -> None:
        lines, self._waiting = self._waiting, []
        self._stream.write("".join(lines))
        self._stream.flush()


_calls: _Lines | None = None


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
