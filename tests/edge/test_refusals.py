"""Refusals by Envoy itself: one shape, sensible types, the security headers."""

import asyncio
import http.client
from collections.abc import AsyncIterator

import httpx
import pytest
from medconnect.clinical.v1 import clinical_service_pb2

from server.edge import counts
from server.metrics import Metrics
from tests.edge.conftest import Stand
from tests.fixtures.leak_detector import assert_reveals_nothing
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
HIDDEN_HEADERS = (
    "server",
    "x-powered-by",
    "x-message",
    "x-http-code",
    "x-local-reply",
    "x-error-type",
    "x-spare-request-id",
)


def assert_refused(response: httpx.Response, status: int, type_: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["statusCode"], error["type"]) == (status, status, type_)
    assert response.json()["success"] is False
    assert list(error) == ["message", "statusCode", "type", "requestId", "details"]
    assert error["message"]
    assert len(error["requestId"]) == 36
    assert response.headers["x-request-id"] == error["requestId"]
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert_reveals_nothing(response.text)
    assert_safe(response)


def assert_safe(response: httpx.Response) -> None:
    assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "origin" in response.headers["vary"]
    assert not [name for name in response.headers if name in HIDDEN_HEADERS or name.startswith(("x-envoy", "grpc-"))]


async def test_the_refusal_of_an_unknown_path_is_written_exactly_so(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/nothing")
    request_id = response.headers["x-request-id"]
    assert response.text == (
        '{"success":false,"error":{"message":"There is no such path.","statusCode":404,"type":"ROUTE_UNKNOWN",'
        f'"requestId":"{request_id}","details":[]}}}}'
    )


async def test_responses_and_servers_of_the_edge_are_counted(stand: Stand) -> None:
    before = await counts.read(stand.edge.admin)
    await stand.rest.get("/api/v1/nothing")
    metrics, after = Metrics(), await counts.read(stand.edge.admin)
    metrics.edge_seen(after)
    label = ("rest", "4xx")
    assert after["medconnect_edge_responses"][label] > before["medconnect_edge_responses"].get(label, 0)
    assert metrics.registry.get_sample_value("medconnect_edge_up") == 1
    healthy = {"cluster": "server", "what": "healthy"}
    assert metrics.registry.get_sample_value("medconnect_edge_servers", healthy) == 1
    assert metrics.registry.get_sample_value("medconnect_edge_responses_total", {"port": "rest", "class": "4xx"})
    metrics.edge_seen(None)
    assert metrics.registry.get_sample_value("medconnect_edge_up") == 0


@control("S75")
@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/v1/users//", "/api/v1/pharmacy/scan/x", "/API/v1/users", "/health/x", "/envelope.lua"),
        *("/medconnect.auth.v1.AuthService/ListUsers", "/medconnect.auth.v1.AuthService/ListUsers/"),
        *("/api/v1/doctors/patients//", "/api/v1//users/", "/api/", "/health/", "/index.html/", "/manual//"),
        *(
            "/api/v1//users",
            "//api/v1/users",
            "/api/v1/doctors/../users",
            "/api/v1/./users",
            "/api/v1/doctors/..;/users",
        ),
        *("/api/v1/users;x=1", "/api/v1/doctors/%2e%2e/users", "/api/v1/%75sers", "/api/v1/users%00"),
    ],
)
async def test_what_is_not_literally_a_route_is_unknown(stand: Stand, path: str) -> None:
    assert_refused(await raw(stand, "GET", path), 404, "ROUTE_UNKNOWN")


@control("S75")
async def test_trailing_slash_reaches_the_path_without_it(stand: Stand) -> None:
    for path in ("/api/v1/doctors/patients/1", "/api/v1/doctors/patients/1/"):
        stand.toy.seen.request = None
        assert (await stand.rest.get(path)).status_code == 200
        assert str(stand.toy.seen.request) == str(clinical_service_pb2.GetPatientRequest(patient_id="1"))
    response = await stand.post("/api/v1/pharmacy/scan/", '{"qrCode":"a"}')
    assert response.is_success
    assert (await stand.rest.get("/api/v1/users/?pageSize=100")).json()["data"]
    assert_refused(await stand.rest.get("/api/v1/users/?nothing=1"), 400, "VALIDATION_FAILED")
    assert_refused(await stand.rest.get("/api/v1/doctors/patients/1/?patientId=2"), 400, "VALIDATION_FAILED")
    assert_refused(await stand.rest.delete("/api/v1/users/"), 405, "METHOD_NOT_ALLOWED")


@control("S75")
@pytest.mark.parametrize("path", ["/api/v1%2fusers", "/api/v1%5Cusers", "/api/v1/users%2F..%2Fx"])
async def test_escaped_slashes_are_refused(stand: Stand, path: str) -> None:
    assert_refused(await raw(stand, "GET", path), 400, "MALFORMED_REQUEST")


async def raw(stand: Stand, method: str, path: str) -> httpx.Response:
    """Sends a path unchanged; httpx would repair it."""

    def exchange() -> httpx.Response:
        connection = http.client.HTTPConnection(*stand.edge.address, timeout=5)
        connection.request(method, path)
        answer = connection.getresponse()
        response = httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
        connection.close()
        return response

    return await asyncio.to_thread(exchange)


@control("S74")
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT", "OPTIONS", "TRACE", "PROPFIND"])
async def test_a_wrong_method_is_told_the_right_ones(stand: Stand, method: str) -> None:
    response = await stand.rest.request(method, "/api/v1/users")
    assert_refused(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, POST"


async def test_a_path_that_two_routes_fit_takes_the_methods_of_both(stand: Stand) -> None:
    response = await stand.rest.delete("/api/v1/qr-codes/email/image")
    assert response.headers["allow"] == "GET, POST"
    assert (await stand.rest.get("/api/v1/qr-codes/email/image")).headers["content-type"] == "image/png"


async def test_a_method_that_http_does_not_know_is_refused(stand: Stand) -> None:
    assert_refused(await stand.rest.request("TRACK", "/api/v1/users"), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("path", ["/api/v1/users", "/nothing", "/api/v1%2fusers"])
async def test_head_is_refused_without_a_body(stand: Stand, path: str) -> None:
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    for _ in range(2):
        writer.write(f"HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
        assert b"content-type: application/json; charset=utf-8" in head
        if b"connection: close" in head:
            break
    writer.close()
    assert await asyncio.wait_for(reader.read(), 5) == b""


@pytest.mark.parametrize(
    "body",
    ['{"qrCode":', " ", "[1]", '"x"', "{]", "nonsense", '{"qrCode":"\\ud800"}', '{"qrCode":["x"]}', "[" * 50_000],
)
async def test_a_body_that_is_no_json_object_is_malformed(stand: Stand, body: str) -> None:
    assert_refused(await stand.post("/api/v1/pharmacy/scan", body), 400, "MALFORMED_BODY")


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("scan", '{"qrCode":12}', "qrCode", "must be a string"),
        ("scan", '{"qrCode":{"a":1}}', "qrCode", "must be a single value"),
        ("dispense/1", '{"items":[{},{"unitPrice":12.5}]}', "items[1].unitPrice", "must be a string"),
        (
            "dispense/1",
            '{"items":[{"quantity":1.5}]}',
            "items[0].quantity",
            "must be a whole number of at most nine digits, such as 2",
        ),
        (
            "dispense/1",
            '{"items":[{"quantity":99999999999}]}',
            "items[0].quantity",
            "must be a whole number of at most nine digits, such as 2",
        ),
        ("dispense/1", '{"items":7}', "items", "must be an object"),
    ],
)
async def test_value_of_wrong_kind_is_named_in_json_spelling(
    stand: Stand, path: str, body: str, field: str, message: str
) -> None:
    response = await stand.post(f"/api/v1/pharmacy/{path}", body)
    assert_refused(response, 400, "VALIDATION_FAILED")
    assert response.json()["error"]["details"] == [{"field": field, "message": message}]
    assert response.json()["error"]["message"] == f"{field} {message}."


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/users?nope=1", "nope"),
        ("/api/v1/users?pageSize=x", "pageSize"),
        ("/api/v1/users?pageSize=1&page_size=2", "pageSize"),
        ("/api/v1/pharmacy/history?from=2026-01-01&from=2026-01-02", "from"),
    ],
)
async def test_a_wrong_query_parameter_is_named(stand: Stand, path: str, field: str) -> None:
    response = await stand.rest.get(path)
    assert_refused(response, 400, "VALIDATION_FAILED")
    assert response.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize("query", ["%ff=1", "pageSize.x=1", "%22%0d%0a=1"])
async def test_a_query_that_names_nothing_is_refused(stand: Stand, query: str) -> None:
    assert_refused(await raw(stand, "GET", f"/api/v1/users?{query}"), 400, "VALIDATION_FAILED")


@pytest.mark.parametrize("name", ["patientId", "patient_id", "patient%49d"])
async def test_a_query_cannot_override_the_path(stand: Stand, name: str) -> None:
    assert_refused(await raw(stand, "GET", f"/api/v1/doctors/patients/1?{name}=2"), 400, "VALIDATION_FAILED")


async def test_a_body_cannot_override_the_path(stand: Stand) -> None:
    await stand.post("/api/v1/pharmacy/validate/1", '{"prescriptionId":"2"}')
    assert str(stand.toy.seen.request) == 'prescription_id: "1"\n'
    response = await stand.post("/api/v1/pharmacy/validate/1", '{"prescription_id":"2"}')
    assert_refused(response, 400, "MALFORMED_BODY")


async def test_a_call_with_a_body_takes_no_query(stand: Stand) -> None:
    assert_refused(await stand.post("/api/v1/pharmacy/validate/1?notes=x", "{}"), 400, "VALIDATION_FAILED")


@control("S74")
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_a_body_of_another_type_is_refused(stand: Stand, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await stand.rest.post("/api/v1/auth/login", content=b"{}", headers=headers)
    assert_refused(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
async def test_json_is_taken_however_it_is_spelt(stand: Stand, content_type: str) -> None:
    response = await stand.rest.post("/api/v1/auth/logout", content=b"{}", headers={"content-type": content_type})
    assert response.status_code == 200


async def test_a_call_without_a_body_needs_no_type(stand: Stand) -> None:
    assert (await stand.rest.post("/api/v1/auth/logout")).status_code == 200


@pytest.mark.parametrize(("path", "field"), [("/api/v1/pharmacy/scan", "qrCode"), ("/api/v1/users", "email")])
async def test_a_body_over_256_kib_is_refused_and_one_below_is_not(stand: Stand, path: str, field: str) -> None:
    def body(size: int) -> str:
        around = len(f'{{"{field}":""}}')
        return f'{{"{field}":"{"x" * (size - around)}"}}'

    async def in_chunks(size: int) -> httpx.Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield body(size)[:9].encode()
            yield body(size)[9:].encode()

        return await stand.rest.post(path, content=chunks(), headers={"content-type": "application/json"})

    assert_refused(await stand.post(path, body(262_145)), 413, "BODY_TOO_LARGE")
    assert_refused(await in_chunks(262_145), 413, "BODY_TOO_LARGE")
    assert (await stand.post(path, body(262_144))).is_success
    assert (await in_chunks(262_144)).is_success


async def test_a_body_that_grows_by_its_enum_names_is_still_taken(stand: Stand) -> None:
    body = '{"role":"doctor","x":"' + "x" * 262_119 + '"}'
    assert len(body) == 262_143
    assert (await stand.post("/api/v1/users", body)).is_success


@control("S75")
async def test_headers_that_are_no_headers_are_refused(stand: Stand) -> None:
    assert_refused(await stand.rest.get("/api/v1/users", headers={"x_user": "1"}), 400, "MALFORMED_REQUEST")
    assert_refused(await stand.rest.get("/api/v1/users", headers={"x": "y" * 70_000}), 431, "HEADERS_TOO_LARGE")


@control("S75")
@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/v1/auth/logout HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /api/v1/auth/logout HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
        b"POST /api/v1/auth/logout HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n",
        b"GET /api/v1/users HTTP/1.1\r\n\r\n",
    ],
)
async def test_ambiguous_request_is_refused_and_disconnected(stand: Stand, head: bytes) -> None:
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    writer.write(head)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert b"connection: close" in answer


@control("S73")
@pytest.mark.parametrize(
    ("method", "path", "status", "content_type", "body"),
    [
        ("GET", "/health", 200, "", ""),
        ("GET", "/api/v1/users", 200, "", ""),
        ("POST", "/api/v1/users", 201, "application/json", "{}"),
        ("POST", "/api/v1/pharmacy/scan", 400, "application/json", "{"),
        ("POST", "/api/v1/pharmacy/scan", 400, "application/json", '{"qrCode":"invalid"}'),
        ("POST", "/api/v1/pharmacy/scan", 401, "application/json", '{"qrCode":"unauthenticated"}'),
        ("POST", "/api/v1/pharmacy/scan", 404, "application/json", '{"qrCode":"missing"}'),
        ("GET", "/nothing", 404, "", ""),
        ("PATCH", "/api/v1/users", 405, "", ""),
        ("POST", "/api/v1/pharmacy/scan", 413, "application/json", '{"qrCode":"' + "x" * 262_144 + '"}'),
        ("POST", "/api/v1/pharmacy/scan", 415, "text/plain", "{}"),
        ("POST", "/api/v1/pharmacy/scan", 429, "application/json", '{"qrCode":"limited"}'),
        ("POST", "/api/v1/pharmacy/scan", 500, "application/json", '{"qrCode":"internal"}'),
        ("POST", "/api/v1/pharmacy/scan", 503, "application/json", '{"qrCode":"unavailable"}'),
    ],
)
async def test_every_kind_of_answer_carries_the_security_headers(
    stand: Stand, method: str, path: str, status: int, content_type: str, body: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await stand.rest.request(method, path, content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert_safe(response)


async def test_the_stream_and_the_image_carry_the_security_headers(stand: Stand) -> None:
    assert_safe(await stand.rest.get("/api/v1/qr-codes/1/image"))
    headers = {"authorization": "Bearer x"}
    assert_safe(await stand.rest.get("/api/v1/events/email-queue/status/stream", headers=headers))
