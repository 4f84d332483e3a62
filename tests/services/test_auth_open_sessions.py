"""Tests the list of open sessions, ending them, and refreshes without a person."""

from datetime import timedelta
from uuid import UUID

import pytest

from server.auth.entities import EndReason, OpenSession, SignedIn, User
from server.auth.password_hashing import Passwords
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import NotFound, PageTokenInvalid, Unauthenticated
from server.identity import Caller, Role
from server.pagination import PageRequest
from tests.fixtures.auth import Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import age, call_from, execute, is_refused, made_by

WHOLE = PageRequest(20, "")


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords)
    await built.revocations.refresh()
    return built


async def sessions_of(auth: Auth, caller: Caller) -> tuple[OpenSession, ...]:
    return (await auth.open_sessions.list_own(caller, WHOLE)).items


async def signed_in_twice(auth: Auth, role: Role = Role.DOCTOR) -> tuple[User, SignedIn, SignedIn]:
    user = await auth.open(role)
    first = await auth.sign_in(user)
    await age(auth.work, minutes=1)
    return user, first, await auth.sign_in(user)


async def has_ended(auth: Auth, signed_in: SignedIn) -> bool:
    try:
        await auth.check(signed_in)
    except Unauthenticated:
        return await is_refused(auth, signed_in.tokens.refresh_token)
    return False


@control("S101")
async def test_list_shows_device_address_and_times_newest_first(auth: Auth) -> None:
    user = await auth.open(Role.DOCTOR)
    with made_by(call_from("203.0.113.7")):
        first = await auth.sign_in(user)
    await age(auth.work, minutes=1)
    second = await auth.sign_in(user)
    newest, oldest = await sessions_of(auth, auth.caller(second.tokens))
    assert (newest.id, newest.device, newest.address) == (auth.caller(second.tokens).session_id, "", "")
    assert oldest.id == auth.caller(first.tokens).session_id
    assert (oldest.device, oldest.address) == ("Firefox on Windows", "203.0.113.7")
    assert newest.last_used_at == newest.created_at
    assert newest.expires_at - newest.created_at == timedelta(minutes=30)


async def test_list_leaves_out_sessions_that_ended(auth: Auth) -> None:
    user, first, second = await signed_in_twice(auth)
    other = await auth.sign_in(await auth.open(Role.DOCTOR))
    here = auth.caller((await auth.sign_in(user)).tokens)
    await auth.sessions.logout(auth.caller(first.tokens))
    token_age = "UPDATE refresh_tokens SET expires_at = now() WHERE session_id = $1"
    await execute(auth.work, token_age, auth.caller(second.tokens).session_id)
    assert [session.id for session in await sessions_of(auth, here)] == [here.session_id]
    await auth.check(other)


async def test_pages_continue_and_belong_to_caller(auth: Auth) -> None:
    user, first, second = await signed_in_twice(auth)
    caller = auth.caller(second.tokens)
    page = await auth.open_sessions.list_own(caller, PageRequest(1, ""))
    rest = await auth.open_sessions.list_own(caller, PageRequest(1, page.next_page_token))
    assert [one.id for one in (*page.items, *rest.items)] == [
        auth.caller(signed_in.tokens).session_id for signed_in in (second, first)
    ]
    assert (page.total_size, rest.next_page_token) == (2, "")
    stranger = auth.caller((await auth.sign_in(await auth.open())).tokens)
    with pytest.raises(PageTokenInvalid):
        await auth.open_sessions.list_own(stranger, PageRequest(1, page.next_page_token))
    with pytest.raises(PageTokenInvalid):
        await auth.open_sessions.list_of_account(caller, user.id, PageRequest(1, page.next_page_token))


@control("S101")
async def test_ended_session_is_refused_and_stays_so(auth: Auth) -> None:
    _, first, second = await signed_in_twice(auth)
    caller, ended = auth.caller(second.tokens), auth.caller(first.tokens).session_id
    for _ in range(2):
        await auth.open_sessions.end(caller, ended)
    assert await has_ended(auth, first)
    await auth.check(second)


@control("S101")
@pytest.mark.parametrize("foreign", [True, False])
async def test_session_of_another_account_is_like_absent_one(auth: Auth, foreign: bool) -> None:
    owner, stranger = [await auth.sign_in(await auth.open()) for _ in range(2)]
    session_id = auth.caller(owner.tokens).session_id if foreign else new_id()
    with pytest.raises(NotFound):
        await auth.open_sessions.end(auth.caller(stranger.tokens), session_id)
    await auth.check(owner)


@control("S101")
async def test_all_other_sessions_end_and_are_counted(auth: Auth) -> None:
    user, first, second = await signed_in_twice(auth)
    bystander = await auth.sign_in(await auth.open())
    assert await auth.open_sessions.end_others(auth.caller(second.tokens)) == 1
    assert await has_ended(auth, first)
    await auth.check(second)
    await auth.check(bystander)
    assert await auth.open_sessions.end_others(auth.caller(second.tokens)) == 0
    await auth.sign_in(user)


@control("S101")
async def test_admin_sees_and_ends_sessions_of_open_account(auth: Auth) -> None:
    user, first, second = await signed_in_twice(auth)
    admin = auth.caller((await auth.sign_in(await auth.open(Role.ADMIN))).tokens)
    page = await auth.open_sessions.list_of_account(admin, user.id, WHOLE)
    assert {one.id for one in page.items} == {auth.caller(one.tokens).session_id for one in (first, second)}
    assert await auth.open_sessions.end_of_account(user.id, EndReason.DEVICE_LOST) == 2
    assert await has_ended(auth, first)
    assert await has_ended(auth, second)
    await auth.check(await auth.sign_in(user))
    records = await execute(
        auth.work, "SELECT event, object_id, reason FROM audit_records WHERE event LIKE 'account_sessions%' ORDER BY id"
    )
    assert [tuple(row) for row in records] == [
        ("account_sessions_listed", user.id, ""),
        ("account_sessions_ended", user.id, "DEVICE_LOST"),
    ]


async def test_sessions_of_unknown_account_are_not_found(auth: Auth) -> None:
    admin = auth.caller((await auth.sign_in(await auth.open(Role.ADMIN))).tokens)
    with pytest.raises(NotFound):
        await auth.open_sessions.list_of_account(admin, UUID(int=1), WHOLE)
    with pytest.raises(NotFound):
        await auth.open_sessions.end_of_account(UUID(int=1), EndReason.OTHER)


async def test_refresh_by_person_is_the_last_use(auth: Auth) -> None:
    signed_in = await auth.sign_in(await auth.open(Role.DOCTOR))
    caller = auth.caller(signed_in.tokens)
    await age(auth.work, minutes=20)
    with made_by(call_from("198.51.100.23")):
        renewed = await auth.sessions.refresh(signed_in.tokens.refresh_token)
    (session,) = await sessions_of(auth, caller)
    assert session.last_used_at - session.created_at == timedelta(minutes=20)
    assert session.expires_at - session.last_used_at == renewed.tokens.idle == timedelta(minutes=30)
    assert (session.device, session.address) == ("", "198.51.100.23")


@control("S100")
async def test_refresh_without_person_postpones_no_end(auth: Auth) -> None:
    signed_in = await auth.sign_in(await auth.open(Role.DOCTOR))
    token, (before,) = signed_in.tokens.refresh_token, await sessions_of(auth, auth.caller(signed_in.tokens))
    for _ in range(2):
        await age(auth.work, minutes=14)
        tokens = (await auth.sessions.refresh(token, attended=False)).tokens
        token = tokens.refresh_token
    assert tokens.idle == timedelta(minutes=2)
    (after,) = await sessions_of(auth, auth.caller(signed_in.tokens))
    assert after.expires_at - after.created_at == before.expires_at - before.created_at
    assert after.last_used_at - after.created_at <= timedelta(minutes=28)
    assert (after.last_used_at, after.address) == (before.last_used_at, before.address)
    await age(auth.work, minutes=2)
    assert await is_refused(auth, token)


@control("S100")
async def test_later_refresh_by_person_postpones_the_end(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open(Role.DOCTOR))).tokens.refresh_token
    for attended in (False, True, False):
        await age(auth.work, minutes=14)
        token = (await auth.sessions.refresh(token, attended=attended)).tokens.refresh_token
    await age(auth.work, minutes=15)
    assert not await is_refused(auth, token)


@control("S100")
async def test_access_token_lives_no_longer_than_idle_session(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open(Role.DOCTOR))).tokens.refresh_token
    await age(auth.work, minutes=28)
    idle_end = await execute(auth.work, "SELECT date_trunc('second', expires_at) FROM refresh_tokens")
    assert (await auth.sessions.refresh(token, attended=False)).tokens.expires_at == idle_end[0][0]


@control("S100")
async def test_repeated_refresh_returns_the_same_end(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open(Role.DOCTOR))).tokens.refresh_token
    await age(auth.work, minutes=10)
    first, again = [await auth.sessions.refresh(token, attended=False) for _ in range(2)]
    assert first.tokens.refresh_token == again.tokens.refresh_token
    assert first.tokens.idle == again.tokens.idle == timedelta(minutes=20)
