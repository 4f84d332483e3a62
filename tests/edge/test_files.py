"""The files that the edge serves itself: content, caching, and the rights of pages."""

import hashlib
from pathlib import Path

import httpx
import pytest

from server.edge.config import EdgeConfig
from server.edge.process import running
from server.edge.sites import CONTENT_TYPES, PAGE
from tests.edge.conftest import FILES, GOOD_ORIGIN, MANUAL_POLICY, PAGE_POLICY, Stand
from tests.edge.test_refusals import assert_refused
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", [name for name in FILES if Path(name).suffix in CONTENT_TYPES and name[0] != "."])
async def test_every_file_of_the_folder_is_served_as_what_it_is(stand: Stand, name: str) -> None:
    response = await stand.rest.get(f"/{name}")
    assert (response.status_code, response.content) == (200, FILES[name])
    assert response.headers["content-type"] == CONTENT_TYPES[Path(name).suffix]
    assert response.headers["etag"] == f'W/"{hashlib.sha256(FILES[name]).hexdigest()[:32]}"'


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "index.html"), ("/?x=1", "index.html"), ("/parts/", "parts/index.html"), ("/parts", "parts/index.html")],
)
async def test_the_path_of_a_folder_leads_to_its_index(stand: Stand, path: str, name: str) -> None:
    response = await stand.rest.get(path)
    assert response.content == FILES[name]
    assert response.headers["content-type"] == "text/html; charset=utf-8"


@control("S73")
async def test_file_carries_its_headers_and_its_sites_policy(stand: Stand) -> None:
    page, manual = await stand.rest.get("/large.js"), await stand.rest.get("/manual/manual.html")
    expected = {
        "cache-control": "no-cache",
        "content-security-policy": PAGE_POLICY,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(self)",
        "referrer-policy": "no-referrer",
        "vary": "Accept-Encoding,origin",
        "x-content-type-options": "nosniff",
    }
    own = {"content-type", "content-encoding", "transfer-encoding", "date", "etag"}
    assert {name: value for name, value in page.headers.items() if name not in own} == expected
    assert (manual.text, manual.headers["content-security-policy"]) == ("manual", MANUAL_POLICY)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("held", ["{0}", '"x", {0}', "{1}"])
async def test_who_holds_the_file_is_told_so_without_a_body(stand: Stand, method: str, held: str) -> None:
    etag = (await stand.rest.get("/app.mjs")).headers["etag"]
    headers = {"if-none-match": held.format(etag, etag.removeprefix("W/"))}
    response = await stand.rest.request(method, "/app.mjs", headers=headers)
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == etag
    assert (response.headers["cache-control"], response.headers["content-security-policy"]) == ("no-cache", PAGE_POLICY)
    assert "location" not in response.headers


@pytest.mark.parametrize("held", ['W/"0123"', "*", ""])
async def test_who_holds_another_file_gets_this_one(stand: Stand, held: str) -> None:
    response = await stand.rest.get("/app.mjs", headers={"if-none-match": held})
    assert (response.status_code, response.content) == (200, FILES["app.mjs"])


@pytest.mark.parametrize(
    ("path", "compressed"),
    [
        *(("/", True), ("/app.mjs", True), ("/large.js", True), ("/small.js", False), ("/picture.png", False)),
        ("/api/v1/pharmacy/scan", True),
    ],
)
async def test_texts_from_one_kib_are_sent_compressed(stand: Stand, path: str, compressed: bool) -> None:
    response = await (stand.scan("x" * 1000) if path.startswith("/api") else stand.rest.get(path))
    assert response.status_code == 200
    assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
    plain = await stand.rest.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


async def test_a_short_answer_is_not_compressed(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/auth/profile")
    assert "content-encoding" not in response.headers


async def test_head_tells_of_a_file_what_get_does(stand: Stand) -> None:
    got, told = await stand.rest.get("/picture.png"), await stand.rest.head("/picture.png")
    assert (told.status_code, told.content) == (200, b"")
    assert {**got.headers, "date": ""} == {**told.headers, "date": ""}


@control("S74")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/app.mjs"])
async def test_files_are_only_read(stand: Stand, method: str, path: str) -> None:
    assert_refused(await stand.rest.request(method, path, headers={"origin": GOOD_ORIGIN}), 404, "ROUTE_UNKNOWN")


@control("S75")
@pytest.mark.parametrize(
    "path", ["/notes.md", "/.hidden.html", "/.git/", "/page", "/index", "/App.mjs", "/manual/", "/parts/../notes.md"]
)
async def test_what_is_not_for_browsers_is_unknown(stand: Stand, path: str) -> None:
    assert_refused(await stand.rest.get(path), 404, "ROUTE_UNKNOWN")


async def test_other_origins_pages_may_not_read_the_files(stand: Stand) -> None:
    response = await stand.rest.get("/app.mjs", headers={"origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_an_edge_serves_the_page_at_its_root_without_a_server(tmp_path: Path) -> None:
    config = EdgeConfig(home=tmp_path, server_sockets=(tmp_path / "none.sock",), port=0)
    async with running(config) as edge, httpx.AsyncClient(base_url=edge.url) as rest:
        response = await rest.get("/")
    assert response.content == (PAGE / "index.html").read_bytes()
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
