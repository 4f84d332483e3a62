"""Tests profile changes: phone and workplace apply at once, a new address after its code."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from server.auth.entities import AccountChange, User, UserFilter, UserStatus
from server.auth.password_hashing import Passwords
from server.auth.storage.accounts import AccountRepository
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    AccountNotVerified,
    EmailTaken,
    OtpInvalid,
    PasswordWrong,
    RateLimitExceeded,
    Unauthenticated,
    ValidationFailed,
)
from server.identity import Caller, Role
from tests.fixtures.auth import PASSWORD, SEAL, Auth, an_application, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

NEW = "new@example.org"
HOME = "192.0.2.1"


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def caller_of(auth: Auth, user: User) -> Caller:
    return auth.caller((await auth.sign_in(user)).tokens)


async def change(auth: Auth, user: User, password: str = PASSWORD, **fields: Any) -> User:
    asked = AccountChange(**fields, current_password=password)
    return await auth.profiles.update(await caller_of(auth, user), asked, HOME)


async def confirm(auth: Auth, user: User, code: str) -> User:
    return await auth.profiles.confirm_email(await caller_of(auth, user), code)


async def mails(auth: Auth) -> list[tuple[str, str]]:
    """Returns kind and address of every email except welcomes, ordered by kind."""
    asked = "SELECT kind, recipient FROM emails WHERE kind <> 'welcome' ORDER BY kind, recipient"
    rows = await execute(auth.work, asked)
    return [tuple(row) for row in rows]


async def code_for(auth: Auth, user: User) -> str:
    """Returns the newest code sent to the pending address of the account."""
    rows = await execute(
        auth.work, "SELECT sealed_code FROM emails WHERE kind = 'email_code' AND recipient_id = $1 ORDER BY id", user.id
    )
    return SEAL.open(rows[-1][0], user.id)


async def test_a_patients_phone_changes_in_account_and_record(auth: Auth) -> None:
    user = await auth.open()
    assert await change(auth, user, phone="+49 30 99") == replace(user, phone="+49 30 99")
    record = "SELECT phone, version FROM patients WHERE user_id = $1"
    assert await execute(auth.work, record, user.id) == [("+49 30 99", 2)]
    await change(auth, user, phone="+49 30 99")
    assert await execute(auth.work, record, user.id) == [("+49 30 99", 2)]
    assert (await change(auth, user, clear=frozenset({"phone"}))).phone == ""
    assert await execute(auth.work, record, user.id) == [("", 3)]
    assert await mails(auth) == []


async def test_staff_change_where_they_work(auth: Auth) -> None:
    doctor, pharmacist = await auth.open(Role.DOCTOR), await auth.open(Role.PHARMACIST)
    assert (await change(auth, doctor, hospital_name="City")).hospital_name == "City"
    moved = await change(auth, pharmacist, pharmacy_name="Lily", pharmacy_address="Quay 2")
    waits = UserStatus.UNVERIFIED
    assert moved == replace(pharmacist, pharmacy_name="Lily", pharmacy_address="Quay 2", status=waits)
    assert await auth.accounts.get(pharmacist.id) == moved


@control("S127")
async def test_changed_workplace_ends_memberships_and_sessions(auth: Auth) -> None:
    pharmacist = await auth.open(Role.PHARMACIST)
    signed_in = await auth.sign_in(pharmacist)
    await auth.check(signed_in, verified=True)
    await change(auth, pharmacist, phone="+49 30 99", pharmacy_name=" ROSE ")
    await auth.check(signed_in, verified=True)
    await change(auth, pharmacist, pharmacy_address="Quay 2")
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in)
    again = await auth.sign_in(pharmacist)
    assert auth.caller(again.tokens).organisation_id is None
    with pytest.raises(AccountNotVerified):
        await auth.check(again, verified=True)
    recorded = "SELECT reason FROM audit_records WHERE event = 'account_updated' ORDER BY id"
    assert [row[0] for row in await execute(auth.work, recorded)] == ["phone, pharmacy_name", "pharmacy_address"]
    await auth.accounts.verify(pharmacist.id)
    await auth.check(again, verified=True)
    assert auth.caller((await auth.sign_in(pharmacist)).tokens).organisation_id is not None


async def test_a_refused_change_leaves_nothing(auth: Auth) -> None:
    user = await auth.open()
    with pytest.raises(ValidationFailed):
        await change(auth, user, phone="+49 30 99", hospital_name="City")
    with pytest.raises(ValidationFailed):
        await change(auth, user, phone="+49 30 99", hospital_name="City", email=NEW)
    assert await auth.accounts.get(user.id) == user
    assert await mails(auth) == []


async def test_new_address_applies_after_code_and_old_one_is_notified(auth: Auth) -> None:
    user = await auth.open()
    waiting = await change(auth, user, email="New@Example.org", phone="+49 30 99")
    assert waiting == replace(user, new_email=NEW, phone="+49 30 99")
    assert await mails(auth) == [("email_change", user.email), ("email_code", NEW)]
    code = await code_for(auth, user)
    with pytest.raises(OtpInvalid):
        await confirm(auth, user, f"{(int(code) + 1) % 10**6:06d}")
    confirmed = await confirm(auth, user, code)
    assert confirmed.email_confirmed_at is not None
    assert confirmed == replace(waiting, email=NEW, new_email="", email_confirmed_at=confirmed.email_confirmed_at)
    assert await mails(auth) == [("email_change", user.email), ("email_code", NEW), ("email_replaced", user.email)]
    assert (await auth.sessions.login(NEW, PASSWORD)).user == confirmed
    with pytest.raises(OtpInvalid):
        await confirm(auth, confirmed, code)


@control("S15")
async def test_code_sent_to_old_address_is_rejected_after_change(auth: Auth) -> None:
    user = await auth.open()
    await auth.passwords.forgot(user.email)
    ((sealed,),) = await execute(auth.work, "SELECT sealed_code FROM emails WHERE kind = 'password_reset'")
    await change(auth, user, email=NEW)
    await confirm(auth, user, await code_for(auth, user))
    with pytest.raises(OtpInvalid):
        await auth.passwords.reset(NEW, SEAL.open(sealed, user.id), "a fresh start, 2041")
    await auth.sessions.login(NEW, PASSWORD)


async def test_another_address_takes_the_place_of_the_one_before(auth: Auth) -> None:
    user = await auth.open()
    await change(auth, user, email="first@example.org")
    old = await code_for(auth, user)
    await change(auth, user, email=NEW)
    new = await code_for(auth, user)
    if old != new:
        with pytest.raises(OtpInvalid):
            await confirm(auth, user, old)
    assert (await confirm(auth, user, new)).email == NEW


async def test_asking_for_the_present_address_ends_the_waiting(auth: Auth) -> None:
    user = await auth.open()
    await change(auth, user, email=NEW)
    code = await code_for(auth, user)
    assert await change(auth, user, email=user.email.upper()) == user
    with pytest.raises(OtpInvalid):
        await confirm(auth, user, code)
    assert len(await mails(auth)) == 2


@pytest.mark.parametrize("password", ["", "wrong horse battery"])
async def test_an_address_is_not_changed_without_the_present_password(auth: Auth, password: str) -> None:
    user = await auth.open()
    with pytest.raises(ValidationFailed if not password else PasswordWrong) as refused:
        await change(auth, user, password, email=NEW, phone="+49 30 99")
    assert [violation.field for violation in refused.value.violations] == ["currentPassword"]
    assert await auth.accounts.get(user.id) == user
    assert await mails(auth) == []


async def test_five_wrong_passwords_delay_the_next_change(auth: Auth) -> None:
    caller = await caller_of(auth, await auth.open())
    asked = AccountChange(email=NEW, current_password="wrong horse battery")
    for _ in range(5):
        with pytest.raises(PasswordWrong):
            await auth.profiles.update(caller, asked, HOME)
    with pytest.raises(RateLimitExceeded):
        await auth.profiles.update(caller, replace(asked, current_password=PASSWORD), HOME)


async def test_change_to_taken_address_notifies_only_its_owner(auth: Auth) -> None:
    user, owner = await auth.open(), await auth.open()
    free = await change(auth, user, email=NEW)
    taken = await change(auth, user, email=owner.email)
    assert taken == replace(free, new_email=owner.email)
    assert await mails(auth) == [
        ("address_taken", owner.email),
        *[("email_change", user.email)] * 2,
        ("email_code", NEW),
    ]
    with pytest.raises(OtpInvalid):
        await confirm(auth, user, await code_for(auth, user))


async def test_first_to_confirm_owns_the_address(auth: Auth) -> None:
    one, other = await auth.open(), await auth.open()
    for user in (one, other):
        await change(auth, user, email=NEW)
    assert (await confirm(auth, one, await code_for(auth, one))).email == NEW
    with pytest.raises(EmailTaken):
        await confirm(auth, other, await code_for(auth, other))
    assert (await auth.accounts.get(other.id)).email == other.email


async def test_of_confirmations_at_once_one_succeeds(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        users = [await auth.open() for _ in range(4)]
        for user in users:
            await change(auth, user, email=NEW)
        codes = [await code_for(auth, user) for user in users]
        callers = [await caller_of(auth, user) for user in users]
        calls = (auth.profiles.confirm_email(caller, code) for caller, code in zip(callers, codes, strict=True))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["EmailTaken"] * 3 + ["User"]


async def test_eleventh_code_request_of_a_day_changes_nothing(auth: Auth) -> None:
    user = await auth.open()
    for number in range(10):
        await change(auth, user, email=f"{number}@example.org")
    with pytest.raises(RateLimitExceeded):
        await change(auth, user, email=NEW, phone="+49 30 99")
    assert await auth.accounts.get(user.id) == replace(user, new_email="9@example.org")


async def test_search_by_pending_address_finds_the_account(auth: Auth) -> None:
    user = (await auth.accounts.create_user(an_application(full_name="Wanda Waiting"))).user
    await change(auth, user, email=NEW)
    async with auth.work.read() as tx:
        found, _ = await tx[AccountRepository].newest(UserFilter(None, None, NEW), None, 5)
    assert [account.id for account in found] == [user.id]


async def test_password_changed_after_its_check_is_rejected(auth: Auth) -> None:
    user = await auth.open()
    present = auth.profiles._current_password
    known = await present.check(await caller_of(auth, user), PASSWORD, HOME)
    await execute(auth.work, "UPDATE users SET password_hash = 'another'")
    with pytest.raises(PasswordWrong):
        async with auth.work.begin() as tx:
            await present.locked(tx, known)


async def test_the_right_password_forgives_the_wrong_ones(auth: Auth) -> None:
    caller = await caller_of(auth, await auth.open())
    asked = AccountChange(email=NEW, current_password=PASSWORD)
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(PasswordWrong):
                await auth.profiles.update(caller, replace(asked, current_password="wrong horse battery"), HOME)
        await auth.profiles.update(caller, asked, HOME)
