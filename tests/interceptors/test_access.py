"""Tests that the method's access option is enforced before the request is read."""

from datetime import timedelta
from uuid import UUID

import grpc
import pytest
from sqlalchemy import text

from server.auth.entities import NewAccount, SignInOrigin, UserStatus
from server.auth.organisation_entities import OrganisationKind, Workplace
from server.auth.rules.lifetimes import Lifetime
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.organisations import OrganisationRepository
from server.auth.storage.sessions import SessionRepository
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller, Role, current_caller
from tests.fixtures.clock import FAR
from tests.fixtures.users import a_user
from tests.interceptors.probe import FACES, MALFORMED, SERVICE, House, Metadata

CODE = grpc.StatusCode
DAY = timedelta(days=1)


async def signed_in_pharmacist(
    house: House, work: UnitOfWork, status: UserStatus, *, joins: bool = True
) -> tuple[UUID, UUID, Metadata]:
    """Holds a stored account and session: both ids, and the token, issued before the account joins its pharmacy."""
    async with work.begin() as tx:
        new = NewAccount("p@example.org", None, "P", "", Role.PHARMACIST, status, license_number="L-1")
        user, session_id = await tx[AccountRepository].insert(new), new_id()
        if joins:
            await tx[OrganisationRepository].join(user.id, Workplace(OrganisationKind.PHARMACY, "Rose", ""))
        await tx[SessionRepository].open(session_id, user.id, bytes(32), Lifetime(DAY, DAY), SignInOrigin("", ""))
    token, _ = house.tokens.issue(user, session_id, FAR)
    return user.id, session_id, (("authorization", f"Bearer {token}"),)


@FACES
@pytest.mark.parametrize("role", [Role.ADMIN, Role.DOCTOR])
async def test_permitted_role_may_call_and_handler_gets_the_caller(house: House, face: str, role: Role) -> None:
    seen: list[Caller] = []

    async def act() -> None:
        seen.append(current_caller())

    house.probe.act = act
    user_id = new_id()
    answer = await house.call(face, house.bearer(role, user_id))
    assert answer.code is CODE.OK
    assert {(caller.user_id, caller.role) for caller in seen} == {(user_id, role)}


@FACES
@pytest.mark.parametrize("role", [Role.PATIENT, Role.PHARMACIST])
@pytest.mark.parametrize("body", [b"", MALFORMED], ids=["empty", "malformed"])
async def test_another_role_is_refused_before_the_body_is_parsed(
    house: House, face: str, role: Role, body: bytes
) -> None:
    answer = await house.call(face, house.bearer(role), body)
    assert (answer.code, answer.reason) == (CODE.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")


@FACES
@pytest.mark.parametrize("body", [b"", MALFORMED], ids=["empty", "malformed"])
async def test_anonymous_caller_is_rejected_before_body_is_parsed(house: House, face: str, body: bytes) -> None:
    answer = await house.call(face, (), body)
    assert (answer.code, answer.reason) == (CODE.UNAUTHENTICATED, "UNAUTHENTICATED")


@FACES
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
async def test_the_scheme_is_read_in_any_case(house: House, face: str, scheme: str) -> None:
    [(_, value)] = house.bearer()
    assert (await house.call(face, [("authorization", scheme + value.split()[1])])).code is CODE.OK


@FACES
@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "Bearer  {}", "{}", "Bearer {}x"])
async def test_other_than_bearer_token_is_no_token(house: House, face: str, value: str) -> None:
    [(_, good)] = house.bearer()
    answer = await house.call(face, [("authorization", value.format(good.split()[1]))])
    assert answer.code is CODE.UNAUTHENTICATED


@FACES
@pytest.mark.parametrize("order", [1, -1])
async def test_two_authorization_values_are_none(house: House, face: str, order: int) -> None:
    values = [*house.bearer(), ("authorization", "Bearer x")][::order]
    assert (await house.call(face, values)).code is CODE.UNAUTHENTICATED


@FACES
async def test_identity_comes_from_the_token_alone(house: House, face: str) -> None:
    claims = [("x-role", "admin"), ("x-user-id", str(new_id())), ("x-forwarded-user", "admin")]
    assert (await house.call(face, claims)).code is CODE.UNAUTHENTICATED
    assert (await house.call(face, [*claims, *house.bearer(Role.PATIENT)])).code is CODE.PERMISSION_DENIED


@FACES
async def test_public_method_accepts_all_and_ignores_a_bad_token(house: House, face: str) -> None:
    house.declare(public=True)
    for metadata in ((), [("authorization", "Bearer x")], house.bearer(Role.PATIENT)):
        assert (await house.call(face, metadata)).code is CODE.OK


@FACES
async def test_token_expires_at_its_time(house: House, face: str) -> None:
    token = house.bearer()
    assert (await house.call(face, token)).code is CODE.OK
    house.clock.forward(minutes=16)
    assert (await house.call(face, token)).code is CODE.UNAUTHENTICATED


@FACES
async def test_revoked_session_is_rejected_for_any_role(house: House, face: str) -> None:
    for role in Role:
        session_id = new_id()
        token, _ = house.tokens.issue(a_user(role), session_id, FAR)
        house.revocations.revoked(session_id)
        answer = await house.call(face, [("authorization", f"Bearer {token}")])
        assert answer.code is CODE.UNAUTHENTICATED


@FACES
async def test_a_licence_must_be_verified_where_the_method_says_so(house: House, face: str, work: UnitOfWork) -> None:
    house.declare(roles=frozenset({Role.PHARMACIST}), verified=True)
    user_id, _, token = await signed_in_pharmacist(house, work, UserStatus.UNVERIFIED)
    answer = await house.call(face, token, MALFORMED)
    assert (answer.code, answer.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_VERIFIED")
    async with work.begin() as tx:
        await tx[AccountRepository].verify(await tx[AccountRepository].get(user_id))
    assert (await house.call(face, token)).code is CODE.OK


@FACES
async def test_pharmacist_of_no_pharmacy_is_refused(house: House, face: str, work: UnitOfWork) -> None:
    house.declare(roles=frozenset({Role.PHARMACIST}), verified=True)
    _, _, token = await signed_in_pharmacist(house, work, UserStatus.ACTIVE, joins=False)
    answer = await house.call(face, token, MALFORMED)
    assert (answer.code, answer.reason) == (CODE.PERMISSION_DENIED, "ORGANISATION_REQUIRED")


@FACES
async def test_caller_of_an_older_token_acts_for_their_pharmacy(house: House, face: str, work: UnitOfWork) -> None:
    seen: list[Caller] = []

    async def act() -> None:
        seen.append(current_caller())

    house.probe.act = act
    house.declare(roles=frozenset({Role.PHARMACIST}), verified=True)
    _, _, token = await signed_in_pharmacist(house, work, UserStatus.ACTIVE)
    assert (await house.call(face, token)).code is CODE.OK
    async with work.read() as tx:
        pharmacies = await tx.connection.scalars(text("SELECT id FROM organisations"))
    assert {caller.organisation_id for caller in seen} == set(pharmacies)


@FACES
async def test_without_that_an_unverified_account_may_call(house: House, face: str, work: UnitOfWork) -> None:
    house.declare(roles=frozenset({Role.PHARMACIST}))
    _, _, token = await signed_in_pharmacist(house, work, UserStatus.UNVERIFIED)
    assert (await house.call(face, token)).code is CODE.OK


@FACES
async def test_a_role_is_refused_before_its_licence_is_looked_at(house: House, face: str, work: UnitOfWork) -> None:
    house.declare(verified=True)
    _, _, token = await signed_in_pharmacist(house, work, UserStatus.UNVERIFIED)
    assert (await house.call(face, token)).reason == "ROLE_NOT_ALLOWED"


@pytest.mark.parametrize("path", [f"{SERVICE}/Nothing", "/medconnect.nothing.v1.Nothing/Nothing", "/x"])
async def test_unknown_method_is_reported_only_to_signed_in_callers(house: House, path: str) -> None:
    assert (await house.call(path)).reason == "UNAUTHENTICATED"
    answer = await house.call(path, house.bearer(Role.PATIENT))
    assert (answer.code, answer.reason) == (CODE.UNIMPLEMENTED, "METHOD_UNKNOWN")
