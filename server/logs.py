"""Logging on standard error: JSON lines, or lines for people."""

import asyncio
import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from json.encoder import encode_basestring_ascii
from typing import Final, TextIO

import structlog

LONGEST: Final = 256
"""The maximum length of a logged text in characters; callers choose some of these texts."""
_PLAIN: Final = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without spaces, quotation marks and equals signs: a text that needs no quotation marks."""


def configure(level: str, *, form: str = "json", process: str = "", version: str = "") -> None:
    """Configures the process's logging, once; level is `debug`, `info`, `warning` or `error`.

    form: `json`, or `text` for people. process, version: the name of this process and the version of the program, which
    every JSON line states.
    """
    global _calls
    is_json = form == "json"
    place = {name: value for name, value in (("process", process), ("version", version)) if value and is_json}
    lines = _Lines(sys.stderr, _written_tail(place) if is_json else None)
    _calls = lines if logging.getLevelNamesMapping()[level.upper()] <= logging.INFO else None
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _cut,
            _place_of_exception,
            *([partial(_add, place)] if place else []),
            structlog.processors.JSONRenderer() if is_json else _as_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Libraries)] + [_Libraries()]


@dataclass(slots=True)
class CallLine:
    """The log line of a call that ended; durations are in seconds."""

    request_id: str
    trace_id: str | None
    """The id of the caller's trace (W3C Trace Context), if the call belongs to one."""
    method: str
    code: str
    """The status code of gRPC by name."""
    outcome: str
    """OK, or the reason of the error."""
    seconds: float
    in_pool: float
    """The wait for connections to the database."""
    in_sql: float
    """The wait for statements."""
    user_id: str | None
    role: str | None
    address: str
    transport: str
    """`rest` and `grpc` through the edge, or `direct`."""
    replayed: bool
    """True if the response is the stored one of an earlier call with the same idempotency key."""
    at: str


def write_call(call: CallLine) -> None:
    """Writes the line of a call that ended, in the form of all lines; nothing before `configure`, or above `info`."""
    if _calls is not None:
        _calls.add(call)


def _json_line(call: CallLine, tail: str) -> str:
    """Returns the line of a call in JSON.

    It is written by hand, because structlog takes 30 µs for it and every call has one. Callers choose the request id
    and the method (before it is known to exist); everything else comes from this server.
    """
    user = "null" if call.user_id is None else f'"{call.user_id}", "role": "{call.role}"'
    trace = "" if call.trace_id is None else f'"trace_id": "{call.trace_id}", '
    replayed = '"replayed": true, ' if call.replayed else ""
    return (
        f'{{"request_id": {_quote(call.request_id)}, {trace}"method": {_quote(call.method)}, "code": "{call.code}",'
        f' "outcome": "{call.outcome}", "milliseconds": {1000 * call.seconds:.1f},'
        f' "pool_milliseconds": {1000 * call.in_pool:.1f}, "sql_milliseconds": {1000 * call.in_sql:.1f},'
        f' "user_id": {user}, "address": "{call.address}", "transport": "{call.transport}", {replayed}'
        f'"event": "call", "level": "info", "timestamp": "{call.at}"{tail}}}\n'
    )


def _text_line(call: CallLine) -> str:
    """Returns the line of a call for people."""
    fields = {
        "timestamp": call.at,
        "level": "info",
        "event": "call",
        "method": call.method,
        "outcome": call.outcome,
        "milliseconds": f"{1000 * call.seconds:.1f}",
        "sql_milliseconds": f"{1000 * call.in_sql:.1f}",
        "transport": call.transport,
        "role": call.role or "anonymous",
        "request_id": call.request_id,
        **({"replayed": "true"} if call.replayed else {}),
    }
    return _as_text(None, "", _cut(None, "", fields)) + "\n"


def _written_tail(place: Mapping[str, str]) -> str:
    return "".join(f', "{name}": {encode_basestring_ascii(value)}' for name, value in place.items())


def _quote(text: str) -> str:
    return encode_basestring_ascii(text[:LONGEST])


class _Lines:
    """Writes lines at the next turn of the event loop, all of a turn at once: a write costs more than a line."""

    def __init__(self, stream: TextIO, json_tail: str | None) -> None:
        self._stream = stream
        self._json_tail = json_tail
        """The last fields of every JSON line; None: the lines are text."""
        self._waiting: list[str] = []

    def add(self, call: CallLine) -> None:
        """Adds the line of a call."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(_text_line(call) if self._json_tail is None else _json_line(call, self._json_tail))

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


def _add(
    place: Mapping[str, str], _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {**event, **place}


def _as_text(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """Returns an event as one line for people; a text that is not plain is quoted, so that it stays in its field."""
    at, level, name = (str(event.pop(key, "")) for key in ("timestamp", "level", "event"))
    fields = [f"{key}={_plain_or_quoted(value)}" for key, value in event.items()]
    return " ".join([at[11:23], f"{level:<7}", _plain_or_quoted(name), *fields])


def _plain_or_quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if _PLAIN.fullmatch(text) else encode_basestring_ascii(text)
