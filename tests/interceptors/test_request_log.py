"""Tests that each call logs one line without secrets and without text of its caller."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from sqlalchemy import text

from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import VersionConflict
from server.identity import Role
from tests.interceptors.probe import EDGE, FACES, PATHS, SERVICE, House, Metadata, nothing

Logged = Callable[[], list[dict[str, Any]]]


@FACES
async def test_call_logs_one_line_with_caller_method_and_outcome(house: House, face: str, log_lines: Logged) -> None:
    user_id = new_id()
    answer = await house.call(face, house.bearer(Role.ADMIN, user_id))
    [line] = log_lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "call",
        "level": "info",
        "request_id": answer.headers["x-request-id"],
        "method": PATHS[face].rpartition("/")[2],
        "code": "OK",
        "outcome": "OK",
        "milliseconds": 0.0,  # The test's clock stands still.
        "pool_milliseconds": 0.0,
        "sql_milliseconds": 0.0,
        "user_id": str(user_id),
        "role": "admin",
        "address": "127.0.0.1",
        "transport": "direct",
        "process": "test",
    }


@pytest.mark.parametrize(("added", "transport"), [(EDGE, "rest"), (EDGE[1:], "grpc")])
async def test_a_call_through_the_edge_is_logged_with_its_transport(
    house: House, added: Metadata, transport: str, log_lines: Logged
) -> None:
    await house.call("unary", [*added, *house.bearer()], channel=house.edge)
    assert [line["transport"] for line in log_lines()] == [transport]


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"', None),
        ("4bf92f3577b34da6a3ce929d0e0e4736", None),
    ],
)
async def test_a_call_is_logged_with_the_trace_of_its_caller(
    house: House, traceparent: str, trace_id: str | None, log_lines: Logged
) -> None:
    await house.call("unary", [("traceparent", traceparent), *house.bearer()])
    assert [line.get("trace_id") for line in log_lines()] == [trace_id]


async def test_a_call_is_logged_with_its_time_in_the_database(
    house: House, work: UnitOfWork, log_lines: Logged
) -> None:
    async def sleep() -> None:
        async with work.read() as tx:
            await tx.connection.execute(text("SELECT pg_sleep(0.05)"))

    house.probe.act = sleep
    await house.call("unary", house.bearer())
    house.probe.act = nothing
    await house.call("unary", house.bearer())
    slow, fast = (line["sql_milliseconds"] for line in log_lines())
    assert 50 <= slow < 5000
    assert fast == 0


async def test_a_stored_response_is_logged_as_replayed(house: House, log_lines: Logged) -> None:
    house.declare(idempotent=True)
    metadata = [*house.bearer(), ("idempotency-key", "k" * 16)]
    for _ in range(2):
        await house.call("unary", metadata)
    assert [line.get("replayed", False) for line in log_lines()] == [False, True]


@FACES
async def test_a_refusal_is_logged_by_its_reason(house: House, face: str, log_lines: Logged) -> None:
    async def act() -> None:
        raise VersionConflict(version=2)

    house.probe.act = act
    await house.call(face, house.bearer())
    await house.call(face)
    lines = log_lines()
    assert [line["outcome"] for line in lines] == ["VERSION_CONFLICT", "UNAUTHENTICATED"]
    assert [line["code"] for line in lines] == ["ABORTED", "UNAUTHENTICATED"]


@FACES
async def test_no_token_or_body_is_logged(house: House, face: str, log_lines: Logged) -> None:
    [(_, value)] = house.bearer()
    await house.call(face, [("authorization", value), ("x-secret", "hunter2")])
    await house.call(face, [("authorization", value + "x")])
    written = str(log_lines())
    assert value.split()[1][:20] not in written
    assert "hunter2" not in written
    assert "MC1" not in written


@pytest.mark.parametrize(
    "metadata",
    [
        [("user-agent", 'x\\n{"level":"info","fake":1}')],
        [("x-client-ip", '","fake":"1')],
        [("x-blob-bin", b'\n{"fake":1}\n')],
    ],
)
async def test_hostile_metadata_makes_no_second_line(
    house: House, metadata: list[tuple[str, str | bytes]], log_lines: Logged
) -> None:
    await house.call("unary", [*metadata, *house.bearer()], channel=house.edge)
    [line] = log_lines()
    assert "fake" not in line
    assert line["outcome"] == "OK"


async def test_a_path_that_its_caller_chose_is_cut_and_escaped(house: House, log_lines: Logged) -> None:
    answer = await house.call(f'{SERVICE}/","fake":"' + "x" * 2000)
    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    [line] = log_lines()
    assert len(line["method"]) == 256
    assert "fake" not in line
