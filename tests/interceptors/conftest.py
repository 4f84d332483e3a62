"""Serves the toy service, and captures the log in the server's own format."""

import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from server import logs
from server.api.interceptors import error_mapping
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.interceptors.probe import House, running_house


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """Serves the toy service with limits that no test reaches."""
    async with running_house(work, clock, tmp_path) as running:
        yield running


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Returns the lines that the interceptors log, through the server's own configuration.

    Each names its request; lines without one are those of other instances' background work in this process.
    """

    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        return [line for line in found if "request_id" in line]

    before = structlog.get_config()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logs, "_calls", None)  # Restores the state before the test afterwards.
    logs.configure("info", process="test")
    monkeypatch.setattr(error_mapping, "_log", structlog.get_logger())
    yield lines
    structlog.configure(**before)
