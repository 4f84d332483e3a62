"""The toy service behind the server's own chain, for what is proved of the chain."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.interceptors.probe import House, running_house


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """The toy service with limits that no test reaches."""
    async with running_house(work, clock, tmp_path) as running:
        yield running
