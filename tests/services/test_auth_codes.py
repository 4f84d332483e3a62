"""One-time codes in the database: single use, five tries, ten minutes, one at a time, ten a day."""

import asyncio
import re
from uuid import UUID

import pytest

from server.auth.entities import User
from server.auth.one_time_codes import MAX_PER_DAY, MAX_TRIES, CodeScope, Purpose
from server.auth.passwords import Passwords
from server.db.engine import create_engine
from server.errors import EmailLimitExceeded, RateLimitExceeded
from server.mail.entities import MailKind, NewMail
from server.unit_of_work import UnitOfWork
from tests.fixtures.auth import SEAL, Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.sessions import execute

CODE_TABLES = "SELECT to_jsonb(c)::text || coalesce(encode(c.code_hash, 'hex'), '') FROM one_time_codes c"


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


@pytest.fixture
async def user(auth: Auth) -> User:
    return await auth.open()


def reset_of(user: User) -> CodeScope:
    return CodeScope(user.id, Purpose.PASSWORD_RESET)


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


async def test_s11_a_code_opens_once(auth: Auth, user: User) -> None:
    code = await issued(auth, reset_of(user))
    assert await opens(auth, reset_of(user), code)
    assert not await opens(auth, reset_of(user), code)


async def test_s11_the_right_code_after_four_wrong_ones_opens_and_after_five_is_dead(auth: Auth, user: User) -> None:
    for wrong, right in ((MAX_TRIES - 1, True), (MAX_TRIES, False)):
        code = await issued(auth, reset_of(user))
        for _ in range(wrong):
            assert not await opens(auth, reset_of(user), another(code))
        assert await opens(auth, reset_of(user), code) is right


async def test_s11_a_new_code_ends_the_one_before(auth: Auth, user: User) -> None:
    old, new = await issued(auth, reset_of(user)), await issued(auth, reset_of(user))
    if old != new:
        assert not await opens(auth, reset_of(user), old)
    assert await opens(auth, reset_of(user), new)


@pytest.mark.parametrize(("seconds", "good"), [(599, True), (601, False)])
async def test_s11_a_code_lives_ten_minutes(auth: Auth, user: User, seconds: int, good: bool) -> None:
    code = await issued(auth, reset_of(user))
    passed = "UPDATE one_time_codes SET expires_at = expires_at - make_interval(secs => $1)"
    await execute(auth.work, passed, seconds)
    assert await opens(auth, reset_of(user), code) is good


async def test_s12_a_code_opens_only_for_its_user_its_purpose_and_its_session(auth: Auth, user: User) -> None:
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


async def test_s11_an_account_gets_ten_codes_a_day_whatever_they_are_for(auth: Auth, user: User) -> None:
    session = await a_session(auth, user)
    history = CodeScope(user.id, Purpose.HISTORY_ACCESS, session)
    for number in range(MAX_PER_DAY):
        last = await issued(auth, history if number % 2 else reset_of(user))
    await execute(auth.work, "UPDATE one_time_codes SET created_at = created_at - interval '1 hour'")
    with pytest.raises(RateLimitExceeded) as refused:
        await issued(auth, reset_of(user))
    assert (refused.value.metadata, refused.value.retry_after) == ({"limit": "codes"}, 23 * 3600)
    assert await opens(auth, history, last)  # the refused one ended nothing
    await execute(auth.work, "UPDATE one_time_codes SET created_at = created_at - interval '1 day'")
    await issued(auth, reset_of(user))
    assert await execute(auth.work, "SELECT count(*) FROM one_time_codes WHERE ended_at IS NULL") == [(1,)]


async def test_s11_of_fifty_uses_at_once_one_succeeds(database_url: str, passwords: Passwords) -> None:
    engine = create_engine(database_url, pool_size=10)
    auth = Auth.build(UnitOfWork(engine), SettableClock().clock, passwords)
    user = await auth.open()
    code = await issued(auth, reset_of(user))
    assert sum(await asyncio.gather(*(opens(auth, reset_of(user), code) for _ in range(50)))) == 1
    await engine.dispose()


async def test_s11_of_fifty_guesses_at_once_five_are_looked_at(database_url: str, passwords: Passwords) -> None:
    engine = create_engine(database_url, pool_size=10)
    auth = Auth.build(UnitOfWork(engine), SettableClock().clock, passwords)
    user = await auth.open()
    code = await issued(auth, reset_of(user))
    await asyncio.gather(*(opens(auth, reset_of(user), another(code)) for _ in range(50)))
    assert await execute(auth.work, "SELECT tries, ended_at IS NOT NULL FROM one_time_codes") == [(MAX_TRIES, True)]
    assert not await opens(auth, reset_of(user), code)
    await engine.dispose()


async def test_s13_neither_table_holds_the_code_and_the_mail_opens_with_the_key(auth: Auth, user: User) -> None:
    async with auth.work.begin() as tx:
        await auth.codes.send(tx, user, reset_of(user), MailKind.PASSWORD_RESET)
    ((sealed, late),) = await execute(
        auth.work, "SELECT sealed_code, expires_at - created_at FROM emails WHERE kind = 'password_reset'"
    )
    code = SEAL.open(sealed, user.id)
    assert late.total_seconds() == 600
    rows = await execute(auth.work, CODE_TABLES) + await execute(auth.work, "SELECT to_jsonb(e)::text FROM emails e")
    assert len(rows) > 1
    assert not [row for row in rows if re.search(rf"\b{code}\b", row[0])]
    assert await opens(auth, reset_of(user), code)


async def test_an_account_that_was_sent_20_mails_today_is_sent_no_code(auth: Auth, user: User) -> None:
    async with auth.work.begin() as tx:
        await tx.outbox.add(*[NewMail(MailKind.WELCOME, user.id, user.email)] * 20)
        with pytest.raises(EmailLimitExceeded):
            await auth.codes.send(tx, user, reset_of(user), MailKind.PASSWORD_RESET)
    assert await execute(auth.work, "SELECT 1 FROM one_time_codes") == []
