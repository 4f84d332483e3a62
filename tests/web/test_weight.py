"""The size of the page, and the time until it is usable."""

import time
from functools import partial
from typing import Final

import httpx
from playwright.sync_api import Browser, Request, expect

from server.edge.sites import PAGE, SITES, served
from tests.fixtures.browser import Window
from tests.fixtures.instance import RunningInstance
from tests.fixtures.pace import within

MOST_BYTES: Final = 300_000
FIRST_BYTES: Final = 60_000
READY_SECONDS: Final = 1.0
TRIES: Final = 5
"""The best of these counts."""


def note(urls: list[str], request: Request) -> None:
    urls.append(request.url)


def weight(rest: httpx.Client, url: str) -> int:
    """Returns how many bytes a file's content takes on the wire."""
    with rest.stream("GET", url, headers={"accept-encoding": "gzip"}) as response:
        assert response.status_code == 200
        return sum(map(len, response.iter_raw()))


def test_all_files_together_weigh_less_than_300_kb(instance: RunningInstance) -> None:
    paths = {file.file: file.path for file in served(SITES) if file.file.is_relative_to(PAGE)}
    with httpx.Client(base_url=instance.rest) as rest:
        total = sum(weight(rest, path) for path in paths.values())
    assert len(paths) > len(list(PAGE.glob("js/pages/*/*.js")))
    assert total < MOST_BYTES


def test_sign_in_page_is_ready_within_a_second_and_minimal(browser: Browser, instance: RunningInstance) -> None:
    times = []
    for _ in range(TRIES):
        window = Window(browser, instance.rest)
        urls: list[str] = []
        window.page.on("request", partial(note, urls))
        started = time.perf_counter()
        window.page.goto("/#/sign-in")
        expect(window.page.get_by_role("button", name="Sign in")).to_be_enabled()
        times.append(time.perf_counter() - started)
        window.close()
    assert min(times) < within(READY_SECONDS), times
    with httpx.Client() as rest:
        assert sum(weight(rest, url) for url in set(urls)) < FIRST_BYTES
    assert not [url for url in urls if "/vendor/qr/" in url]
