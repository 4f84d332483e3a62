"""S87: Envoy and the filter agree on what is gRPC; all else below /api/ is JSON or refused."""

import gzip
import http.client

import grpc
import pytest

from tests.edge.conftest import Stand
from tests.edge.test_refusals import assert_refused
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOREIGN = [
    *("application/grpcx", "application/grpc; a", "application/grpc;", "application/grpc,application/json"),
    *("application/json,application/grpc", "application/json, text/plain", "application/json; a,b"),
    *("application/grpc application/json", "application/grpc\t;", "Application/gRPC", "APPLICATION/GRPC+PROTO"),
    *("application/grpc-web; a", "application/grpc-webx", "application/grpc-", "application/grpc_"),
    *("application/jsonp", "application/json5", "application/json x", "application/x-json", "text/json", "json"),
    *("application/json+grpc", '"application/json"', "multipart/form-data", ";application/json", "*/*", "text/plain"),
]


@control("S87")
@cells("content_type", FOREIGN)
async def test_a_body_of_a_type_that_only_looks_known_is_refused(stand: Stand, content_type: str) -> None:
    stand.toy.seen.request = None
    headers = {"content-type": content_type}
    response = await stand.rest.post("/api/v1/pharmacy/scan", content=b'{"qrCode":"a"}', headers=headers)
    assert_refused(response, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert stand.toy.seen.request is None


@control("S87")
async def test_two_content_types_are_none(stand: Stand) -> None:
    connection = http.client.HTTPConnection(*stand.edge.address, timeout=5)
    connection.putrequest("POST", "/api/v1/pharmacy/scan")
    for content_type in ("application/json", "application/grpc"):
        connection.putheader("content-type", content_type)
    connection.putheader("content-length", "2")
    connection.endheaders(b"{}")
    assert connection.getresponse().status == 415
    connection.close()


@control("S87")
@cells("content_type", FOREIGN)
async def test_no_type_lets_a_query_override_the_path(stand: Stand, content_type: str) -> None:
    path = "/api/v1/doctors/patients/1?patientId=2"
    response = await stand.rest.get(path, headers={"content-type": content_type})
    assert_refused(response, 400, "VALIDATION_FAILED")


@control("S87")
@cells("content_type", FOREIGN)
async def test_no_type_lets_an_unknown_path_by(stand: Stand, content_type: str) -> None:
    response = await stand.rest.post("/nothing", content=b"{}", headers={"content-type": content_type})
    assert_refused(response, 404, "ROUTE_UNKNOWN")


@control("S87")
@pytest.mark.parametrize(
    "content_type", ["application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc-web"]
)
async def test_rest_paths_are_no_methods_of_grpc(stand: Stand, content_type: str) -> None:
    stand.toy.seen.request = None
    headers = {"content-type": content_type}
    response = await stand.rest.post("/api/v1/pharmacy/scan", content=b'{"qrCode":"a"}', headers=headers)
    assert response.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])
    assert "x-error-type" not in response.headers
    assert stand.toy.seen.request is None


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=UTF-8"],
)
async def test_json_is_json_in_every_spelling(stand: Stand, content_type: str) -> None:
    headers = {"content-type": content_type}
    assert (await stand.rest.post("/api/v1/pharmacy/scan", content=b"{}", headers=headers)).is_success


@control("S87")
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "gzip, identity", "x"])
async def test_compressed_body_is_refused_as_unsupported(stand: Stand, encoding: str) -> None:
    stand.toy.seen.request = None
    headers = {"content-type": "application/json", "content-encoding": encoding}
    response = await stand.rest.post("/api/v1/pharmacy/scan", content=gzip.compress(b'{"qrCode":"a"}'), headers=headers)
    assert_refused(response, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert response.json()["error"]["message"] == "The body must not be compressed."
    assert response.headers["accept-encoding"] == "identity"
    assert stand.toy.seen.request is None


async def test_body_that_is_declared_as_not_compressed_is_read(stand: Stand) -> None:
    headers = {"content-type": "application/json", "content-encoding": "identity"}
    response = await stand.rest.post("/api/v1/pharmacy/scan", content=b'{"qrCode":"a"}', headers=headers)
    assert response.is_success
