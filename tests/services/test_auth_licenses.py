"""Tests that a licence belongs to one active account."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from server.auth.entities import User, UserStatus
from server.auth.password_hashing import Passwords
from server.db.unit_of_work import UnitOfWork
from server.errors import LicenseTaken
from server.identity import Caller, Role
from tests.fixtures.auth import Auth, an_application, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute


@dataclass(frozen=True)
class License:
    number: str
    issuer: str = ""


LICENSE = License("MD 12/34-b", "Medical Board of Saxony")
SAME = (
    LICENSE,
    License("md12/34b", "medical board of saxony"),
    License("MD\u00a012 34\u2013B", "Medical Board  of\tSaxony"),
    License("\uff2d\uff24 12.34 b", "Medical-Board of Saxony."),
)
OTHER = (
    License("MD 12/34", "Medical Board of Saxony"),
    License("MD 12/34-b", "Medical Board of Hesse"),
    License("MD 12/34-b"),
)


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def waiting(auth: Auth, given: License = LICENSE, role: Role = Role.DOCTOR) -> User:
    application = replace(an_application(role), license_number=given.number, license_issuer=given.issuer)
    return (await auth.accounts.register(application))[0].user


async def holder_of(auth: Auth, user: User, issuer: str = "") -> str | None:
    """Verifies an account; returns the id of the account that has its licence, or None if it is active now."""
    try:
        verified = await auth.accounts.verify(user.id, license_issuer=issuer)
    except LicenseTaken as error:
        return str(error.metadata["account_id"])
    assert verified.status is UserStatus.ACTIVE
    return None


async def holder_and_admin(auth: Auth) -> tuple[User, Caller]:
    admin = await auth.open(Role.ADMIN)
    holder = await waiting(auth)
    assert await holder_of(auth, holder) is None
    return holder, Caller(admin.id, Role.ADMIN, admin.id)


@control("S148")
@pytest.mark.parametrize("given", SAME)
@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PHARMACIST])
async def test_verify_taken_license_names_its_holder(auth: Auth, given: License, role: Role) -> None:
    holder, _ = await holder_and_admin(auth)
    second = await waiting(auth, given, role)
    assert await holder_of(auth, second) == str(holder.id)
    assert (await auth.accounts.get(second.id)).status is UserStatus.UNVERIFIED
    assert await holder_of(auth, holder) is None


@pytest.mark.parametrize("given", OTHER)
async def test_verify_another_license_activates(auth: Auth, given: License) -> None:
    await holder_and_admin(auth)
    assert await holder_of(auth, await waiting(auth, given)) is None


async def test_accounts_without_issuer_may_share_a_number(auth: Auth) -> None:
    for _ in range(2):
        assert await holder_of(auth, await waiting(auth, License("MD 12"))) is None


@control("S148")
async def test_verifier_names_the_issuer_of_the_register(auth: Auth) -> None:
    holder, _ = await holder_and_admin(auth)
    second = await waiting(auth, License(LICENSE.number))
    assert await holder_of(auth, second, LICENSE.issuer) == str(holder.id)
    assert await holder_of(auth, second, "Board of Hesse") is None
    assert (await auth.accounts.get(second.id)).license_issuer == "Board of Hesse"
    assert await holder_of(auth, await waiting(auth, License(LICENSE.number, "Board of Hesse"))) == str(second.id)
    records = await execute(
        auth.work,
        "SELECT reason FROM audit_records WHERE event = 'account_verified' AND object_id = $1",
        second.id,
    )
    assert [record["reason"] for record in records] == ["Board of Hesse"]


@control("S148")
async def test_create_active_account_with_taken_license_fails(auth: Auth) -> None:
    holder, admin = await holder_and_admin(auth)
    application = replace(an_application(Role.DOCTOR), license_number=SAME[1].number, license_issuer=SAME[1].issuer)
    with pytest.raises(LicenseTaken) as refused:
        await auth.accounts.create_user(application, admin.user_id)
    assert refused.value.metadata == {"account_id": str(holder.id)}
    assert await execute(auth.work, "SELECT FROM users WHERE email = $1", application.email) == []


@control("S148")
async def test_closed_holder_frees_license_and_stays_closed(auth: Auth) -> None:
    holder, admin = await holder_and_admin(auth)
    second = await waiting(auth)
    await auth.accounts.deactivate(admin, holder.id)
    assert await holder_of(auth, second) is None
    with pytest.raises(LicenseTaken) as refused:
        await auth.accounts.reactivate(holder.id)
    assert refused.value.metadata == {"account_id": str(second.id)}
    await auth.accounts.deactivate(admin, second.id)
    assert (await auth.accounts.reactivate(holder.id)).status is UserStatus.ACTIVE


@control("S148")
async def test_parallel_verifications_of_one_license_have_one_winner(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        users = [await waiting(auth, given) for given in SAME]
        results = await asyncio.gather(*(holder_of(auth, user) for user in users))
        [winner] = [user for user, refused in zip(users, results, strict=True) if refused is None]
        assert [refused for refused in results if refused] == [str(winner.id)] * (len(users) - 1)
