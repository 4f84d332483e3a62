"""Tests how accounts join organisations by their free text, and for which one a session acts."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from server.auth.entities import Application, User
from server.auth.password_hashing import Passwords
from server.db.unit_of_work import UnitOfWork
from server.identity import Role
from tests.fixtures.auth import Auth, an_application, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

MEMBERS = """
    SELECT m.user_id, o.kind, o.name, m.member_right
    FROM memberships m JOIN organisations o ON o.id = m.organisation_id WHERE m.ended_at IS NULL ORDER BY m.id
"""


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


def pharmacist(name: str = "Rose", address: str = "Quay 1") -> Application:
    return replace(an_application(Role.PHARMACIST), pharmacy_name=name, pharmacy_address=address)


async def members(auth: Auth) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await execute(auth.work, MEMBERS)]


async def created(auth: Auth, application: Application) -> User:
    return (await auth.accounts.create_user(application)).user


async def acts_for(auth: Auth, user: User) -> UUID | None:
    return auth.caller((await auth.sign_in(user)).tokens).organisation_id


async def test_accounts_with_equal_texts_are_colleagues(auth: Auth) -> None:
    first, second = await created(auth, pharmacist()), await created(auth, pharmacist(" ROSE", "quay  1"))
    elsewhere = await created(auth, pharmacist(address="Quay 2"))
    doctor = await created(auth, replace(an_application(Role.DOCTOR), hospital_name="Rose"))
    await auth.open(Role.DOCTOR)
    assert await members(auth) == [
        (first.id, "pharmacy", "Rose", "member"),
        (second.id, "pharmacy", "Rose", "member"),
        (elsewhere.id, "pharmacy", "Rose", "member"),
        (doctor.id, "hospital", "Rose", "member"),
    ]
    assert await acts_for(auth, first) == await acts_for(auth, second) != await acts_for(auth, elsewhere)


@control("S110")
async def test_registering_with_a_pharmacys_name_joins_nothing(auth: Auth) -> None:
    """A stranger who types the name of a pharmacy must not become a member of it, nor make one."""
    owner = await created(auth, pharmacist())
    opened, tokens = await auth.accounts.register(pharmacist())
    await auth.accounts.register(pharmacist("Other"))
    assert [row[0] for row in await members(auth)] == [owner.id]
    assert await execute(auth.work, "SELECT name FROM organisations") == [("Rose",)]
    assert auth.caller(tokens).organisation_id is None
    assert await acts_for(auth, opened.user) is None


async def test_verified_account_acts_for_pharmacy_from_next_token(auth: Auth) -> None:
    colleague = await acts_for(auth, await created(auth, pharmacist()))
    opened, tokens = await auth.accounts.register(pharmacist())
    await auth.accounts.verify(opened.user.id)
    await auth.accounts.verify(opened.user.id)
    assert await auth.revocations.organisation_of(auth.caller(tokens)) == colleague
    refreshed = await auth.sessions.refresh(tokens.refresh_token)
    assert auth.caller(refreshed.tokens).organisation_id == colleague
    assert len(await members(auth)) == 2


async def test_session_acts_for_the_organisation_of_the_one_before(auth: Auth) -> None:
    user = await created(auth, pharmacist())
    second = await acts_for(auth, await created(auth, pharmacist(address="Quay 2")))
    first = await acts_for(auth, user)
    await execute(
        auth.work,
        "INSERT INTO memberships (id, user_id, organisation_id, member_right) VALUES"
        " (gen_random_uuid(), $1, $2, 'member')",
        *(user.id, second),
    )
    assert await acts_for(auth, user) == first
    await execute(auth.work, "UPDATE sessions SET organisation_id = $1, created_at = now() + interval '1 s'", second)
    assert await acts_for(auth, user) == second
    ended = "UPDATE memberships SET ended_at = now() WHERE user_id = $1 AND organisation_id = $2"
    await execute(auth.work, ended, user.id, second)
    assert await acts_for(auth, user) == first


async def test_accounts_made_at_once_make_one_organisation(shared_database_url: str, passwords: Passwords) -> None:
    async with process(shared_database_url, passwords) as auth:
        users = await asyncio.gather(*(created(auth, pharmacist()) for _ in range(8)))
        assert {row[0] for row in await members(auth)} == {user.id for user in users}
        assert await execute(auth.work, "SELECT count(*) FROM organisations") == [(1,)]
