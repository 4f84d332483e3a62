"""Browsers on the shared instance, one per module: a session's event loop would keep running under other tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.fixtures.actors import Actors
from tests.fixtures.browser import CHROMIUM, Window, chromium
from tests.fixtures.instance import RunningInstance
from tests.fixtures.sender import Sender

IDLE_SECONDS = 12
"""The idle limit of staff in the tests of unused pages; `--idle-seconds=60` is the shortest that settings allow."""
Windows = Callable[..., Window]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--screenshots=DIR`, for a picture of every page by role, size and colours, and `--idle-seconds`."""
    parser.addoption("--screenshots", type=Path, help="folder for pictures of the pages")
    parser.addoption("--idle-seconds", type=int, default=IDLE_SECONDS, help="the idle limit of staff; in full 60")


@pytest.fixture(autouse=True, scope="session")
def _require_chromium() -> None:
    if CHROMIUM is None:
        pytest.skip("the page's tests need a browser: install Chromium (Debian, Ubuntu: apt-get install chromium)")


@pytest.fixture(scope="session")
def sender(instance: RunningInstance) -> Sender:
    return Sender(instance.home)


@pytest.fixture(scope="module")
def browser(instance: RunningInstance, actors: Actors) -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def windows(browser: Browser, instance: RunningInstance) -> Iterator[Windows]:
    """Opens windows; options are those of playwright's new_context. Fails at the end if any window had an error."""
    opened: list[Window] = []

    def open_window(**options: Any) -> Window:
        opened.append(Window(browser, instance.rest, options))
        return opened[-1]

    yield open_window
    for window in opened:
        window.close()
