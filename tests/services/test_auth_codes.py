"""Tests stored one-time codes: single use, five tries, ten minutes, ten a day for each purpose."""

import asyncio
import re
from dataclasses import replace
from uuid import UUID

import pytest

from server.auth.entities import User
from server.auth.password_hashing import Passwords
from server.auth.rules.one_time_codes import (
    MAX_PER_DAY,
    MAX_TRIES,
    STRANGERS_CODES,
    STRANGERS_TRIES,
    Asker,
    CodeScope,
    Purpose,
)
from server.db.engine import create_pool
from server.db.unit_of_work import UnitOfWork
from server.errors import EmailLimitExceeded, RateLimitExceeded
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from server.runtime.work import unit_of_work
from tests.fixtures.auth import SEAL, Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

CODE_TABLES = "SELECT to_jsonb(c)::text || coalesce(encode(c.code_hash, 'hex'), '') FROM one_time_codes c"


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


@pytest.fixture
async def user(auth: Auth) -> User:
    return await auth.open()


def reset_of(user: User, address: bytes = b"home", nonce: bytes | None = None, *, known: bool = True) -> CodeScope:
    return CodeScope(user.id, Purpose.PASSWORD_RESET, asker=Asker(address, nonce, known))


async def issued(auth: Auth, scope: CodeScope) -> str:
    async with auth.work.begin() as tx:
        return (await auth.codes.issue(tx, scope))[0]


async def opens(auth: Auth, scope: CodeScope, code: str) -> bool:
    async with auth.work.begin() as tx:
        return await auth.codes.use(tx, scope, code)


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def a_session(auth: Auth, user: User) -> UUID:
    return auth.access_tokens.verify((await auth.sign_in(user)).tokens.access_token).session_id


@control("S11")
async def test_a_code_opens_once(auth: Auth, user: User) -> None:
    code = await issued(auth, reset_of(user))
    assert await opens(auth, reset_of(user), code)
    assert not await opens(auth, reset_of(user), code)


@control("S11")
async def test_right_code_after_five_wrong_ones_is_rejected(auth: Auth, user: User) -> None:
    for wrong, right in ((MAX_TRIES - 1, True), (MAX_TRIES, False)):
        code = await issued(auth, reset_of(user))
        for _ in range(wrong):
            assert not await opens(auth, reset_of(user), another(code))
        assert await opens(auth, reset_of(user), code) is right


@control("S11")
@pytest.mark.parametrize("used", [0, 1])
async def test_an_earlier_code_stays_good_until_one_is_used(auth: Auth, user: User, used: int) -> None:
    codes = [await issued(auth, reset_of(user)) for _ in range(2)]
    assert await opens(auth, reset_of(user), codes[used])
    assert not await opens(auth, reset_of(user), codes[1 - used])


@control("S11")
async def test_new_code_for_signed_in_owner_ends_previous_code(auth: Auth, user: User) -> None:
    here, elsewhere = [CodeScope(user.id, Purpose.HISTORY_ACCESS, await a_session(auth, user)) for _ in range(2)]
    kept = await issued(auth, elsewhere)
    for scope in (here, CodeScope(user.id, Purpose.EMAIL_CONFIRMATION)):
        old, new = await issued(auth, scope), await issued(auth, scope)
        assert old == new or not await opens(auth, scope, old)
        assert await opens(auth, scope, new)
    assert await opens(auth, elsewhere, kept)


@control("S11")
@pytest.mark.parametrize(("seconds", "good"), [(599, True), (601, False)])
async def test_a_code_lives_ten_minutes(auth: Auth, user: User, seconds: int, good: bool) -> None:
    code = await issued(auth, reset_of(user))
    passed = "UPDATE one_time_codes SET expires_at = expires_at - make_interval(secs => $1)"
    await execute(auth.work, passed, seconds)
    assert await opens(auth, reset_of(user), code) is good


@control("S12")
async def test_code_works_only_for_its_user_purpose_and_session(auth: Auth, user: User) -> None:
    other = await auth.open()
    one, two = await a_session(auth, user), await a_session(auth, user)
    history = CodeScope(user.id, Purpose.HISTORY_ACCESS, one)
    code, history_code = await issued(auth, reset_of(user)), await issued(auth, history)
    await issued(auth, reset_of(other))
    for scope in (reset_of(other), history, CodeScope(user.id, Purpose.HISTORY_ACCESS, two)):
        assert not await opens(auth, scope, code)
    for scope in (reset_of(user), CodeScope(user.id, Purpose.HISTORY_ACCESS, two)):
        assert not await opens(auth, scope, history_code)
    assert await opens(auth, history, history_code)
    assert await opens(auth, reset_of(user), code)


@control("S11")
async def test_an_account_gets_ten_codes_a_day_for_each_purpose(auth: Auth, user: User) -> None:
    history = CodeScope(user.id, Purpose.HISTORY_ACCESS, await a_session(auth, user))
    for scope in (reset_of(user), history, CodeScope(user.id, Purpose.EMAIL_CONFIRMATION)):
        for _ in range(MAX_PER_DAY):
            last = await issued(auth, scope)
        await execute(auth.work, "UPDATE one_time_codes SET created_at = created_at - interval '1 hour'")
        with pytest.raises(RateLimitExceeded) as refused:
            await issued(auth, scope)
        assert refused.value.metadata == {"limit": "codes"}
        assert await opens(auth, scope, last)  # The rejected code ended no other code.
    assert refused.value.retry_after == 23 * 3600
    await execute(auth.work, "UPDATE one_time_codes SET created_at = created_at - interval '1 day'")
    await issued(auth, reset_of(user))


@control("S91")
async def test_strangers_get_twenty_codes_a_day_and_ten_an_address(auth: Auth, user: User) -> None:
    got = 0
    with pytest.raises(RateLimitExceeded):
        for _ in range(STRANGERS_CODES):
            await issued(auth, reset_of(user, b"one", known=False))
            got += 1
    assert got == MAX_PER_DAY
    for number in range(STRANGERS_CODES - got):
        await issued(auth, reset_of(user, str(number).encode(), known=False))
    with pytest.raises(RateLimitExceeded):
        await issued(auth, reset_of(user, b"another", known=False))
    assert await opens(auth, reset_of(user), await issued(auth, reset_of(user)))


@control("S91")
async def test_code_works_only_with_the_nonce_of_its_request(auth: Auth, user: User) -> None:
    mine = reset_of(user, b"home", b"mine")
    code = await issued(auth, mine)
    for scope in (reset_of(user, b"home"), reset_of(user, b"home", b"other"), reset_of(user, b"evil", known=False)):
        for _ in range(MAX_TRIES + 1):
            assert not await opens(auth, scope, code)
    assert await opens(auth, replace(mine, asker=Asker(b"abroad", b"mine", known=False)), code)


@control("S91")
async def test_strangers_tries_end_no_code(auth: Auth, user: User) -> None:
    asked_at_home, asked_abroad = reset_of(user), reset_of(user, b"abroad", known=False)
    codes = [await issued(auth, scope) for scope in (asked_at_home, asked_abroad)]
    for number in range(2 * STRANGERS_TRIES):
        evil = reset_of(user, str(number).encode(), known=False)
        assert not await opens(auth, evil, another(codes[0]))
    assert await execute(auth.work, "SELECT stray_tries, tries FROM one_time_codes") == [(MAX_TRIES, 0)] * 2
    assert await opens(auth, asked_abroad, codes[1])


@control("S91")
async def test_code_requested_without_nonce_works_elsewhere(auth: Auth, user: User) -> None:
    code = await issued(auth, reset_of(user))
    for number in range(MAX_TRIES - 1):
        assert not await opens(auth, reset_of(user, str(number).encode(), known=False), another(code))
    assert await opens(auth, reset_of(user, b"abroad", known=False), code)


@control("S91")
async def test_strangers_get_fifty_guesses_and_never_the_first_try(auth: Auth, user: User) -> None:
    for number in range(STRANGERS_CODES - 1):
        evil = reset_of(user, str(number).encode(), known=False)
        code = await issued(auth, evil)
        for _ in range(MAX_TRIES):
            await opens(auth, evil, another(code))
    owner = reset_of(user, b"abroad", known=False)
    code = await issued(auth, owner)
    ((judged,),) = await execute(auth.work, "SELECT sum(tries + stray_tries) FROM one_time_codes")
    assert judged == STRANGERS_CODES - 1 + STRANGERS_TRIES
    assert await opens(auth, owner, code)


@control("S11")
async def test_of_fifty_uses_at_once_one_succeeds(database_url: str, passwords: Passwords) -> None:
    pool = create_pool(database_url, pool_size=10)
    auth = Auth.build(unit_of_work(pool), SettableClock().clock, passwords)
    user = await auth.open()
    code = await issued(auth, reset_of(user))
    assert sum(await asyncio.gather(*(opens(auth, reset_of(user), code) for _ in range(50)))) == 1
    await pool.close()


@control("S11")
async def test_of_fifty_guesses_at_once_five_are_looked_at(database_url: str, passwords: Passwords) -> None:
    pool = create_pool(database_url, pool_size=10)
    auth = Auth.build(unit_of_work(pool), SettableClock().clock, passwords)
    user = await auth.open()
    code = await issued(auth, reset_of(user))
    await asyncio.gather(*(opens(auth, reset_of(user), another(code)) for _ in range(50)))
    assert await execute(auth.work, "SELECT tries, ended_at IS NOT NULL FROM one_time_codes") == [(MAX_TRIES, True)]
    assert not await opens(auth, reset_of(user), code)
    await pool.close()


@control("S13")
async def test_code_is_in_no_table_and_email_decrypts_with_key(auth: Auth, user: User) -> None:
    async with auth.work.begin() as tx:
        await auth.codes.send(tx, user, reset_of(user), EmailKind.PASSWORD_RESET)
    ((sealed, late),) = await execute(
        auth.work, "SELECT sealed_code, expires_at - created_at FROM emails WHERE kind = 'password_reset'"
    )
    code = SEAL.open(sealed, user.id)
    assert late.total_seconds() == 600
    rows = await execute(auth.work, CODE_TABLES) + await execute(auth.work, "SELECT to_jsonb(e)::text FROM emails e")
    assert len(rows) > 1
    assert not [row for row in rows if re.search(rf"\b{code}\b", row[0])]
    assert await opens(auth, reset_of(user), code)


async def test_account_with_20_emails_today_gets_no_code(auth: Auth, user: User) -> None:
    async with auth.work.begin() as tx:
        await tx[Outbox].add(*[NewEmail(EmailKind.WELCOME, user.id, user.email)] * 20)
        with pytest.raises(EmailLimitExceeded):
            await auth.codes.send(tx, user, reset_of(user), EmailKind.PASSWORD_RESET)
    assert await execute(auth.work, "SELECT 1 FROM one_time_codes") == []
