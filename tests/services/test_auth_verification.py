"""Tests that no admin makes and verifies an account alone where there is another, and that admins are told."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from uuid import UUID

import pytest

from server.auth.entities import User, UserStatus
from server.auth.password_hashing import Passwords
from server.auth.storage.accounts import AccountRepository
from server.db.unit_of_work import UnitOfWork
from server.errors import NotFound, SecondAdminRequired
from server.identity import Caller, Role
from tests.fixtures.auth import SEAL, Auth, an_application, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

WAITING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())"


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


def as_caller(admin: User) -> Caller:
    return Caller(admin.id, Role.ADMIN, UUID(int=1))


async def made_by(auth: Auth, admin: User, role: Role = Role.DOCTOR) -> User:
    return (await auth.accounts.create_user(an_application(role), admin.id)).user


async def verifies(auth: Auth, admin: User, user: User) -> bool:
    try:
        return (await auth.accounts.verify(user.id, admin.id)).status is UserStatus.ACTIVE
    except SecondAdminRequired:
        return False


async def told(auth: Auth) -> set[tuple[str, str, str]]:
    rows = await execute(
        auth.work,
        "SELECT recipient, details->>'role', details->>'status' FROM emails WHERE kind = 'staff_account'",
    )
    return {tuple(row) for row in rows}


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PHARMACIST])
async def test_account_of_the_only_admin_is_active_at_once(auth: Auth, role: Role) -> None:
    admin = await auth.open(Role.ADMIN)
    user = await made_by(auth, admin, role)
    assert user.status is UserStatus.ACTIVE
    assert await verifies(auth, admin, user)


@control("S147")
@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PHARMACIST])
async def test_account_of_one_of_two_admins_waits_for_the_other(auth: Auth, role: Role) -> None:
    creator, other = [await auth.open(Role.ADMIN) for _ in range(2)]
    user = await made_by(auth, creator, role)
    assert user.status is UserStatus.UNVERIFIED
    assert not await verifies(auth, creator, user)
    assert await execute(auth.work, "SELECT count(*) FROM memberships") == [(0,)]
    assert await verifies(auth, other, user)
    assert await verifies(auth, creator, user)


@control("S147")
@pytest.mark.parametrize("seed", range(5))
async def test_creator_verifies_only_while_no_other_admin_is_active(auth: Auth, seed: int) -> None:
    chance = random.Random(seed)
    admins = [await auth.open(Role.ADMIN) for _ in range(3)]
    active, waiting = set(range(3)), dict[User, int]()
    for _ in range(40):
        acting = chance.choice(sorted(active))
        match chance.choice(("create", "verify", "close", "close", "reopen")):
            case "create":
                user = await made_by(auth, admins[acting])
                assert (user.status is UserStatus.UNVERIFIED) == (len(active) > 1)
                if len(active) > 1:
                    waiting[user] = acting
            case "verify" if waiting:
                user = chance.choice(list(waiting))
                assert await verifies(auth, admins[acting], user) == (waiting[user] != acting or len(active) == 1)
                if waiting[user] != acting or len(active) == 1:
                    del waiting[user]
            case "close" if len(active) > 1:
                closed = chance.choice(sorted(active - {acting}))
                await auth.accounts.deactivate(as_caller(admins[acting]), admins[closed].id)
                active.discard(closed)
            case "reopen":
                opened = chance.randrange(3)
                await auth.accounts.reactivate(admins[opened].id)
                active.add(opened)


@control("S147")
@pytest.mark.parametrize("commits", [True, False])
async def test_creator_verifies_after_the_other_admin_was_closed(
    database_url: str, passwords: Passwords, commits: bool
) -> None:
    async with process(database_url, passwords) as auth:
        creator, other = [await auth.open(Role.ADMIN) for _ in range(2)]
        user = await made_by(auth, creator)
        async with AsyncExitStack() as closing:
            if not commits:
                closing.enter_context(suppress(NotFound))
            tx = await closing.enter_async_context(auth.work.begin())
            await tx[AccountRepository].deactivate(other.id)
            verifying = asyncio.create_task(verifies(auth, creator, user))
            while not (await execute(auth.work, WAITING))[0][0]:
                await asyncio.sleep(0.01)
            if not commits:
                raise NotFound("account")
        assert await verifying == commits


async def test_all_active_admins_are_told_of_who_waits(auth: Auth) -> None:
    creator, other, closed = [await auth.open(Role.ADMIN) for _ in range(3)]
    await auth.accounts.deactivate(as_caller(creator), closed.id)
    await execute(auth.work, "DELETE FROM emails")
    await made_by(auth, creator, Role.DOCTOR)
    await auth.open(Role.PHARMACIST, verified=False)
    await auth.open(Role.PATIENT)
    assert await told(auth) == {
        (admin.email, role, "unverified") for admin in (creator, other) for role in ("doctor", "pharmacist")
    }


async def test_other_admins_are_told_of_a_new_admin(auth: Auth) -> None:
    creator = await auth.open(Role.ADMIN)
    await made_by(auth, creator, Role.ADMIN)
    assert await told(auth) == {(creator.email, "admin", "active")}


async def test_admins_are_told_when_the_address_is_confirmed(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords
) -> None:
    auth = Auth.build(work, clock.clock, passwords, confirms_email=True)
    admin = await auth.open(Role.ADMIN)
    opened, tokens = await auth.accounts.register(an_application(Role.DOCTOR))
    assert await told(auth) == set()
    code = await confirmation_code(auth, opened.user)
    await auth.profiles.confirm_email(auth.caller(tokens), code)
    assert await told(auth) == {(admin.email, "doctor", "unverified")}


async def confirmation_code(auth: Auth, user: User) -> str:
    query = "SELECT sealed_code FROM emails WHERE recipient_id = $1 AND sealed_code IS NOT NULL"
    return SEAL.open((await execute(auth.work, query, user.id))[-1]["sealed_code"], user.id)
