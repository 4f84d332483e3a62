"""Tests forgotten, reset and changed passwords."""

import time
from typing import Any

import pytest
from sqlalchemy import text

from server.auth.entities import SignedIn, User, UserStatus
from server.auth.password_hashing import Passwords
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.passwords import PasswordService
from server.auth.services.sign_in_attempts import SignInAttempts
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    InvalidCredentials,
    NotFound,
    OtpInvalid,
    PasswordBreached,
    PasswordContext,
    PasswordWrong,
    RateLimitExceeded,
    RefreshTokenInvalid,
    Unauthenticated,
)
from server.identity import Role
from tests.fixtures.auth import OFFERED, PASSWORD, SEAL, SECRET, Auth, set_status
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control

NEW = "a fresh start, 2041"


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords)
    await built.revocations.refresh()
    return built


@pytest.fixture
async def user(auth: Auth) -> User:
    return await auth.open()


async def mails(auth: Auth, kind: str) -> list[Any]:
    async with auth.work.read() as tx:
        found = await tx.connection.rows(
            text("SELECT recipient_id, recipient, sealed_code FROM emails WHERE kind = :kind ORDER BY id"),
            {"kind": kind},
        )
        return list(found)


async def forgotten(auth: Auth, user: User) -> str:
    """Returns the code that the owner receives by email."""
    await auth.passwords.forgot(user.email)
    return SEAL.open((await mails(auth, "password_reset"))[-1]["sealed_code"], user.id)


async def is_over(auth: Auth, signed_in: SignedIn) -> bool:
    """Returns whether both tokens of a session are rejected."""
    with pytest.raises(RefreshTokenInvalid):
        await auth.sessions.refresh(signed_in.tokens.refresh_token)
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in)
    return True


async def is_password(auth: Auth, user: User, password: str) -> bool:
    try:
        await auth.sessions.login(user.email, password)
    except InvalidCredentials:
        return False
    return True


async def test_forgotten_password_is_reset_with_the_emailed_code(auth: Auth, user: User) -> None:
    code = await forgotten(auth, user)
    await auth.passwords.reset(user.email.upper(), code, NEW)
    assert await is_password(auth, user, NEW)
    assert not await is_password(auth, user, PASSWORD)
    assert [mail[:2] for mail in await mails(auth, "password_changed")] == [(user.id, user.email)]
    with pytest.raises(OtpInvalid):
        await auth.passwords.reset(user.email, code, PASSWORD)


@control("S16")
async def test_reset_ends_all_sessions_of_this_account_only(auth: Auth, user: User) -> None:
    sessions = [await auth.sign_in(user) for _ in range(3)]
    elsewhere = await auth.sign_in(await auth.open())
    await auth.passwords.reset(user.email, await forgotten(auth, user), NEW)
    for signed_in in sessions:
        assert await is_over(auth, signed_in)
    await auth.check(elsewhere)


async def test_an_invited_owner_sets_the_first_password_so(auth: Auth, user: User) -> None:
    async with auth.work.begin() as tx:
        await tx.connection.execute(text("UPDATE users SET password_hash = NULL"))
    await auth.passwords.reset(user.email, await forgotten(auth, user), NEW)
    assert await is_password(auth, user, NEW)


async def test_forgot_password_unknown_or_deactivated_sends_nothing(auth: Auth, user: User) -> None:
    await set_status(auth.work, user, UserStatus.DEACTIVATED)
    await auth.passwords.forgot(user.email)
    await auth.passwords.forgot("nobody@example.org")
    assert await mails(auth, "password_reset") == []


async def test_reset_without_the_code_is_rejected_alike_for_all(auth: Auth, user: User) -> None:
    closed, asked = await auth.open(), await auth.open()
    code = await forgotten(auth, asked)
    other = f"{(int(code) + 1) % 10**6:06d}"
    await forgotten(auth, closed)
    await set_status(auth.work, closed, UserStatus.DEACTIVATED)
    told = set()
    for email in ("nobody@example.org", user.email, closed.email, asked.email):
        with pytest.raises(OtpInvalid) as refused:
            await auth.passwords.reset(email, other, NEW)
        told.add((refused.value.text, refused.value.violations, str(refused.value.metadata)))
    assert len(told) == 1
    assert await is_password(auth, asked, PASSWORD)


async def test_a_wrong_try_counts_although_the_call_fails(auth: Auth, user: User) -> None:
    code = await forgotten(auth, user)
    for _ in range(5):
        with pytest.raises(OtpInvalid):
            await auth.passwords.reset(user.email, f"{(int(code) + 1) % 10**6:06d}", NEW)
    with pytest.raises(OtpInvalid):
        await auth.passwords.reset(user.email, code, NEW)


async def test_a_bad_new_password_leaves_everything_as_it_is(auth: Auth, user: User) -> None:
    code = await forgotten(auth, user)
    signed_in = await auth.sign_in(user)
    caller = auth.access_tokens.verify(signed_in.tokens.access_token)
    for bad, refusal in [
        ("passwordpassword", PasswordBreached),
        ("medconnect2026!!", PasswordContext),
        (user.email.partition("@")[0] * 2, PasswordContext),
        ("I am other now", PasswordContext),  # The account's name is Ann Other.
    ]:
        with pytest.raises(refusal) as refused:
            await auth.passwords.reset(user.email, code, bad)
        assert [violation.field for violation in refused.value.violations] == ["newPassword"]
        with pytest.raises(refusal):
            await auth.passwords.change(caller, PASSWORD, bad, "")
    assert await is_password(auth, user, PASSWORD)
    assert await mails(auth, "password_changed") == []


async def test_public_requests_take_a_minimum_time_for_any_result(
    work: UnitOfWork, auth: Auth, user: User, passwords: Passwords
) -> None:
    attempts = SignInAttempts(work, SECRET)
    present = CurrentPasswordCheck(work, passwords, attempts)
    check: Any = None  # the account has no second factor
    slow = PasswordService(
        work, passwords, auth.codes, attempts, present, auth.revocations, check, OFFERED, answer_seconds=0.2
    )
    for email in (user.email, "nobody@example.org"):
        begun = time.monotonic()
        await slow.forgot(email)
        assert time.monotonic() - begun >= 0.2
        begun = time.monotonic()
        with pytest.raises(OtpInvalid):
            await slow.reset(email, "abcdef", NEW)
        assert time.monotonic() - begun >= 0.2


@control("S16")
async def test_change_ends_other_sessions_and_notifies_owner(auth: Auth, user: User) -> None:
    here, elsewhere = await auth.sign_in(user), await auth.sign_in(user)
    await auth.passwords.change(auth.access_tokens.verify(here.tokens.access_token), PASSWORD, NEW, "")
    await auth.check(here)
    await auth.sessions.refresh(here.tokens.refresh_token)
    assert await is_over(auth, elsewhere)
    assert await is_password(auth, user, NEW)
    assert not await is_password(auth, user, PASSWORD)
    assert len(await mails(auth, "password_changed")) == 1


async def test_change_needs_current_password_and_failures_delay_it(auth: Auth, user: User) -> None:
    caller = auth.access_tokens.verify((await auth.sign_in(user)).tokens.access_token)
    for _ in range(5):
        with pytest.raises(PasswordWrong) as refused:
            await auth.passwords.change(caller, "wrong horse", NEW, "192.0.2.1")
        assert [violation.field for violation in refused.value.violations] == ["currentPassword"]
    with pytest.raises(RateLimitExceeded):
        await auth.passwords.change(caller, PASSWORD, NEW, "192.0.2.1")
    assert await mails(auth, "password_changed") == []


async def test_replaced_admin_password_works_and_ends_sessions(auth: Auth) -> None:
    admin = await auth.open(Role.ADMIN)
    signed_in = await auth.sessions.login(admin.email, PASSWORD)
    password = await auth.passwords.replace_for_admin(admin.email.upper())
    assert len(password) >= 20
    assert await is_over(auth, signed_in)
    assert await is_password(auth, admin, password)
    assert not await is_password(auth, admin, PASSWORD)
    async with auth.work.read() as tx:
        events = await tx.connection.rows(
            text("SELECT event FROM audit_records WHERE object_id = CAST(:id AS uuid)"), {"id": str(admin.id)}
        )
    assert "password_reset" in {row["event"] for row in events}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_replace_for_admin_refuses_every_other_account(auth: Auth, role: Role) -> None:
    other = await auth.open(role)
    with pytest.raises(NotFound):
        await auth.passwords.replace_for_admin(other.email)
    assert await is_password(auth, other, PASSWORD)


async def test_replace_for_admin_refuses_a_deactivated_admin(auth: Auth) -> None:
    closed = await auth.open(Role.ADMIN)
    await set_status(auth.work, closed, UserStatus.DEACTIVATED)
    for email in (closed.email, "nobody@example.org"):
        with pytest.raises(NotFound):
            await auth.passwords.replace_for_admin(email)
