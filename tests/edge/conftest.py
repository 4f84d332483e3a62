"""One Envoy in front of one toy server for all tests of the edge."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from server.edge import Edge, EdgeConfig, running
from server.edge.sites import Site
from tests.edge.toy import Toy

FILES = {
    "index.html": b"<!doctype html><title>Page</title>" + b" " * 2000,
    "app.mjs": b"export {};\n" * 200,
    "parts/a b.css": b"a{}",
    "parts/index.html": b"part",
    "small.js": b"x" * 1399,
    "large.js": b"x" * 1400,
    "picture.png": bytes(range(256)) * 8,
    "data.json": b'{"success":true}',
    "font.woff2": b"font",
    "icon.ico": b"icon",
    "icon.svg": b"<svg/>",
    "app.webmanifest": b"{}",
    "code.wasm": b"\0asm",
    "notes.md": b"not for browsers",
    ".hidden.html": b"not for the web",
    ".git/index.html": b"not for the web",
}
PAGE_POLICY = "default-src 'none'; script-src 'self'"
MANUAL_POLICY = "default-src 'self'"
GOOD_ORIGIN = "https://good.example"
LUA_ERRORS = "http.rest.lua.envelope.errors"


@dataclass
class Stand:
    """The edge under test."""

    edge: Edge
    toy: Toy
    rest: httpx.AsyncClient

    async def scan(self, text: str) -> httpx.Response:
        """Calls ScanQrCode, whose answer the text chooses (toy.FAILURES)."""
        return await self.rest.post("/api/v1/pharmacy/scan", json={"qrCode": text})

    async def post(self, path: str, body: str) -> httpx.Response:
        """Posts a body exactly as it is, as JSON."""
        return await self.rest.post(path, content=body, headers={"content-type": "application/json"})


def make_sites(folder: Path) -> tuple[Site, ...]:
    """Creates a page at `/` with files of every kind, and a manual of one file below `/manual/`."""
    for name, content in FILES.items():
        file = folder / "page" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    manual = folder / "manual.html"
    manual.write_text("manual")
    return Site(folder / "page", "/", PAGE_POLICY), Site(manual, "/manual/", MANUAL_POLICY)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """Runs the toy and Envoy; fails at the end if a script failed."""
    home = tmp_path_factory.mktemp("edge")
    toy = Toy(home / "server-0.sock")
    await toy.start()
    config = EdgeConfig(
        home=home, server_sockets=(toy.socket,), port=0, cors_origins=(GOOD_ORIGIN,), sites=make_sites(home)
    )
    async with running(config) as edge:
        host, port = edge.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=10) as rest:
            yield Stand(edge, toy, rest)
        assert await edge.admin.counter("http.rest.downstream_rq_total") > 0
        assert await edge.admin.counter(LUA_ERRORS) == 0
    await toy.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def stand(whole_stand: Stand) -> Stand:
    """Waits until Envoy sees the toy: it cannot answer health checks during tests that do not use its event loop."""
    async with asyncio.timeout(10):
        while (await whole_stand.rest.get("/health")).status_code != 200:
            await asyncio.sleep(0.05)
    return whole_stand
