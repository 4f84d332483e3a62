"""Exceptions by reason and by status, and their tree in the docstring."""

import re

import grpc
import pytest
from medconnect.errors.v1 import error_reason_pb2
from medconnect_client import AsyncClient, errors
from medconnect_client._status import BY_STATUS, by_reason

from tests.client.messages import signed_in
from tests.fixtures.scripted_service import ScriptedService, refusal

STATUSES = set(errors.MedConnectError.__subclasses__())


def tree(root: type[BaseException], depth: int = 0) -> list[tuple[int, str]]:
    found = [(depth, root.__name__)]
    for narrower in root.__subclasses__():
        found += tree(narrower, depth + 1)
    return found


def test_the_docstring_draws_the_tree() -> None:
    drawn = re.findall(r"^([│ ]*)(?:[├└]── )?(\w+)(?:  |$)", errors.__doc__ or "", re.M)
    branches = [
        (len(indent) // 4 + (name != "MedConnectError"), name) for indent, name in drawn if hasattr(errors, name)
    ]
    assert branches == tree(errors.MedConnectError)


def test_every_subclass_of_a_status_is_a_published_reason_of_it() -> None:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values:
        found = by_reason().get(value.name.removeprefix("ERROR_REASON_"))
        if found is not None:
            rule = value.GetOptions().Extensions[error_reason_pb2.rule]
            assert issubclass(found, BY_STATUS[codes[rule.code]])
    below = {reason for status in STATUSES for reason in status.__subclasses__()}
    assert below <= set(by_reason().values())


async def test_a_reason_is_answered_with_all_that_is_known_of_it(
    client: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(
        signed_in(),
        refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            "PRESCRIPTION_DISPENSED",
            state="dispensed",
            changedAt="2026-12-01T10:00:00.000Z",
        ),
    )
    await client.sign_in("p@example.org", "secret")
    with pytest.raises(errors.PrescriptionDispensed) as caught:
        await client.pharmacy.scan("MC1.x")
    error = caught.value
    assert isinstance(error, errors.FailedPrecondition)
    assert (error.state, error.request_id, str(error)) == ("dispensed", "req-1", "PRESCRIPTION_DISPENSED happened")
    assert error.changed_at is not None
    assert error.changed_at.isoformat() == "2026-12-01T10:00:00+00:00"
    assert not error.maybe_done


async def test_a_reason_of_a_newer_server_degrades_to_its_status(
    client: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(signed_in(), refusal(grpc.StatusCode.NOT_FOUND, "PHARMACY_MOVED_TO_MARS"))
    await client.sign_in("p@example.org", "secret")
    with pytest.raises(errors.NotFound) as caught:
        await client.pharmacy.scan("MC1.x")
    assert type(caught.value) is errors.NotFound
    assert caught.value.reason == "PHARMACY_MOVED_TO_MARS"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNKNOWN, errors.Unavailable),
        (grpc.StatusCode.CANCELLED, errors.Unavailable),
        (grpc.StatusCode.INTERNAL, errors.Unavailable),
        (grpc.StatusCode.UNIMPLEMENTED, errors.InternalError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.ResourceExhausted),
    ],
)
async def test_a_status_without_a_reason_is_the_connections(
    client: AsyncClient, scripted: ScriptedService, code: grpc.StatusCode, expected: type[errors.MedConnectError]
) -> None:
    scripted.answer(code)
    with pytest.raises(expected) as caught:
        await client.auth.key_set()
    assert type(caught.value) is expected
    assert caught.value.reason == ""
