"""Callers and their origin: addresses, browsers' origins, native gRPC and gRPC-Web on the same port."""

from pathlib import Path

import grpc
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.events.v1.events_service_pb2_grpc import EventsServiceStub
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from medconnect.pharmacy.v1.pharmacy_service_pb2_grpc import PharmacyServiceStub

from server.edge import EdgeConfig, running
from tests.edge.conftest import GOOD_ORIGIN, Stand
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGED = {
    "x-client-ip": "1.1.1.1",
    "x-forwarded-for": "2.2.2.2",
    "x-real-ip": "3.3.3.3",
    "forwarded": "for=4.4.4.4",
    "x-envoy-external-address": "5.5.5.5",
    "x-envoy-original-path": "/forged",
    "x-envoy-original-method": "FORGED",
    "x-envoy-retry-on": "5xx",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-request-id": "forged-id",
}


async def test_forged_internal_headers_do_not_get_through_rest(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/auth/profile", headers=FORGED)
    seen = stand.toy.seen.metadata
    assert seen["x-client-ip"] == "127.0.0.1"
    assert seen["x-envoy-original-path"] == "/api/v1/auth/profile"
    assert response.headers["x-request-id"] == seen["x-request-id"] != "forged-id"
    assert not {value for value in seen.values() if value in FORGED.values()}


async def test_forged_internal_headers_do_not_get_through_native_grpc(stand: Stand) -> None:
    async with channel(stand) as open_channel:
        await AuthServiceStub(open_channel).GetCurrentUser(auth.GetCurrentUserRequest(), metadata=tuple(FORGED.items()))
    seen = stand.toy.seen.metadata
    assert seen["x-client-ip"] == "127.0.0.1"
    assert "x-envoy-original-path" not in seen
    assert not {value for value in seen.values() if value in FORGED.values()}


async def test_behind_a_trusted_proxy_the_address_it_saw_counts(stand: Stand, tmp_path: Path) -> None:
    config = EdgeConfig(home=tmp_path, server_sockets=(stand.toy.socket,), port=0, trusted_hops=1)
    async with running(config) as edge, httpx.AsyncClient(base_url="http://{}:{}".format(*edge.address)) as rest:
        await rest.get("/api/v1/auth/profile", headers={"x-forwarded-for": "9.9.9.9, 203.0.113.7"})
    assert stand.toy.seen.metadata["x-client-ip"] == "203.0.113.7"


@control("S74")
async def test_a_known_origin_may_call_and_read_the_headers(stand: Stand) -> None:
    preflight = await stand.rest.options(
        "/api/v1/users", headers={"origin": GOOD_ORIGIN, "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == GOOD_ORIGIN
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, PUT"
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"]
    response = await stand.scan("limited")
    assert "access-control-allow-origin" not in response.headers
    response = await stand.rest.get("/api/v1/users?nope=1", headers={"origin": GOOD_ORIGIN})
    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == GOOD_ORIGIN
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {
        *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
        *("retry-after", "idempotent-replayed", "x-request-id"),
    }


@control("S74")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{GOOD_ORIGIN}.evil.tld", "http://good.example", "*"]
)
async def test_another_origin_gets_no_permission(stand: Stand, origin: str) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    preflight = await stand.rest.options("/api/v1/users", headers=headers)
    assert preflight.status_code == 405
    response = await stand.rest.get("/api/v1/users", headers={"origin": origin})
    for each in (preflight, response):
        assert not [name for name in each.headers if name.startswith("access-control-")]
        assert "origin" in each.headers["vary"]


def channel(stand: Stand) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel("{}:{}".format(*stand.edge.address))


async def test_native_grpc_passes_untouched(stand: Stand) -> None:
    async with channel(stand) as open_channel:
        stub = AuthServiceStub(open_channel)
        answer = await stub.CreateUser(auth.CreateUserRequest(full_name="admin", role=access_pb2.ROLE_ADMIN))
        assert (answer.user.full_name, answer.user.role) == ("admin", access_pb2.ROLE_ADMIN)
        call = EventsServiceStub(open_channel).WatchEmailQueueStatus(
            events.WatchEmailQueueStatusRequest(), metadata=(("authorization", "Bearer x"),)
        )
        assert [state.is_healthy async for state in call] == [False, True]


async def test_native_grpc_failures_keep_code_and_details(stand: Stand) -> None:
    async with channel(stand) as open_channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await PharmacyServiceStub(open_channel).ScanQrCode(pharmacy.ScanQrCodeRequest(qr_code="large"))
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" in dict(failure.value.trailing_metadata() or ())
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await PharmacyServiceStub(open_channel).ScanQrCode(pharmacy.ScanQrCodeRequest(qr_code="x" * 300_000))
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_grpc_web_is_answered_with_grpc_web(stand: Stand) -> None:
    message = auth.ListUsersRequest(search="x", role=access_pb2.ROLE_ADMIN).SerializeToString()
    response = await stand.rest.post(
        "/medconnect.auth.v1.AuthService/ListUsers",
        content=b"\0" + len(message).to_bytes(4, "big") + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )
    assert response.headers["content-type"] == "application/grpc-web+proto"
    length = int.from_bytes(response.content[1:5], "big")
    answer, trailers = response.content[5 : 5 + length], response.content[5 + length :]
    assert auth.ListUsersResponse.FromString(answer).users[0].role == access_pb2.ROLE_ADMIN
    assert trailers[0] == 0x80
    assert b"grpc-status:0" in trailers
    assert response.headers["x-content-type-options"] == "nosniff"


CONNECT = {"connect-protocol-version": "1", "content-type": "application/proto"}


async def test_connect_call_is_answered_in_connect(stand: Stand) -> None:
    message = auth.ListUsersRequest(search="x", role=access_pb2.ROLE_ADMIN).SerializeToString()
    response = await stand.rest.post(
        "/medconnect.auth.v1.AuthService/ListUsers", content=message, headers={**CONNECT, **FORGED}
    )
    assert (response.status_code, response.headers["content-type"]) == (200, "application/proto")
    assert auth.ListUsersResponse.FromString(response.content).users[0].role == access_pb2.ROLE_ADMIN
    assert stand.toy.seen.metadata["x-client-ip"] == "127.0.0.1"
    assert not {value for value in stand.toy.seen.metadata.values() if value in FORGED.values()}


async def test_connect_error_has_code_and_details(stand: Stand) -> None:
    message = pharmacy.ScanQrCodeRequest(qr_code="large").SerializeToString()
    response = await stand.rest.post(
        "/medconnect.pharmacy.v1.PharmacyService/ScanQrCode", content=message, headers=CONNECT
    )
    error = response.json()
    assert (response.status_code, error["code"]) == (429, "resource_exhausted")
    assert "type.googleapis.com/google.rpc.ErrorInfo" in {detail["type"] for detail in error["details"]}


async def test_connect_stream_ends_with_its_end_message(stand: Stand) -> None:
    response = await stand.rest.post(
        "/medconnect.events.v1.EventsService/WatchEmailQueueStatus",
        content=bytes(5),
        headers={**CONNECT, "content-type": "application/connect+proto", "authorization": "Bearer x"},
    )
    states, rest = [], response.content
    while rest[0] == 0:
        length = int.from_bytes(rest[1:5], "big")
        states.append(events.WatchEmailQueueStatusResponse.FromString(rest[5 : 5 + length]).is_healthy)
        rest = rest[5 + length :]
    assert (response.status_code, states, rest[0]) == (200, [False, True], 2)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/medconnect.auth.v1.AuthService/ListUsers?connect=v1&encoding=proto&message=", {}),
        ("POST", "/medconnect.auth.v1.AuthService/ListUsers", {"content-type": "application/json"}),
        ("POST", "/medconnect.auth.v1.AuthService/ListUsers", {"connect-protocol-version": "2"}),
    ],
)
async def test_connect_by_get_or_json_is_refused(stand: Stand, method: str, path: str, headers: dict[str, str]) -> None:
    stand.toy.seen.metadata = {}
    response = await stand.rest.request(method, path, headers={**CONNECT, **headers})
    assert response.is_client_error
    assert stand.toy.seen.metadata == {}


async def test_rest_call_with_headers_of_connect_is_rest(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/auth/profile", headers={"connect-protocol-version": "1"})
    assert response.headers["content-type"].startswith("application/json")
    assert stand.toy.seen.metadata["x-envoy-original-path"] == "/api/v1/auth/profile"
