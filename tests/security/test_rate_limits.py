"""S64: every limit of the contract, on the server's own chain."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from sqlalchemy import text

from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import InvalidCredentials
from server.identity import Role
from server.metrics import Metrics
from server.rate_limits.budgets import NAMES, SHARED
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.routing_store import RoutingStore
from server.rate_limits.store import MemoryStore
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.interceptors.probe import Answer, House, Metadata, running_house

CODE = grpc.StatusCode
OUT_OF_THE_WAY = {"anonymous": 100_000}


@dataclass(frozen=True)
class Case:
    """A limit, its number and period, and the role that reaches it, or none for an anonymous caller."""

    limit: str
    tokens: int
    period: float
    group: str = ""
    role: Role | None = None
    face: str = "unary"

    def __str__(self) -> str:
        return f"{self.limit}-{self.role or 'stranger'}-{self.face}"


CASES = [
    Case("global", 100, 900),
    Case("anonymous", 10, 60),
    Case("login", 5, 900, "login"),
    Case("password_reset", 3, 3600, "password_reset"),
    Case("registration", 3, 3600, "registration"),
    Case("otp", 3, 300, "otp"),
    Case("otp", 3, 300, "otp", Role.PATIENT),
    Case("admin", 100, 60, "", Role.ADMIN),
    Case("doctor", 50, 60, "", Role.DOCTOR),
    Case("doctor", 50, 60, "", Role.DOCTOR, "stream"),
    Case("pharmacist", 30, 60, "", Role.PHARMACIST),
    Case("patient", 20, 60, "", Role.PATIENT),
    Case("prescription_creation", 10, 60, "prescription_creation", Role.DOCTOR),
    Case("scan", 20, 60, "scan", Role.PHARMACIST),
    Case("pharmacy", 15, 60, "pharmacy", Role.PHARMACIST),
    Case("email", 5, 60, "email", Role.DOCTOR),
    Case("medical_history", 10, 60, "medical_history", Role.PATIENT),
    Case("events", 30, 60, "events", Role.ADMIN),
]
ELSEWHERE = {"refresh", "lookup_misses", "confirmation", "forgot_password"}
"""test_rate_limit.py, test_auth_confirmation.py: use cases charge these; test_forgot_budgets.py: two limits at once."""


class Street:
    """Callers of the toy service under the contract's limits, with a clock that stands still."""

    def __init__(self, house: House, work: UnitOfWork) -> None:
        self.house = house
        self._work = work

    def somebody(self, case: Case, number: int) -> Metadata:
        """Returns a caller's metadata at the edge; another number is another address, and each call another account."""
        address = ("x-client-ip", f"203.0.113.{number}")
        return (address,) if case.role is None else (address, *self.house.bearer(case.role, new_id()))

    async def forward(self, seconds: float) -> None:
        """Advances the time, also in the database, whose clock stands still during a transaction."""
        self.house.clock.forward(seconds=seconds)
        statement = text("UPDATE rate_limit_buckets SET full_at = full_at - make_interval(secs => :seconds)")
        async with self._work.begin() as tx:
            await tx.connection.execute(statement, {"seconds": float(seconds)})
        await self.house.revocations.refresh()


@pytest.fixture
async def street(
    request: pytest.FixtureRequest, work: UnitOfWork, clock: SettableClock, tmp_path: Path
) -> AsyncIterator[Street]:
    limits = OUT_OF_THE_WAY if request.node.callspec.params["case"].limit == "global" else {}
    store = RoutingStore(PostgresStore(work), MemoryStore(), SHARED, Metrics())
    async with running_house(work, clock, tmp_path, limit_factor=1, limits=limits, store=store) as house:
        yield Street(house, work)


@control("S64")
def test_no_limit_is_left_out() -> None:
    assert {case.limit for case in CASES} | ELSEWHERE == NAMES


@control("S64")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_call_above_the_limit_is_refused_with_wait_time(street: Street, case: Case) -> None:
    house, clock = street.house, street.house.clock
    house.declare(public=case.role is None, roles=frozenset(Role), limit_group=case.group)
    if case.group == "login":
        house.probe.act = wrong_password
    metadata = street.somebody(case, 1)

    async def call() -> Answer:
        return await house.call(case.face, metadata, channel=house.edge)

    passed = [await call() for _ in range(case.tokens)]
    assert CODE.RESOURCE_EXHAUSTED not in {answer.code for answer in passed}
    told = [(answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) for answer in passed]
    assert told == [(str(case.tokens), str(left)) for left in reversed(range(case.tokens))]
    full_in = int(passed[0].headers["x-ratelimit-reset"]) - clock.moment.timestamp()
    assert 0 <= full_in - case.period / case.tokens <= 1.01  # when the one token is refilled, rounded up

    refused = await call()
    assert (refused.code, refused.reason) == (CODE.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert refused.message == "Too many requests, please try again later."
    assert dict(refused.details["ErrorInfo"].metadata) == {"limit": case.limit}
    assert (refused.trailing["x-ratelimit-limit"], refused.trailing["x-ratelimit-remaining"]) == (str(case.tokens), "0")
    wait = int(refused.trailing["retry-after"])
    assert wait == refused.details["RetryInfo"].retry_delay.seconds
    assert 0 <= wait - case.period / case.tokens < 1.01

    neighbour = street.somebody(case, 2)
    assert (await house.call(case.face, neighbour, channel=house.edge)).code == passed[0].code

    interval = case.period / case.tokens
    await street.forward(interval / 2)
    assert (await call()).code is CODE.RESOURCE_EXHAUSTED
    await street.forward(wait + 0.2 - interval / 2)
    back = int((wait + 0.2) / interval)  # one; perhaps two where waiting was rounded up to a second
    codes = [(await call()).code for _ in range(back + 1)]
    assert codes == [passed[0].code] * back + [CODE.RESOURCE_EXHAUSTED]


async def wrong_password() -> None:
    raise InvalidCredentials
