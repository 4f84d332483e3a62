"""Tests the metrics of calls that Prometheus reads."""

import grpc

from server.config.settings import read_settings
from server.errors import PrescriptionInState, RoleNotAllowed
from server.identity import Role
from server.runtime.instance import metrics_address_of
from tests.interceptors.probe import FACES, SERVICE, House

METHODS = {"unary": "GetEmailQueueStatus", "stream": "WatchEmailQueueStatus"}


def value(house: House, name: str, **labels: str) -> float:
    return house.metrics.registry.get_sample_value(f"medconnect_{name}", labels) or 0


@FACES
async def test_calls_are_counted_by_how_they_end(house: House, face: str) -> None:
    async def fail() -> None:
        raise PrescriptionInState(state="pending")

    method = METHODS[face]
    for _ in range(2):
        await house.call(face, house.bearer())
    house.probe.act = fail
    await house.call(face, house.bearer())
    await house.call(face, house.bearer(Role.PATIENT))
    assert value(house, "calls_total", method=method, reason="OK") == 2
    assert value(house, "calls_total", method=method, reason=PrescriptionInState.reason) == 1
    assert value(house, "calls_total", method=method, reason=RoleNotAllowed.reason) == 1
    assert value(house, "call_seconds_count", method=method) == (4 if face == "unary" else 0)
    assert value(house, "anonymous_denials_total", method=method) == 0


async def test_call_without_a_valid_token_is_counted(house: House) -> None:
    for metadata in ((), [("authorization", "Bearer x")]):
        assert (await house.call("unary", metadata)).code is grpc.StatusCode.UNAUTHENTICATED
    assert value(house, "anonymous_denials_total", method=METHODS["unary"]) == 2


async def test_names_that_callers_invent_make_no_metrics(house: House) -> None:
    for number in range(3):
        await house.call(f"{SERVICE}/Nonsense{number}", house.bearer())
    assert value(house, "calls_total", method="unknown", reason="METHOD_UNKNOWN") == 3


async def test_limits_are_counted(house: House) -> None:
    await house.call("unary", house.bearer(Role.DOCTOR))
    assert value(house, "rate_limits_total", limit="doctor", outcome="allowed") == 1
    assert house.metrics.limit_counts.allowed == {"doctor": 1}


async def test_stored_responses_are_counted(house: House) -> None:
    house.declare(idempotent=True)
    metadata = [*house.bearer(), ("idempotency-key", "k" * 16)]
    for _ in range(3):
        await house.call("unary", metadata)
    assert value(house, "replays_total", method=METHODS["unary"]) == 2


def test_of_several_processes_each_has_a_port_of_its_own() -> None:
    settings = read_settings(_env_file=None, metrics_address="127.0.0.1:9090")
    assert [metrics_address_of(settings, number) for number in range(3)] == [
        "127.0.0.1:9090",
        "127.0.0.1:9091",
        "127.0.0.1:9092",
    ]
    assert metrics_address_of(read_settings(_env_file=None), 1) is None
