"""Tests the sign-in delay: guessing gets slower with each failure, and the owner is never locked out."""

import asyncio

import pytest

from server.auth.entities import User
from server.auth.password_hashing import Passwords
from server.auth.storage.sign_ins import FREE_FAILURES, LONGEST_DELAY_SECONDS
from server.db.engine import create_pool
from server.db.unit_of_work import UnitOfWork
from server.errors import InvalidCredentials, RateLimitExceeded
from server.runtime.work import unit_of_work
from tests.fixtures.auth import PASSWORD, SEAL, Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

HOME, ABROAD, EVIL = "192.0.2.1", "198.51.100.7", "203.0.113.66"
WRONG = "wrong horse battery"


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


@pytest.fixture
async def user(auth: Auth) -> User:
    return await auth.open()


async def fail(auth: Auth, email: str, times: int = FREE_FAILURES, address: str = EVIL) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await auth.sessions.login(email, WRONG, address)


async def delay(auth: Auth, email: str, address: str = EVIL, password: str = PASSWORD) -> float:
    """Returns how many seconds the next attempt has to wait."""
    with pytest.raises(RateLimitExceeded) as refused:
        await auth.sessions.login(email, password, address)
    assert refused.value.metadata == {"limit": "sign_in"}
    assert refused.value.retry_after is not None
    return refused.value.retry_after


async def let_pass(auth: Auth, seconds: float) -> None:
    await execute(
        auth.work,
        "UPDATE sign_in_counters SET blocked_until = blocked_until - make_interval(secs => $1),"
        " touched_at = touched_at - make_interval(secs => $1), signed_in_at = signed_in_at - make_interval(secs => $1)",
        seconds,
    )


@control("S9")
@pytest.mark.parametrize("known", [True, False])
async def test_each_failure_from_the_fifth_on_doubles_the_delay(auth: Auth, user: User, known: bool) -> None:
    email = user.email if known else "nobody@example.org"
    await fail(auth, email, FREE_FAILURES - 1)
    seen = []
    for _ in range(13):
        await fail(auth, email, 1)
        seen.append(await delay(auth, email))
        await let_pass(auth, seen[-1])
    assert seen == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[LONGEST_DELAY_SECONDS] * 3]


@control("S9")
async def test_right_password_after_delay_signs_in_and_resets_it(auth: Auth, user: User) -> None:
    await fail(auth, user.email)
    await let_pass(auth, await delay(auth, user.email))
    await auth.sessions.login(user.email, PASSWORD, EVIL)
    await fail(auth, user.email, FREE_FAILURES - 1)
    await auth.sessions.login(user.email, PASSWORD, EVIL)


@control("S9")
async def test_owner_signs_in_during_attack_from_other_address(auth: Auth, user: User) -> None:
    await auth.sessions.login(user.email, PASSWORD, HOME)
    await fail(auth, user.email)
    assert await delay(auth, user.email, EVIL) == 1
    assert await delay(auth, user.email, ABROAD) == 1
    await auth.sessions.login(user.email, PASSWORD, HOME)
    assert await delay(auth, user.email, EVIL) == 1  # resets only the owner's delay


async def test_guesses_from_a_known_address_are_delayed_there_alone(auth: Auth, user: User) -> None:
    await auth.sessions.login(user.email, PASSWORD, HOME)
    await fail(auth, user.email, address=HOME)
    assert await delay(auth, user.email, HOME) == 1
    await auth.sessions.login(user.email, PASSWORD, ABROAD)


@control("S9")
async def test_an_address_is_known_for_thirty_days(auth: Auth, user: User) -> None:
    await auth.sessions.login(user.email, PASSWORD, HOME)
    await let_pass(auth, 30 * 86400 + 1)
    await fail(auth, user.email)
    assert await delay(auth, user.email, HOME) == 1


async def test_another_account_is_not_delayed(auth: Auth, user: User) -> None:
    await fail(auth, user.email)
    await auth.sessions.login((await auth.open()).email, PASSWORD, EVIL)


async def test_failures_of_yesterday_are_forgiven(auth: Auth, user: User) -> None:
    await fail(auth, user.email, FREE_FAILURES - 1)
    await let_pass(auth, 86_401)
    await fail(auth, user.email, FREE_FAILURES - 1)
    await auth.sessions.login(user.email, PASSWORD, EVIL)


@control("S9")
async def test_a_reset_password_ends_the_delay(auth: Auth, user: User) -> None:
    await fail(auth, user.email)
    await auth.passwords.forgot(user.email)
    ((sealed,),) = await execute(auth.work, "SELECT sealed_code FROM emails WHERE kind = 'password_reset'")
    await auth.passwords.reset(user.email, SEAL.open(sealed, user.id), PASSWORD)
    await auth.sessions.login(user.email, PASSWORD, EVIL)


async def test_of_many_guesses_at_once_after_a_delay_one_is_looked_at(database_url: str, passwords: Passwords) -> None:
    pool = create_pool(database_url, pool_size=10)
    auth = Auth.build(unit_of_work(pool), SettableClock().clock, passwords)
    user = await auth.open()
    await fail(auth, user.email)
    await let_pass(auth, 1)
    guesses = (auth.sessions.login(user.email, WRONG, EVIL) for _ in range(20))
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["InvalidCredentials"] + ["RateLimitExceeded"] * 19
    await pool.close()


@control("S9")
async def test_delay_applies_in_a_newly_started_process(auth: Auth, user: User, passwords: Passwords) -> None:
    await fail(auth, user.email)
    assert await delay(Auth.build(auth.work, SettableClock().clock, passwords), user.email) == 1


async def test_counters_contain_no_emails_and_no_client_addresses(auth: Auth, user: User) -> None:
    await fail(auth, "nobody@example.org", 1)
    await auth.sessions.login(user.email, PASSWORD, HOME)
    rows = await execute(
        auth.work,
        "SELECT encode(account, 'escape') || encode(address, 'escape') || to_jsonb(c)::text FROM sign_in_counters c",
    )
    assert len(rows) == 2
    assert not [row for row in rows if "example" in row[0] or HOME in row[0]]
