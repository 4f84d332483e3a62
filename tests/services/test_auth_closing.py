"""Tests deactivating and reactivating accounts."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from server.auth.entities import User, UserStatus
from server.auth.password_hashing import Passwords
from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    AccountNotVerified,
    InvalidCredentials,
    LastAdmin,
    NotFound,
    OwnAccount,
    RefreshTokenInvalid,
    Unauthenticated,
)
from server.identity import Caller, Role
from server.runtime.work import unit_of_work
from tests.fixtures.auth import Auth
from tests.fixtures.clock import SettableClock


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords)
    await built.revocations.refresh()
    return built


def as_admin(user_id: UUID | None = None) -> Caller:
    return Caller(user_id or new_id(), Role.ADMIN, new_id())


async def status(auth: Auth, user: User) -> UserStatus:
    return (await auth.accounts.get(user.id)).status


async def test_a_closed_account_is_out_at_once_and_stays_out(auth: Auth) -> None:
    user, other = await auth.open(), await auth.open()
    signed_in, elsewhere = await auth.sign_in(user), await auth.sign_in(other)
    await auth.check(signed_in)
    closed = await auth.accounts.deactivate(as_admin(), user.id)
    assert (closed.id, closed.status) == (user.id, UserStatus.DEACTIVATED)
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in)
    with pytest.raises(RefreshTokenInvalid):
        await auth.sessions.refresh(signed_in.tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        await auth.sign_in(user)
    await auth.check(elsewhere)


async def test_reactivated_account_signs_in_and_old_sessions_stay_dead(auth: Auth) -> None:
    user = await auth.open()
    signed_in = await auth.sign_in(user)
    await auth.accounts.deactivate(as_admin(), user.id)
    await auth.revocations.refresh()
    assert (await auth.accounts.reactivate(user.id)).status is UserStatus.ACTIVE
    await auth.check(await auth.sign_in(user))
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in)


@pytest.mark.parametrize("verified", [True, False])
async def test_deactivate_and_reactivate_keep_licence_verification(auth: Auth, verified: bool) -> None:
    doctor = await auth.open(Role.DOCTOR, verified=verified)
    for _ in range(2):
        await auth.accounts.deactivate(as_admin(), doctor.id)
    assert (await auth.accounts.reactivate(doctor.id)).status is doctor.status
    signed_in = await auth.sign_in(doctor)
    if verified:
        await auth.check(signed_in, verified=True)
        return
    with pytest.raises(AccountNotVerified):
        await auth.check(signed_in, verified=True)


async def test_an_account_that_is_open_is_not_changed_by_opening(auth: Auth) -> None:
    waiting = await auth.open(Role.PHARMACIST, verified=False)
    assert await auth.accounts.reactivate(waiting.id) == waiting


async def test_deactivate_own_account_is_rejected(auth: Auth) -> None:
    admins = [await auth.open(Role.ADMIN) for _ in range(2)]
    with pytest.raises(OwnAccount):
        await auth.accounts.deactivate(as_admin(admins[0].id), admins[0].id)
    assert await status(auth, admins[0]) is UserStatus.ACTIVE


async def test_deactivate_last_active_admin_is_rejected(auth: Auth) -> None:
    first, second = [await auth.open(Role.ADMIN) for _ in range(2)]
    await auth.accounts.deactivate(as_admin(second.id), first.id)
    with pytest.raises(LastAdmin):
        await auth.accounts.deactivate(as_admin(first.id), second.id)
    assert await status(auth, second) is UserStatus.ACTIVE
    await auth.accounts.deactivate(as_admin(second.id), first.id)  # The second call changes nothing.


async def test_concurrent_deactivation_of_admins_keeps_one(database_url: str, passwords: Passwords) -> None:
    pool = create_pool(database_url, pool_size=4)
    auth = Auth.build(unit_of_work(pool), SettableClock().clock, passwords)
    for _ in range(5):
        one, other = [await auth.open(Role.ADMIN) for _ in range(2)]
        answers = await asyncio.gather(
            auth.accounts.deactivate(as_admin(one.id), other.id),
            auth.accounts.deactivate(as_admin(other.id), one.id),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [LastAdmin]
        async with auth.work.begin() as tx:
            await tx.connection.execute(text("UPDATE users SET status = 'deactivated'"))
    await pool.close()


async def test_an_account_that_does_not_exist_is_not_found(auth: Auth) -> None:
    for call in (auth.accounts.get, auth.accounts.reactivate, lambda id_: auth.accounts.deactivate(as_admin(), id_)):
        with pytest.raises(NotFound):
            await call(new_id())
