"""Tests organisations and their members: who may add and end them, and what ends with them."""

from dataclasses import replace
from uuid import UUID

import pytest

from server.auth.entities import SignedIn, User
from server.auth.organisation_entities import MemberRight, NewOrganisation, OrganisationChange, OrganisationKind
from server.auth.password_hashing import Passwords
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import NotFound, OrganisationClosed, OrganisationExists, Unauthenticated, ValidationFailed
from server.identity import Caller, Role
from server.pagination import PageRequest
from tests.fixtures.auth import Auth, an_application
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

ADMIN = Caller(new_id(), Role.ADMIN, new_id())
FIRST_PAGE = PageRequest(20, "")
NEW = NewOrganisation(OrganisationKind.PHARMACY, "Rose", "", "Quay 1", "")


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def pharmacist(auth: Auth, address: str = "Quay 1") -> tuple[User, SignedIn, Caller]:
    """Returns a signed-in pharmacist of the pharmacy at that address."""
    application = replace(an_application(Role.PHARMACIST), pharmacy_address=address)
    user = (await auth.accounts.create_user(application)).user
    signed_in = await auth.sign_in(user)
    return user, signed_in, auth.caller(signed_in.tokens)


async def administrator(auth: Auth) -> tuple[Caller, UUID]:
    """Returns an administrator of a pharmacy, and its id."""
    _, _, caller = await pharmacist(auth)
    assert caller.organisation_id is not None
    await auth.members.change_right(ADMIN, caller.organisation_id, caller.user_id, MemberRight.ADMINISTRATOR)
    return caller, caller.organisation_id


async def names(auth: Auth, caller: Caller, organisation_id: UUID) -> list[UUID]:
    return [one.user_id for one in (await auth.members.list_members(caller, organisation_id, FIRST_PAGE)).items]


@control("S110")
async def test_administrator_sees_and_ends_members_of_theirs_only(auth: Auth) -> None:
    chief, own = await administrator(auth)
    colleague, signed_in, caller = await pharmacist(auth)
    _, _, stranger = await pharmacist(auth, "Quay 2")
    assert stranger.organisation_id is not None
    assert await names(auth, chief, own) == [colleague.id, chief.user_id]
    for who, where in ((chief, stranger.organisation_id), (caller, own), (stranger, own)):
        with pytest.raises(NotFound):
            await auth.members.list_members(who, where, FIRST_PAGE)
        with pytest.raises(NotFound):
            await auth.members.end(who, where, stranger.user_id)
        with pytest.raises(NotFound):
            await auth.members.change_right(who, where, who.user_id, MemberRight.ADMINISTRATOR)

    assert await auth.members.end(chief, own, colleague.id) == 1

    with pytest.raises(Unauthenticated):
        await auth.check(signed_in, verified=True)
    assert auth.caller((await auth.sign_in(colleague)).tokens).organisation_id is None
    assert await names(auth, chief, own) == [chief.user_id]
    with pytest.raises(NotFound):
        await auth.members.end(chief, own, colleague.id)


async def test_administrator_adds_only_accounts_of_no_organisation(auth: Auth) -> None:
    chief, own = await administrator(auth)
    elsewhere, _, caller = await pharmacist(auth, "Quay 2")
    doctor, patient = await auth.open(Role.DOCTOR), await auth.open()
    waiting = await auth.open(Role.PHARMACIST, verified=False)
    for user in (elsewhere, doctor, patient, waiting):
        with pytest.raises(NotFound):
            await auth.members.add(chief, own, user.email, MemberRight.MEMBER)
    for user in (doctor, patient, waiting):
        with pytest.raises(NotFound):
            await auth.members.add(ADMIN, own, user.email, MemberRight.MEMBER)
    assert caller.organisation_id is not None
    await auth.members.end(ADMIN, caller.organisation_id, elsewhere.id)
    added = await auth.members.add(chief, own, elsewhere.email.upper(), MemberRight.MEMBER)
    again = await auth.members.add(chief, own, elsewhere.email, MemberRight.ADMINISTRATOR)
    assert (added.user_id, again) == (elsewhere.id, added)


async def test_session_acts_for_the_chosen_organisation(auth: Auth) -> None:
    user, signed_in, caller = await pharmacist(auth)
    second = await auth.organisations.create(replace(NEW, address="Quay 2"))
    await auth.members.add(ADMIN, second.id, user.email, MemberRight.MEMBER)
    with pytest.raises(NotFound):
        await auth.organisations.choose(caller, new_id())
    await auth.organisations.choose(caller, second.id)
    refreshed = auth.caller((await auth.sessions.refresh(signed_in.tokens.refresh_token)).tokens)
    assert refreshed.organisation_id == second.id
    assert auth.caller((await auth.sign_in(user)).tokens).organisation_id == second.id
    own = await auth.organisations.list_own(caller)
    assert [one.organisation.id for one in own] == [caller.organisation_id, second.id]


async def test_closed_organisation_ends_its_members_for_good(auth: Auth) -> None:
    chief, own = await administrator(auth)
    colleague, signed_in, _ = await pharmacist(auth)
    _, elsewhere, _ = await pharmacist(auth, "Quay 2")
    closed, ended = await auth.organisations.close(own)
    assert (closed.closed_at is not None, ended) == (True, 2)
    assert await auth.organisations.close(own) == (closed, 0)
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in, verified=True)
    await auth.check(elsewhere, verified=True)
    for change in (
        auth.members.add(ADMIN, own, colleague.email, MemberRight.MEMBER),
        auth.organisations.update(own, OrganisationChange(phone="1")),
    ):
        with pytest.raises(OrganisationClosed):
            await change
    with pytest.raises(NotFound):
        await auth.organisations.get(chief, own)
    assert (await auth.organisations.create(NEW)).id != own


async def test_open_organisations_differ_in_name_or_address(auth: Auth) -> None:
    first = await auth.organisations.create(NEW)
    with pytest.raises(OrganisationExists):
        await auth.organisations.create(replace(NEW, name=" ROSE "))
    second = await auth.organisations.create(replace(NEW, address="Quay 2", phone="+49 40 1234"))
    with pytest.raises(OrganisationExists):
        await auth.organisations.update(second.id, OrganisationChange(address="quay 1"))
    with pytest.raises(ValidationFailed):
        await auth.organisations.update(second.id, OrganisationChange(phone="1", clear=frozenset({"phone"})))
    changed = await auth.organisations.update(second.id, OrganisationChange(name="Lily", clear=frozenset({"phone"})))
    assert changed == replace(second, name="Lily", phone="")
    await auth.organisations.update(first.id, OrganisationChange(address="Quay 2"))
    assert (await auth.organisations.get(ADMIN, second.id)) == changed
    reasons = "SELECT reason FROM audit_records WHERE event = 'organisation_updated' ORDER BY id"
    assert [row[0] for row in await execute(auth.work, reasons)] == ["name, phone", "address"]
