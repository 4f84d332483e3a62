"""The page at /api-docs is served completely, allows no other scripts, and its third-party files are unchanged."""

import hashlib
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from clients.sbom import VENDORED
from protos.edge_tables import GENERATED
from server.edge import EdgeConfig, running
from server.edge.sites import API_DOCS, API_DOCS_POLICY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Runs an edge without a server: static files need none."""
    home = tmp_path_factory.mktemp("docs")
    config = EdgeConfig(home=home, server_sockets=(home / "none.sock",), port=0)
    async with running(config) as edge, httpx.AsyncClient(base_url=edge.url) as client:
        yield client


@pytest.mark.parametrize("path", ["/api-docs", "/api-docs/"])
async def test_page_loads_only_files_that_the_edge_serves(rest: httpx.AsyncClient, path: str) -> None:
    page = await rest.get(path)
    assert (page.status_code, page.content) == (200, (API_DOCS / "index.html").read_bytes())
    assert page.headers["content-security-policy"] == API_DOCS_POLICY
    assert "unsafe" not in API_DOCS_POLICY
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) > 4
    for found in loaded:
        assert found.startswith("/api-docs/")
        assert (await rest.get(found)).status_code == 200


async def test_the_document_that_the_page_shows_is_the_generated_one(rest: httpx.AsyncClient) -> None:
    assert 'url: "/api-docs/openapi.json"' in (API_DOCS / "init.js").read_text()
    document = await rest.get("/api-docs/openapi.json")
    assert document.headers["content-type"] == "application/json; charset=utf-8"
    assert document.content == (GENERATED / "openapi.json").read_bytes()


async def test_third_party_files_are_those_that_were_reviewed() -> None:
    packages = json.loads(VENDORED.read_text())
    [noted] = [package["files"] for package in packages if package["folder"] == API_DOCS.name]
    ours = {"index.html", "init.js"}
    served = {file.name for file in API_DOCS.iterdir() if file.suffix in (".css", ".html", ".js", ".png")}
    assert served == noted.keys() | ours
    for name, digest in noted.items():
        assert hashlib.sha256((API_DOCS / name).read_bytes()).hexdigest() == digest
