"""Every counter of tries is exact: 200 concurrent tries, by two processes, from forty addresses."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AsyncExitStack, nullcontext, suppress

import pytest

from server.auth import password_hashing as passwords_module
from server.auth.entities import User
from server.auth.password_hashing import PasswordCheck, Passwords, hashing_threads
from server.auth.rules.one_time_codes import MAX_TRIES, Asker, CodeScope, Purpose
from server.auth.services import sign_in_attempts
from server.auth.storage.sign_ins import FREE_FAILURES
from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.errors import NotFound, Unavailable
from server.metrics import Metrics
from server.pharmacy.services.lookup_misses import LookupMisses
from server.rate_limits import postgres_store
from server.rate_limits.budgets import SHARED
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.rate_limiter import RateLimiter
from server.rate_limits.routing_store import RoutingStore
from server.rate_limits.store import MemoryStore
from server.runtime.work import unit_of_work
from tests.fixtures.auth import PASSWORD, Auth, process
from tests.fixtures.clock import SettableClock
from tests.fixtures.factors import challenge_of, with_app
from tests.fixtures.limits import BUDGETS
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

TRIES = 200
ADDRESSES = 40
WRONG = "wrong horse battery"
REFUSALS = {"RateLimitExceeded", "ServerBusy", "DatabaseUnavailable"}
"""The results of a try that was not checked; the last two occur on a busy machine."""


class CountedPasswords(Passwords):
    """Counts the passwords that are compared with a hash."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.judged = 0

    def _check(self, password: str, stored: str | None) -> PasswordCheck:
        self.judged += 1
        return super()._check(password, stored)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Returns settings under which tries wait as long as needed: a busy machine refuses none for that."""
    for module in (passwords_module, sign_in_attempts):
        monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 60)
    monkeypatch.setattr(postgres_store, "ANSWER_SECONDS", 60)


@pytest.fixture
def passwords() -> Iterator[CountedPasswords]:
    with hashing_threads() as executor:
        yield CountedPasswords(executor)


@pytest.fixture
async def processes(database_url: str, passwords: CountedPasswords) -> AsyncIterator[tuple[Auth, Auth]]:
    """Yields the services of two processes on one database."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(process(database_url, passwords)) for _ in range(2)]
        yield one, two


def address(number: int) -> str:
    return f"192.0.2.{number % ADDRESSES}"


async def outcomes(tries: int, attempt: Callable[[int], Awaitable[object]]) -> Counter[str]:
    """Returns how that many concurrent tries end."""
    answers = await asyncio.gather(*map(attempt, range(tries)), return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


@control("S90")
@pytest.mark.parametrize("known", [True, False])
async def test_of_200_sign_ins_at_once_five_are_judged(
    processes: tuple[Auth, Auth], passwords: CountedPasswords, known: bool
) -> None:
    email = (await processes[0].open()).email if known else "nobody@example.org"

    async def sign_in(number: int) -> object:
        return await processes[number % 2].sessions.login(email, WRONG, address(number))

    ended = await outcomes(TRIES, sign_in)
    assert passwords.judged == ended["InvalidCredentials"] == FREE_FAILURES
    assert ended.keys() <= {"InvalidCredentials", *REFUSALS}


@control("S90")
async def test_the_owner_signs_in_at_home_during_the_200(
    processes: tuple[Auth, Auth], passwords: CountedPasswords
) -> None:
    user = await processes[0].open()
    await processes[0].sessions.login(user.email, PASSWORD, "198.51.100.7")
    passwords.judged = 0

    async def sign_in(number: int) -> object:
        return await processes[number % 2].sessions.login(user.email, WRONG, address(number))

    async def at_home() -> None:
        for _ in range(20):
            with suppress(Unavailable):
                await processes[0].sessions.login(user.email, PASSWORD, "198.51.100.7")
                return

    ended, _ = await asyncio.gather(outcomes(TRIES, sign_in), at_home())
    assert ended["InvalidCredentials"] == FREE_FAILURES
    await processes[1].sessions.login(user.email, PASSWORD, "198.51.100.7")


@control("S90")
@pytest.mark.parametrize("purpose", [Purpose.PASSWORD_RESET, Purpose.HISTORY_ACCESS])
async def test_of_200_codes_at_once_five_are_judged(processes: tuple[Auth, Auth], purpose: Purpose) -> None:
    user = await processes[0].open()
    session = processes[0].caller((await processes[0].sign_in(user)).tokens).session_id
    scope = CodeScope(user.id, Purpose.HISTORY_ACCESS, session)
    if purpose is Purpose.PASSWORD_RESET:
        scope = CodeScope(user.id, purpose, asker=Asker(b"home", None, known=True))
    async with processes[0].work.begin() as tx:
        code, _ = await processes[0].codes.issue(tx, scope)
    wrong = f"{(int(code) + 1) % 10**6:06d}"

    async def enter(number: int) -> None:
        auth = processes[number % 2]
        async with auth.work.begin() as tx:
            await auth.codes.use(tx, scope, wrong)

    await outcomes(TRIES, enter)
    found = await execute(processes[0].work, "SELECT tries, stray_tries, ended_at IS NOT NULL FROM one_time_codes")
    assert found == [(MAX_TRIES, 0, True)]


@control("S90")
async def test_of_200_concurrent_foreign_tries_five_are_judged(
    processes: tuple[Auth, Auth],
) -> None:
    user = await processes[0].open()
    home = CodeScope(user.id, Purpose.PASSWORD_RESET, asker=Asker(b"home", None, known=False))
    async with processes[0].work.begin() as tx:
        code, _ = await processes[0].codes.issue(tx, home)

    async def enter(number: int) -> None:
        evil = CodeScope(user.id, Purpose.PASSWORD_RESET, asker=Asker(address(number).encode(), None, known=False))
        auth = processes[number % 2]
        async with auth.work.begin() as tx:
            await auth.codes.use(tx, evil, f"{(int(code) + 1) % 10**6:06d}")

    await outcomes(TRIES, enter)
    found = await execute(processes[0].work, "SELECT tries, stray_tries, ended_at IS NOT NULL FROM one_time_codes")
    assert found == [(0, MAX_TRIES, False)]


@control("S90")
async def test_right_passwords_at_once_delay_nobody(processes: tuple[Auth, Auth]) -> None:
    user = await processes[0].open()
    ended = await outcomes(20, lambda _: processes[0].sessions.login(user.email, PASSWORD, address(1)))
    assert ended == {"SignedIn": 20}


@control("S90")
async def test_of_200_current_passwords_at_once_five_are_judged(
    processes: tuple[Auth, Auth], passwords: CountedPasswords
) -> None:
    user = await processes[0].open()
    caller = processes[0].caller((await processes[0].sign_in(user)).tokens)
    passwords.judged = 0

    async def change(number: int) -> None:
        await processes[number % 2].passwords.change(caller, WRONG, "a fresh start, 2041", address(number))

    ended = await outcomes(TRIES, change)
    assert passwords.judged == ended["PasswordWrong"] == FREE_FAILURES
    assert ended.keys() <= {"PasswordWrong", *REFUSALS}


@control("S90")
async def test_change_refused_for_new_password_costs_no_try(auth_of_one: tuple[Auth, User]) -> None:
    auth, user = auth_of_one
    caller = auth.caller((await auth.sign_in(user)).tokens)
    for _ in range(FREE_FAILURES + 1):
        assert await outcomes(1, lambda _: auth.passwords.change(caller, PASSWORD, "password123", "")) == {
            "PasswordBreached": 1
        }
    await auth.sessions.login(user.email, PASSWORD)


@pytest.fixture
async def auth_of_one(processes: tuple[Auth, Auth]) -> tuple[Auth, User]:
    return processes[0], await processes[0].open()


@control("S90")
@pytest.mark.parametrize("keyed", [False, True])
async def test_of_200_lookups_at_once_five_are_judged(
    processes: tuple[Auth, Auth], database_url: str, keyed: bool
) -> None:
    """A call with an idempotency key rolls its transaction back when it finds nothing; the charge stays."""
    clock, metrics, judged, pharmacist = SettableClock().clock, Metrics(), [], new_id()
    limit = BUDGETS.limit_named("lookup_misses")
    engines = [create_pool(database_url, pool_size=4) for _ in processes]
    stores = [PostgresStore(unit_of_work(pool, joins=False)) for pool in engines]
    meters = [RateLimiter(RoutingStore(store, MemoryStore(), SHARED, metrics), clock, metrics) for store in stores]
    budgets = [LookupMisses(limiter, limit) for limiter in meters]

    async def look_up(number: int) -> None:
        each = processes[number % 2].work
        async with each.shared() if keyed else nullcontext(), budgets[number % 2].counted(pharmacist):
            judged.append(number)
            await asyncio.sleep(0.01)
            raise NotFound("prescription")

    ended = await outcomes(TRIES, look_up)
    assert len(judged) == ended["NotFound"] == limit.tokens
    assert ended.keys() <= {"NotFound", *REFUSALS}
    for pool in engines:
        await pool.close()


@control("S90", "S99")
async def test_of_200_codes_of_a_second_factor_at_once_five_are_judged(processes: tuple[Auth, Auth]) -> None:
    user, clock = await processes[0].open(), SettableClock()
    app = await with_app(processes[0], user, clock)
    challenge = await challenge_of(processes[0], user)

    async def complete(number: int) -> object:
        return await processes[number % 2].second_step.complete(challenge, app.wrong_code(), address(number))

    ended = await outcomes(TRIES, complete)
    assert ended["SecondFactorInvalid"] == FREE_FAILURES
    assert ended.keys() <= {"SecondFactorInvalid", *REFUSALS}
    await execute(processes[0].work, "UPDATE sign_in_counters SET failures = 0, blocked_until = now()")

    async def recover(number: int) -> object:
        return await processes[number % 2].second_step.complete(challenge, app.recovery_codes[0], address(number))

    ended = await outcomes(20, recover)
    assert ended["SignedIn"] == 1
    assert ended.keys() <= {"SignedIn", "ChallengeInvalid", "SecondFactorInvalid", *REFUSALS}
