"""Tests logs: one JSON line per event, whatever text a caller sent."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import pytest
import structlog

from server import logs
from tests.fixtures.proofs import control

HOSTILE = 'x\n{"level":"info","fake":1}\r\u2028\x1b[31m"'


class Log:
    """Holds the configured log and the lines that it wrote."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.write: Any = None

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().split("\n")[:-1]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Configures the server's logging at level `info`, and restores the previous configuration afterwards."""
    before, handlers, log = structlog.get_config(), logging.getLogger().handlers, Log()
    monkeypatch.setattr(sys, "stderr", log.stream)
    logs.configure("info")
    log.write = structlog.get_logger()
    yield log
    structlog.configure(**before)
    logging.getLogger().handlers = handlers


def test_line_has_event_time_and_level(log: Log) -> None:
    log.write.info("call", method="ScanQrCode", milliseconds=1.5, user_id=None)
    [line] = log.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "call",
        "level": "info",
        "method": "ScanQrCode",
        "milliseconds": 1.5,
        "user_id": None,
    }


@control("S63")
@pytest.mark.parametrize("place", ["event", "method"])
def test_hostile_text_stays_in_its_field(log: Log, place: str) -> None:
    log.write.info(**{"event": "call", place: HOSTILE})
    assert [line[place] for line in log.lines()] == [HOSTILE]
    assert log.stream.getvalue().isascii()
    assert "\x1b" not in log.stream.getvalue()


def test_a_long_text_is_cut(log: Log) -> None:
    log.write.info("call", method="x" * 1000)
    assert [line["method"] for line in log.lines()] == ["x" * 256]


@control("S61")
def test_exception_is_logged_by_type_and_place_without_text(log: Log) -> None:
    try:
        try:
            raise KeyError("Failing row contains (Clara Canary, HIV)")
        except KeyError as cause:
            raise ValueError("Clara Canary") from cause
    except ValueError:
        log.write.exception("failed")
    [line] = log.lines()
    assert [error["type"] for error in line["exceptions"]] == ["ValueError", "KeyError"]
    assert all("test_logs.py" in error["at"][-1] for error in line["exceptions"])
    assert "Canary" not in log.stream.getvalue()


@control("S61")
def test_library_messages_are_logged_without_arguments(log: Log) -> None:
    asyncio_log = logging.getLogger("asyncio")
    try:
        raise ValueError("Clara Canary")
    except ValueError as error:
        asyncio_log.error("Task exception was never retrieved\nfuture: <%r>" % error, exc_info=error)  # noqa: UP031
        asyncio_log.warning("slow: %s", error)
    asyncio_log.info("detail")
    first, second = log.lines()
    assert (first["logger"], first["words"]) == ("asyncio", "Task exception was never retrieved")
    assert [error["type"] for error in first["exceptions"]] == ["ValueError"]
    assert (second["level"], second["words"]) == ("warning", "slow: %s")
    assert "test_logs.py" in second["at"]
    assert "Canary" not in log.stream.getvalue()


@control("S63")
def test_a_line_for_people_keeps_hostile_text_in_its_field(log: Log) -> None:
    with redirect_stderr(log.stream):
        logs.configure("info", form="text")
    structlog.get_logger().warning("not ready", method="ScanQrCode", words=HOSTILE, count=2)
    line = log.stream.getvalue()
    assert line[12:] == (
        ' warning "not ready" method=ScanQrCode words="x\\n{\\"level\\":\\"info\\",\\"fake\\":1}'
        '\\r\\u2028\\u001b[31m\\"" count=2\n'
    )


def test_json_lines_state_process_and_version(log: Log) -> None:
    with redirect_stderr(log.stream):
        logs.configure("info", process="worker", version="1.2.3")
    structlog.get_logger().info("started")
    [line] = log.lines()
    assert (line["process"], line["version"]) == ("worker", "1.2.3")


def test_events_below_the_level_are_not_written(log: Log) -> None:
    log.write.debug("detail")
    assert log.lines() == []
