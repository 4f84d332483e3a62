"""Tests the log of what Envoy refuses itself: every refusal with its cause, and nothing that callers chose."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from server.edge import EdgeConfig, running
from server.edge.refusals import LINES_A_SECOND, RefusalLog
from tests.edge.conftest import Stand
from tests.edge.toy import Toy

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "canary-sings"
REQUESTS: Mapping[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "unknown path": (
        "GET",
        f"/api/v1/{SECRET}?otp={SECRET}",
        {},
        {"status": 404, "path": "/api/v1/*", "outcome": "ROUTE_UNKNOWN", "log_level": "info"},
    ),
    "number in a path": (
        "DELETE",
        f"/api/v1/users/{SECRET}",
        {},
        {"status": 405, "path": "/api/v1/users/*", "outcome": "METHOD_NOT_ALLOWED"},
    ),
    "invented method": (
        SECRET.upper(),
        "/api/v1/users",
        {},
        {"status": 400, "method": "*", "outcome": "MALFORMED_REQUEST"},
    ),
    "malformed body": (
        "POST",
        "/api/v1/auth/login",
        {"content": f'{{"{SECRET}', "headers": {"content-type": "application/json"}},
        {"status": 400, "outcome": "MALFORMED_BODY", "path": "/api/v1/auth/login", "cause": "lua_response"},
    ),
    "query that the transcoder refuses": (
        "GET",
        f"/api/v1/users?{SECRET}=1",
        {"headers": {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "authorization": f"Bearer {SECRET}"}},
        {"status": 400, "outcome": "VALIDATION_FAILED", "trace_id": "a" * 32},
    ),
    "escaped slash": ("GET", f"/api/v1/%2f{SECRET}", {}, {"status": 400, "path": "/api/v1//*"}),
}


def refusals(logged: list[Any]) -> list[Any]:
    return [line for line in logged if line["event"] == "edge_refused"]


async def lines_of(logged: list[Any], count: int) -> list[Any]:
    """Waits for this number of lines about refusals, which Envoy writes within a second."""
    async with asyncio.timeout(5):
        while len(lines := refusals(logged)) < count:
            await asyncio.sleep(0.05)
    return lines


async def lines_about(logged: list[Any], request_ids: set[str]) -> dict[str, Any]:
    """Waits for the lines about these requests; other tests of the same Envoy leave some of theirs."""
    async with asyncio.timeout(5):
        while not request_ids <= (lines := {line.get("request_id"): line for line in refusals(logged)}).keys():
            await asyncio.sleep(0.05)
    return lines


async def test_refusals_are_logged_with_their_cause_only(stand: Stand) -> None:
    with capture_logs() as logged:
        answers = {
            name: await stand.rest.request(method, path, **options)
            for name, (method, path, options, _) in REQUESTS.items()
        }
        passed_on = [await stand.rest.get("/api/v1/users"), await stand.scan("missing"), await stand.rest.get("/")]
        lines = await lines_about(logged, {answer.headers["x-request-id"] for answer in answers.values()})
    assert [each.status_code for each in passed_on] == [200, 404, 200]
    for name, (_, _, _, expected) in REQUESTS.items():
        line = lines[answers[name].headers["x-request-id"]]
        assert {**line, **expected} == line, name
        assert {"cause", "milliseconds", "transport", "address"} <= line.keys()
        assert SECRET not in json.dumps(line).lower(), name
    assert not lines.keys() & {each.headers.get("x-request-id") for each in passed_on}


async def test_calls_without_a_server_are_logged_as_warnings(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "server-0.sock")
    await toy.start()
    await toy.set_serving(False)
    config = EdgeConfig(home=tmp_path, server_sockets=(toy.socket,), port=0)
    with capture_logs() as logged:
        async with running(config) as edge, httpx.AsyncClient(base_url=edge.url) as rest:
            assert (await rest.get("/api/v1/users")).status_code == 503
            await toy.stop()
            async with grpc.aio.insecure_channel("{}:{}".format(*edge.grpc)) as channel:
                call: Any = channel.unary_unary("/medconnect.auth.v1.AuthService/GetCurrentUser")
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(b"", timeout=5)
        first, second = await lines_of(logged, 2)
    assert (first["log_level"], first["transport"], first["cause"]) == ("warning", "rest", "no_healthy_upstream")
    assert (second["transport"], second["code"]) == ("grpc", "UNAVAILABLE")
    assert second["path"] == "/medconnect.auth.v1.AuthService/GetCurrentUser"


async def test_a_flood_of_refusals_is_counted_instead_of_written() -> None:
    now = 0.0
    log = RefusalLog(frozenset({""}), lambda: now)
    names = ("request_id", "response_id", "traceparent", "reason", "grpc_status", "address")
    told = dict.fromkeys(names) | {
        "transport": "rest",
        "method": "GET",
        "path": "/",
        "status": 404,
        "milliseconds": 0,
        "cause": "lua_response",
    }
    with capture_logs() as logged:
        for line in (json.dumps(told).encode(), b"not json", b"[]", b'{"status": 1}'):
            for _ in range(100):
                log.note(line)
        now = 1.0
        log.note(json.dumps(told).encode())
    assert len(logged) == LINES_A_SECOND + 1
    assert logged[-1]["unlogged"] >= 100 - LINES_A_SECOND
