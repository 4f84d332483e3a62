"""The rights of an account that registered itself, and the absence of built-in accounts."""

from uuid import uuid4

import pytest
from medconnect.options.v1 import access_pb2
from sqlalchemy import text

from server.auth.password_hashing import Passwords
from server.db.unit_of_work import UnitOfWork
from server.errors import InvalidCredentials
from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.auth import Auth
from tests.fixtures.cells import cells
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender
from tests.rpc.calls import FACES, NOBODY, over_grpc, send
from tests.rpc.methods import RPCS, access_of

Role = access_pb2.Role
DEFAULTS = ("", "admin", "admin123", "Admin123!", "administrator", "password", "changeme", "secret", "medconnect")
FOR_ROLES = [(name, role) for name, rpc in RPCS.items() for role in access_of(rpc).roles if role != Role.ROLE_ADMIN]


@control("S17")
def test_nobody_registers_as_an_admin(actors: Actors) -> None:
    body = {"email": new_email(), "password": PASSWORD, "fullName": "Zoe Young", "role": "admin"}
    status, answer = actors.rest("POST", "/auth/register", None, body)
    assert (status, answer["error"]["type"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in answer["error"]["details"]] == ["role"]


@control("S17")
@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        (Role.ROLE_DOCTOR, "GET", "/doctors/patients", None),
        (Role.ROLE_PHARMACIST, "GET", "/pharmacy/history", None),
    ],
)
def test_registered_staff_may_do_nothing_until_verified(
    actors: Actors, role: Role.ValueType, method: str, path: str, body: None
) -> None:
    actor = actors.sign_in(actors.new_unverified(role).email)
    status, answer = actors.rest(method, path, actor, body)
    assert (status, answer["error"]["type"]) == (403, "ACCOUNT_NOT_VERIFIED")
    assert actors.rest("PUT", f"/users/{actor.user_id}/verify", actors.admin, {})[0] == 200
    assert actors.rest(method, path, actor, body)[0] == 200


@control("S18")
async def test_the_first_admin_has_no_password_that_anybody_knows(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords
) -> None:
    auth = Auth.build(work, clock.clock, passwords)
    chosen = [await auth.accounts.ensure_first_admin("admin@medconnect.local", None)]
    assert len(chosen[0] or "") >= 20
    for number, password in enumerate(DEFAULTS):
        with pytest.raises(InvalidCredentials):
            await auth.sessions.login("admin@medconnect.local", password, f"192.0.2.{number}")
        async with work.begin() as tx:
            await tx.connection.execute(text("DELETE FROM sign_in_counters"))
    assert chosen[0]
    await auth.sessions.login("admin@medconnect.local", chosen[0])


@pytest.fixture(scope="module")
def unconfirmed(confirming_actors: Actors) -> dict[int, Actor]:
    """Returns one unconfirmed account of each role; admins have checked the licences."""
    actors: dict[int, Actor] = {
        Role.ROLE_PATIENT: confirming_actors.new_patient(),
        Role.ROLE_DOCTOR: confirming_actors.new_unverified(Role.ROLE_DOCTOR),
        Role.ROLE_PHARMACIST: confirming_actors.new_unverified(Role.ROLE_PHARMACIST),
    }
    for role in (Role.ROLE_DOCTOR, Role.ROLE_PHARMACIST):
        path = f"/users/{actors[role].user_id}/verify"
        assert confirming_actors.rest("PUT", path, confirming_actors.admin, {})[0] == 200
    return actors


@cells("face", FACES)
@cells(("name", "role"), FOR_ROLES, ids=str)
def test_unconfirmed_account_may_not_call_role_methods(
    confirming_actors: Actors, unconfirmed: dict[int, Actor], face: str, name: str, role: Role.ValueType
) -> None:
    rpc, actor = RPCS[name], unconfirmed[role]
    if face == "grpc":
        answer = over_grpc(confirming_actors, rpc, b"", actor)
    else:
        answer = send(confirming_actors, rpc, dict.fromkeys(rpc.in_path, NOBODY), actor.headers)
    assert answer.reason == "EMAIL_NOT_CONFIRMED"


def test_with_its_code_an_account_may_and_signs_in(confirming_actors: Actors) -> None:
    email = f"{uuid4().hex[:12]}@Example.org"
    body = {"email": email, "password": PASSWORD, "fullName": "Zoe Young"}
    answer = confirming_actors.rest("POST", "/auth/register", None, body)[1]["data"]
    actor = Actor(answer["user"]["id"], email.lower(), answer["accessToken"])
    code = Sender(confirming_actors.instance.home).code(email.lower(), "Welcome to MedConnect")
    status, answer = confirming_actors.rest("POST", "/auth/confirm-email", actor, {"otpCode": code})
    assert (status, answer["data"]["user"]["emailConfirmed"]) == (200, True)
    assert confirming_actors.rest("GET", "/patients/profile", actor)[0] == 200
    assert confirming_actors.rest("GET", "/patients/profile", confirming_actors.sign_in(actor.email))[0] == 200
