"""One Envoy with one toy server behind it for all tests of the edge."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from server.edge import Edge, EdgeConfig, running
from tests.edge.toy import Toy

GOOD_ORIGIN = "https://good.example"
LUA_ERRORS = "http.rest.lua.envelope.errors"


@dataclass
class Stand:
    """The edge under test."""

    edge: Edge
    toy: Toy
    rest: httpx.AsyncClient

    async def scan(self, text: str) -> httpx.Response:
        """Call ScanQrCode, whose answer the text chooses (toy.FAILURES)."""
        return await self.rest.post("/api/v1/pharmacy/scan", json={"qrCode": text})

    async def post(self, path: str, body: str) -> httpx.Response:
        """Post a body exactly as it is, as JSON."""
        return await self.rest.post(path, content=body, headers={"content-type": "application/json"})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """Run the toy and Envoy; at the end no script may have failed."""
    home = tmp_path_factory.mktemp("edge")
    toy = Toy(home / "server-0.sock")
    await toy.start()
    config = EdgeConfig(home=home, server_sockets=(toy.socket,), port=0, cors_origins=(GOOD_ORIGIN,))
    async with running(config) as edge:
        host, port = edge.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=10) as rest:
            yield Stand(edge, toy, rest)
        assert await edge.admin.counter("http.rest.downstream_rq_total") > 0
        assert await edge.admin.counter(LUA_ERRORS) == 0
    await toy.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def stand(whole_stand: Stand) -> Stand:
    """Wait until Envoy sees the toy: it cannot answer health checks while tests run that do not use its event loop."""
    async with asyncio.timeout(10):
        while (await whole_stand.rest.get("/health")).status_code != 200:
            await asyncio.sleep(0.05)
    return whole_stand
