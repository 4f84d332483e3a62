"""Tests the metadata of a response, and where its reader finds it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import grpc
import pytest
from medconnect.events.v1 import events_service_pb2 as pb

from tests.interceptors.probe import EDGE, FACES, House

Logged = Callable[[], list[dict[str, Any]]]

LIMITS = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
ENVELOPE = {"x-message", "x-http-code"}


async def test_a_native_call_gets_its_headers_as_trailing_metadata(house: House) -> None:
    answer = await house.call("unary", house.bearer())
    assert answer.code is grpc.StatusCode.OK
    assert pb.GetEmailQueueStatusResponse.FromString(answer.bodies[0]).total_jobs == 7
    assert LIMITS | {"x-request-id"} <= answer.trailing.keys()
    assert not (LIMITS | ENVELOPE | {"x-request-id"}) & answer.initial.keys()
    assert not ENVELOPE & answer.trailing.keys()


async def test_native_call_through_edge_has_direct_call_metadata(house: House) -> None:
    """Checks gRPC and gRPC-Web, which use the same socket without the path that the transcoder adds."""
    answer = await house.call("unary", [EDGE[1], *house.bearer()], channel=house.edge)
    assert answer.trailing.keys() >= LIMITS
    assert not ENVELOPE & answer.headers.keys()


async def test_rest_call_gets_initial_metadata_with_message_and_status(house: House) -> None:
    house.declare(http_status=201)
    answer = await house.call("unary", [*EDGE, *house.bearer()], channel=house.edge)
    assert LIMITS | {"x-request-id"} <= answer.initial.keys()
    assert answer.initial["x-message"].isascii()
    assert unquote(answer.initial["x-message"]) == "Probe's „answer“"
    assert answer.initial["x-http-code"] == "201"


async def test_rest_call_without_message_gets_no_message_or_status(house: House) -> None:
    house.declare(message="")
    answer = await house.call("unary", [*EDGE, *house.bearer()], channel=house.edge)
    assert answer.initial.keys() >= LIMITS
    assert not ENVELOPE & answer.initial.keys()


async def test_a_direct_caller_cannot_pass_himself_off_as_rest(house: House) -> None:
    answer = await house.call("unary", [*EDGE, *house.bearer()])
    assert not ENVELOPE & answer.headers.keys()
    assert answer.trailing.keys() >= LIMITS


@pytest.mark.parametrize("rest", [True, False])
async def test_a_stream_gets_its_headers_with_the_first_message(house: House, rest: bool) -> None:
    metadata = [*(EDGE if rest else ()), *house.bearer()]
    answer = await house.call("stream", metadata, channel=house.edge)
    numbers = [pb.WatchEmailQueueStatusResponse.FromString(body).total_jobs for body in answer.bodies]
    assert numbers == [1, 2, 3]
    assert LIMITS | {"x-request-id"} <= answer.initial.keys()


async def test_a_stream_without_messages_is_a_success(house: House) -> None:
    house.probe.messages = 0
    answer = await house.call("stream", house.bearer())
    assert (answer.code, answer.bodies) == (grpc.StatusCode.OK, [])


@FACES
async def test_the_request_id_is_the_edges_where_it_gave_one(house: House, face: str, log_lines: Logged) -> None:
    answer = await house.call(face, [*EDGE, *house.bearer(), ("x-request-id", "edge-1")], channel=house.edge)
    refused = await house.call(face, [*EDGE, ("x-request-id", "edge-2")], channel=house.edge)
    assert answer.headers["x-request-id"] == "edge-1"
    assert refused.headers["x-request-id"] == refused.details["RequestInfo"].request_id == "edge-2"
    assert [line["request_id"] for line in log_lines()] == ["edge-1", "edge-2"]


@FACES
async def test_each_call_has_its_own_request_id_chosen_by_server(house: House, face: str) -> None:
    metadata = [*house.bearer(), ("x-request-id", "forged")]
    ids = {(await house.call(face, metadata)).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
    assert all(len(request_id) >= 16 for request_id in ids - {"forged"})
    assert "forged" not in ids
