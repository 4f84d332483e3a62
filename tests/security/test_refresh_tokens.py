"""Refresh tokens: unguessable, each with one successor; a replayed one ends the session."""

import asyncio
import base64
import hashlib

import pytest
from sqlalchemy import text

from server.audit.events import Outcome
from server.auth.entities import SignedIn
from server.auth.password_hashing import Passwords
from server.auth.tokens.refresh_tokens import new_refresh_token, stored_hash, successor
from server.db.unit_of_work import UnitOfWork
from server.errors import Unauthenticated
from tests.fixtures.auth import Auth, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import age, execute, is_refused

KEY = b"a key for tests that has 32 byte"


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords)
    await built.revocations.refresh()
    return built


@control("S23")
def test_a_token_has_256_bits_and_none_comes_twice() -> None:
    tokens = {new_refresh_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}


def test_a_successor_has_256_bits_and_depends_on_token_and_key() -> None:
    token = new_refresh_token()
    assert len(base64.urlsafe_b64decode(successor(token, KEY) + "=")) == 32
    assert successor(token, KEY) == successor(token, KEY)
    assert successor(token, KEY) != successor(token, b"another key, likewise of 32 byte")
    assert successor(token, KEY) != successor(new_refresh_token(), KEY)
    assert successor(token, KEY) != token


@control("S23")
def test_what_is_stored_is_sha_256() -> None:
    assert stored_hash("token") == hashlib.sha256(b"token").digest()


async def test_a_refresh_gives_the_next_pair_of_the_same_session(auth: Auth) -> None:
    signed_in = await auth.sign_in(await auth.open())
    renewed = await auth.sessions.refresh(signed_in.tokens.refresh_token)
    first, second = (auth.access_tokens.verify(s.tokens.access_token) for s in (signed_in, renewed))
    assert first == second
    assert renewed.user == signed_in.user
    assert renewed.tokens.refresh_token != signed_in.tokens.refresh_token
    assert not await is_refused(auth, renewed.tokens.refresh_token)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\U0001f511", "a'--"])
async def test_a_token_that_was_never_issued_is_refused(auth: Auth, token: str) -> None:
    assert await is_refused(auth, token)


async def test_a_token_spelt_otherwise_is_refused(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open())).tokens.refresh_token
    assert await is_refused(auth, token + "=")
    assert not await is_refused(auth, token)


@control("S25")
async def test_immediate_repeat_returns_the_same_successor(auth: Auth) -> None:
    token = (await auth.sign_in(await auth.open())).tokens.refresh_token
    answers = [await auth.sessions.refresh(token) for _ in range(3)]
    assert len({answer.tokens.refresh_token for answer in answers}) == 1
    await age(auth.work, seconds=9)
    assert (await auth.sessions.refresh(token)).tokens.refresh_token == answers[0].tokens.refresh_token


@control("S25")
async def test_twenty_refreshes_at_once_give_one_successor(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as one, process(database_url, passwords) as another:
        token = (await one.sign_in(await one.open())).tokens.refresh_token
        async with one.work.begin() as blocking:  # when the block ends, all have begun and none has written
            await blocking.connection.execute(text("LOCK TABLE refresh_tokens IN SHARE MODE"))
            calls = asyncio.gather(*(p.sessions.refresh(token) for p in (one, another) for _ in range(10)))
            await asyncio.sleep(0.5)
        answers = await calls
        successors = {answer.tokens.refresh_token for answer in answers}
        assert len(successors) == 1
        assert await execute(one.work, "SELECT count(*), count(used_at) FROM refresh_tokens") == [(2, 1)]
        assert not await is_refused(another, successors.pop())


@control("S25")
async def test_a_replay_after_ten_seconds_revokes_the_whole_family(auth: Auth) -> None:
    user = await auth.open()
    signed_in, elsewhere = await auth.sign_in(user), await auth.sign_in(user)
    renewed = await auth.sessions.refresh(signed_in.tokens.refresh_token)
    await age(auth.work, seconds=11)
    assert await is_refused(auth, signed_in.tokens.refresh_token)
    assert await is_refused(auth, renewed.tokens.refresh_token)
    for stolen in (signed_in, renewed):
        with pytest.raises(Unauthenticated):
            await auth.check(stolen)
    await auth.check(elsewhere)
    assert not await is_refused(auth, elsewhere.tokens.refresh_token)


@control("S24")
async def test_replay_after_used_successor_revokes_the_family(auth: Auth) -> None:
    tokens = [(await auth.sign_in(await auth.open())).tokens.refresh_token]
    for _ in range(2):
        tokens.append((await auth.sessions.refresh(tokens[-1])).tokens.refresh_token)
    assert await is_refused(auth, tokens[0])
    assert await is_refused(auth, tokens[2])


@control("S24")
async def test_revocation_is_kept_although_the_call_fails(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        user = await auth.open()
        token = (await auth.sign_in(user)).tokens.refresh_token
        for _ in range(2):
            await auth.sessions.refresh(token)
        recorded = "SELECT outcome, object_id, reason FROM audit_records WHERE event = 'refresh_token_reused'"
        assert await execute(auth.work, recorded) == []
        await age(auth.work, seconds=11)
        assert await is_refused(auth, token)
        assert await execute(auth.work, "SELECT count(revoked_at) FROM sessions") == [(1,)]
        assert await is_refused(auth, token)  # which is not a second theft
        assert await execute(auth.work, recorded) == [(Outcome.DENIED, user.id, "REFRESH_TOKEN_INVALID")]


@control("S23")
async def test_the_database_holds_no_refresh_token(auth: Auth) -> None:
    signed_in: SignedIn = await auth.sign_in(await auth.open())
    token = (await auth.sessions.refresh(signed_in.tokens.refresh_token)).tokens.refresh_token
    stored = await execute(auth.work, "SELECT t::text || s::text FROM refresh_tokens t, sessions s")
    assert len(stored) == 2
    for row in stored:
        for secret in (token, signed_in.tokens.refresh_token):
            assert secret not in row[0]
            assert secret.encode().hex() not in row[0]
