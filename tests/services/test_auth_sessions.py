"""Tests sign-in, session refresh and sign-out."""

import asyncio
from datetime import timedelta

import bcrypt
import pytest
from argon2 import PasswordHasher

from server.auth.entities import User, UserStatus
from server.auth.password_hashing import Passwords
from server.auth.rules.lifetimes import MAX_SESSIONS
from server.auth.tokens.refresh_tokens import stored_hash
from server.db.unit_of_work import UnitOfWork
from server.errors import AccountNotVerified, InvalidCredentials, Unauthenticated
from server.identity import Role
from tests.fixtures.auth import PASSWORD, Auth, process, set_status
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import age, execute, is_refused

IN_FORCE = "$argon2id$v=19$m=19456,t=2,p=1$"
BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
WEAKER = PasswordHasher(time_cost=3, memory_cost=12288, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords)
    await built.revocations.refresh()
    return built


async def set_hash(work: UnitOfWork, user: User, stored: str | None) -> None:
    await execute(work, "UPDATE users SET password_hash = $1 WHERE id = $2", stored, user.id)


async def hash_of(work: UnitOfWork, user: User) -> str:
    return str((await execute(work, "SELECT password_hash FROM users WHERE id = $1", user.id))[0][0])


async def test_the_right_password_opens_a_session(auth: Auth) -> None:
    user = await auth.open(Role.DOCTOR)
    signed_in = await auth.sign_in(user)
    caller = auth.access_tokens.verify(signed_in.tokens.access_token)
    assert signed_in.user == user
    assert (caller.user_id, caller.role) == (user.id, Role.DOCTOR)
    await auth.check(signed_in, verified=True)


async def test_an_address_is_compared_without_regard_to_case(auth: Auth) -> None:
    user = await auth.open(email="Ann.Other@Example.org")
    assert user.email == "ann.other@example.org"
    assert (await auth.sessions.login("ANN.other@example.ORG", PASSWORD)).user == user


async def test_unknown_wrong_closed_and_unset_answer_alike(auth: Auth) -> None:
    closed, unset, known = [await auth.open() for _ in range(3)]
    await set_status(auth.work, closed, UserStatus.DEACTIVATED)
    await set_hash(auth.work, unset, None)
    answers = set()
    for email, password in [
        ("nobody@example.org", PASSWORD),
        (known.email, "wrong horse battery"),
        (known.email, PASSWORD + " "),
        (closed.email, PASSWORD),
        (unset.email, PASSWORD),
    ]:
        with pytest.raises(InvalidCredentials) as refused:
            await auth.sessions.login(email, password)
        answers.add((refused.value.text, refused.value.violations, str(refused.value.metadata)))
    assert len(answers) == 1
    assert await execute(auth.work, "SELECT count(*) FROM sessions") == [(0,)]


async def test_an_unverified_doctor_signs_in_and_may_not_act(auth: Auth) -> None:
    signed_in = await auth.sign_in(await auth.open(Role.DOCTOR, verified=False))
    await auth.check(signed_in)
    with pytest.raises(AccountNotVerified):
        await auth.check(signed_in, verified=True)


@control("S3")
@pytest.mark.parametrize("former", [BCRYPT, WEAKER], ids=["bcrypt", "argon2id of 12 MiB"])
async def test_hash_of_another_kind_is_replaced_at_next_sign_in(auth: Auth, former: str) -> None:
    user = await auth.open()
    await set_hash(auth.work, user, former)
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login(user.email, "wrong horse battery")
    assert await hash_of(auth.work, user) == former
    await auth.sign_in(user)
    replaced = await hash_of(auth.work, user)
    assert replaced.startswith(IN_FORCE)
    await auth.sign_in(user)
    assert await hash_of(auth.work, user) == replaced


async def test_unnormalized_password_signs_in_and_is_rehashed(auth: Auth) -> None:
    composed, decomposed = "Sch\u00f6ne Gr\u00fc\u00dfe", "Scho\u0308ne Gru\u0308\u00dfe"
    user = await auth.open()
    await set_hash(auth.work, user, PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(decomposed))
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login(user.email, composed)
    for sent in (decomposed, composed, decomposed):
        assert (await auth.sessions.login(user.email, sent)).user == user


async def test_sign_ins_at_once_survive_the_replacement_of_a_hash(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        user = await auth.open()
        await set_hash(auth.work, user, BCRYPT)
        signed_in = await asyncio.gather(*(auth.sign_in(user) for _ in range(4)))
        assert {s.user.id for s in signed_in} == {user.id}
        assert (await hash_of(auth.work, user)).startswith(IN_FORCE)


@control("S26")
async def test_one_session_too_many_ends_the_oldest(auth: Auth) -> None:
    user, other = await auth.open(), await auth.open()
    elsewhere = await auth.sign_in(other)
    opened = []
    for _ in range(MAX_SESSIONS + 1):
        opened.append(await auth.sign_in(user))
        await age(auth.work, minutes=1)
    with pytest.raises(Unauthenticated):
        await auth.check(opened[0])
    assert await is_refused(auth, opened[0].tokens.refresh_token)
    for signed_in in [*opened[1:], elsewhere]:
        await auth.check(signed_in)
        assert not await is_refused(auth, signed_in.tokens.refresh_token)


@control("S26")
async def test_sign_ins_at_once_leave_no_more_than_five_sessions(
    database_url: str, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.auth.password_hashing.LONGEST_WAIT_SECONDS", 30)  # under any load
    async with process(database_url, passwords) as auth:
        user = await auth.open()
        await asyncio.gather(*(auth.sign_in(user) for _ in range(MAX_SESSIONS + 3)))
        open_ones = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"
        assert await execute(auth.work, open_ones) == [(MAX_SESSIONS,)]


async def test_a_session_that_died_of_idleness_takes_nobodys_place(auth: Auth) -> None:
    doctor = await auth.open(Role.DOCTOR)
    first = await auth.sign_in(doctor)
    for _ in range(MAX_SESSIONS):
        await auth.sign_in(doctor)
        await execute(
            auth.work,
            "UPDATE refresh_tokens SET expires_at = now() - interval '1 s' WHERE token_hash <> $1",
            stored_hash(first.tokens.refresh_token),
        )
    assert not await is_refused(auth, first.tokens.refresh_token)


@control("S26")
@pytest.mark.parametrize(
    ("role", "alive", "dead"),
    [
        (Role.PATIENT, timedelta(hours=23, minutes=59), timedelta(hours=24, seconds=1)),
        (Role.DOCTOR, timedelta(minutes=29), timedelta(minutes=30, seconds=1)),
        (Role.PHARMACIST, timedelta(minutes=29), timedelta(minutes=30, seconds=1)),
        (Role.ADMIN, timedelta(minutes=29), timedelta(minutes=30, seconds=1)),
    ],
)
async def test_an_unused_session_dies(auth: Auth, role: Role, alive: timedelta, dead: timedelta) -> None:
    token = (await auth.sign_in(await auth.open(role))).tokens.refresh_token
    await age(auth.work, seconds=alive.total_seconds())
    token = (await auth.sessions.refresh(token)).tokens.refresh_token
    await age(auth.work, seconds=dead.total_seconds())
    assert await is_refused(auth, token)


@control("S26")
async def test_how_long_staff_may_be_idle_is_a_setting(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords
) -> None:
    auth = Auth.build(work, clock.clock, passwords, staff_idle=timedelta(minutes=5))
    for role, refused in ((Role.DOCTOR, True), (Role.ADMIN, True), (Role.PATIENT, False)):
        token = (await auth.sign_in(await auth.open(role))).tokens.refresh_token
        await age(work, minutes=5)
        assert await is_refused(auth, token) is refused


@control("S26")
async def test_an_access_token_ends_with_its_session(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open())).tokens.refresh_token
    await execute(auth.work, "UPDATE sessions SET expires_at = now() + interval '2 min'")
    ends = await execute(auth.work, "SELECT date_trunc('second', expires_at) FROM sessions")
    assert (await auth.sessions.refresh(token)).tokens.expires_at == ends[0][0]


@control("S26")
@pytest.mark.parametrize(
    ("role", "step", "refreshes"),
    [(Role.PATIENT, timedelta(hours=23), 31), (Role.DOCTOR, timedelta(minutes=29), 24)],
)
async def test_a_session_ends_however_busy_it_is(auth: Auth, role: Role, step: timedelta, refreshes: int) -> None:
    token = (await auth.sign_in(await auth.open(role))).tokens.refresh_token
    for _ in range(refreshes):
        await age(auth.work, seconds=step.total_seconds())
        token = (await auth.sessions.refresh(token)).tokens.refresh_token
    await age(auth.work, seconds=step.total_seconds())
    assert await is_refused(auth, token)


async def test_a_closed_account_cannot_refresh(auth: Auth) -> None:
    user = await auth.open()
    signed_in = await auth.sign_in(user)
    await set_status(auth.work, user, UserStatus.DEACTIVATED)
    assert await is_refused(auth, signed_in.tokens.refresh_token)


async def test_after_a_logout_none_of_the_sessions_tokens_is_accepted(auth: Auth) -> None:
    user = await auth.open()
    signed_in, elsewhere = await auth.sign_in(user), await auth.sign_in(user)
    renewed = await auth.sessions.refresh(signed_in.tokens.refresh_token)
    await auth.check(signed_in)
    await auth.sessions.logout(auth.access_tokens.verify(signed_in.tokens.access_token))
    for ended in (signed_in, renewed):
        with pytest.raises(Unauthenticated):
            await auth.check(ended)
        assert await is_refused(auth, ended.tokens.refresh_token)
    await auth.check(elsewhere)
