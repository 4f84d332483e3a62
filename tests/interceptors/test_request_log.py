"""Tests that each call logs one line without secrets and without text of its caller."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from server.db.identifiers import new_id
from server.errors import VersionConflict
from server.identity import Role
from tests.interceptors.probe import FACES, PATHS, SERVICE, House

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
        "outcome": "OK",
        "milliseconds": 0.0,  # The test's clock stands still.
        "user_id": str(user_id),
        "address": "127.0.0.1",
    }


@FACES
async def test_a_refusal_is_logged_by_its_reason(house: House, face: str, log_lines: Logged) -> None:
    async def act() -> None:
        raise VersionConflict(version=2)

    house.probe.act = act
    await house.call(face, house.bearer())
    await house.call(face)
    assert [line["outcome"] for line in log_lines()] == ["VERSION_CONFLICT", "UNAUTHENTICATED"]


@FACES
async def test_no_token_or_body_is_logged(house: House, face: str, log_lines: Logged) -> None:
    [(_, value)] = house.bearer()
    await house.call(face, [("authorization", value), ("x-secret", "hunter2")])
    await house.call(face, [("authorization", value + "x")])
    text = str(log_lines())
    assert value.split()[1][:20] not in text
    assert "hunter2" not in text
    assert "MC1" not in text


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
