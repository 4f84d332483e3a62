"""Tests which sign-ins the owner of an account is told of by email."""

import json
from datetime import timedelta

import pytest

from server.auth.entities import User
from server.auth.password_hashing import Passwords
from server.db.unit_of_work import UnitOfWork
from server.identity import Role
from tests.fixtures.auth import FAMILIAR_FOR, Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.factors import challenge_of, with_app
from tests.fixtures.proofs import control
from tests.fixtures.sessions import call_from, execute, made_by

HOME, NEIGHBOUR, AWAY = "203.0.113.7", "203.0.113.200", "198.51.100.23"


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def sign_in(auth: Auth, user: User, address: str, program: str = "curl/8.5.0") -> None:
    with made_by(call_from(address, program)):
        await auth.sign_in(user)


async def told(auth: Auth, user: User) -> list[tuple[str, str]]:
    """Returns device and address of each email about a sign-in, oldest first."""
    statement = "SELECT details FROM emails WHERE kind = 'new_sign_in' AND recipient_id = $1 ORDER BY id"
    details = [json.loads(row["details"]) for row in await execute(auth.work, statement, user.id)]
    return [(one["device"], one["address"]) for one in details]


async def wait(auth: Auth, duration: timedelta) -> None:
    """Lets this much time pass for all origins."""
    await execute(auth.work, "UPDATE sign_in_origins SET used_at = used_at - CAST($1 AS interval)", duration)


@control("S102")
@pytest.mark.parametrize("role", [Role.PATIENT, Role.DOCTOR])
async def test_owner_is_told_of_other_device_or_network_once(auth: Auth, role: Role) -> None:
    user = await auth.open(role)
    for address in (HOME, HOME, NEIGHBOUR):
        await sign_in(auth, user, address)
    assert await told(auth, user) == []
    for _ in range(2):
        await sign_in(auth, user, AWAY)
        await sign_in(auth, user, HOME, "wget/1.21")
    assert await told(auth, user) == [("curl", AWAY), ("wget", HOME)]


async def test_registration_counts_as_first_sign_in(auth: Auth) -> None:
    with made_by(call_from(HOME, "curl/8.5.0")):
        user = await auth.open(verified=False)
    await sign_in(auth, user, HOME)
    assert await told(auth, user) == []
    await sign_in(auth, user, AWAY)
    assert await told(auth, user) == [("curl", AWAY)]


@control("S102")
@pytest.mark.parametrize(("unused", "emails"), [(FAMILIAR_FOR - timedelta(hours=1), 0), (FAMILIAR_FOR * 9, 1)])
async def test_origin_is_familiar_for_a_time(auth: Auth, unused: timedelta, emails: int) -> None:
    user = await auth.open()
    await sign_in(auth, user, HOME)
    await wait(auth, unused)
    await sign_in(auth, user, HOME)
    assert len(await told(auth, user)) == emails
    await sign_in(auth, user, HOME)
    assert len(await told(auth, user)) == emails


async def test_sign_in_of_another_account_is_no_use_of_origin(auth: Auth) -> None:
    user, other = await auth.open(), await auth.open()
    await sign_in(auth, user, HOME)
    await sign_in(auth, other, AWAY)
    await sign_in(auth, user, AWAY)
    assert (await told(auth, user), await told(auth, other)) == ([("curl", AWAY)], [])


@control("S102")
async def test_only_complete_sign_in_tells_and_is_remembered(auth: Auth, clock: SettableClock) -> None:
    user = await auth.open(Role.DOCTOR)
    app = await with_app(auth, user, clock)
    with made_by(call_from(AWAY)):
        challenge = await challenge_of(auth, user)
        assert await told(auth, user) == []
        await auth.second_step.complete(challenge, app.next_code())
        assert await told(auth, user) == [("Firefox on Windows", AWAY)]


async def test_unconfirmed_address_is_told_nothing(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords
) -> None:
    auth = Auth.build(work, clock.clock, passwords, confirms_email=True)
    user = await auth.open(verified=False)
    assert not user.email_confirmed
    async with work.begin() as tx:
        with made_by(call_from(AWAY)):
            await auth.sessions.open(tx, user)
    assert await told(auth, user) == []
