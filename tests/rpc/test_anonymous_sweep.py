"""Anonymous callers and wrong roles are refused before the content of their calls is read."""

from typing import Any

import grpc
import pytest
from medconnect.options.v1 import access_pb2

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.access_table import PUBLIC
from tests.rpc.calls import NOBODY, over_grpc, send
from tests.rpc.methods import RPCS, access_of

CODE = grpc.StatusCode
Role = access_pb2.Role
ROLES = [Role.ROLE_PATIENT, Role.ROLE_DOCTOR, Role.ROLE_PHARMACIST, Role.ROLE_ADMIN]
MALFORMED = b"\xff\xff\xff"
CLOSED = [name for name in RPCS if name not in PUBLIC]
OPEN_TO_ALL = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List"]
FOR_ROLES = [name for name in RPCS if access_of(RPCS[name]).roles]
FORBIDDEN = [(name, role) for name in FOR_ROLES for role in ROLES if role not in access_of(RPCS[name]).roles]
PERMITTED = [(name, role) for name in FOR_ROLES for role in access_of(RPCS[name]).roles]
UNKNOWN = [
    "/medconnect.auth.v1.AuthService/Nonsense",
    "/no.such.Service/Method",
    "/medconnect.auth.v1.AuthService/login",
]


@pytest.fixture(scope="module")
def by_role(actors: Actors) -> dict[int, Actor]:
    return {
        Role.ROLE_PATIENT: actors.new_patient(),
        Role.ROLE_DOCTOR: actors.doctor,
        Role.ROLE_PHARMACIST: actors.pharmacist,
        Role.ROLE_ADMIN: actors.admin,
    }


def test_the_methods_declared_public_are_those_written_down() -> None:
    assert {name for name, rpc in RPCS.items() if access_of(rpc).public} == PUBLIC


@control("S31")
@cells("name", CLOSED)
@cells("body", [b"", MALFORMED], ids=["empty", "malformed"])
def test_nobody_is_told_to_sign_in_whatever_he_sends(actors: Actors, name: str, body: bytes) -> None:
    answer = over_grpc(actors, RPCS[name], body, None)
    assert (answer.status, answer.reason) == (CODE.UNAUTHENTICATED, "UNAUTHENTICATED")


@control("S31")
@cells("name", CLOSED)
def test_nobody_is_told_to_sign_in_over_rest(actors: Actors, name: str) -> None:
    answer = send(actors, RPCS[name], dict.fromkeys(RPCS[name].in_path, NOBODY), {})
    assert (answer.status, answer.reason) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC if RPCS[name].descriptor.input_type.fields))
def test_a_public_method_looks_at_what_nobody_sent(actors: Actors, name: str) -> None:
    answer = over_grpc(actors, RPCS[name], b"", None)
    assert (answer.status, answer.reason) == (CODE.INVALID_ARGUMENT, "VALIDATION_FAILED")
    rest = send(actors, RPCS[name], {}, {})
    assert (rest.status, rest.reason) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize("path", OPEN_TO_ALL)
def test_health_answers_nobody(actors: Actors, path: str) -> None:
    call: Any = actors.channel.unary_unary(path)
    assert call(b"", timeout=5)


@control("S30")
@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_method_is_reported_only_when_signed_in(actors: Actors, path: str) -> None:
    call: Any = actors.channel.unary_unary(path)
    for metadata, code in ((None, CODE.UNAUTHENTICATED), (actors.doctor.metadata, CODE.UNIMPLEMENTED)):
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=5, metadata=metadata)
        assert refused.value.code() is code


@control("S32")
@cells("body", [b"", MALFORMED], ids=["empty", "malformed"])
@cells(("name", "role"), FORBIDDEN, ids=str)
def test_the_role_is_judged_before_the_body(
    actors: Actors, by_role: dict[int, Actor], name: str, role: Role.ValueType, body: bytes
) -> None:
    answer = over_grpc(actors, RPCS[name], body, by_role[role])
    assert (answer.status, answer.reason) == (CODE.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")


@cells(("name", "role"), PERMITTED, ids=str)
def test_unreadable_body_is_reported_to_permitted_callers(
    actors: Actors, by_role: dict[int, Actor], name: str, role: Role.ValueType
) -> None:
    answer = over_grpc(actors, RPCS[name], MALFORMED, by_role[role])
    assert (answer.status, answer.reason) == (CODE.INVALID_ARGUMENT, "MALFORMED_BODY")


@pytest.mark.parametrize("role", [Role.ROLE_DOCTOR, Role.ROLE_PHARMACIST], ids=Role.Name)
def test_a_licence_is_asked_for_before_the_body_is_read(actors: Actors, role: Role.ValueType) -> None:
    newcomer = actors.new_unverified(role)
    names = [name for name in FOR_ROLES if role in access_of(RPCS[name]).roles]
    for name in names:
        answer = over_grpc(actors, RPCS[name], MALFORMED, newcomer)
        assert (name, answer.status, answer.reason) == (name, CODE.PERMISSION_DENIED, "ACCOUNT_NOT_VERIFIED")
    assert len(names) > 5
