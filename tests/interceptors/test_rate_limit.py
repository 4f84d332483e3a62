"""Tests the rate limits of calls on the running server, with the contract's numbers."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    EmailTaken,
    InvalidCredentials,
    PasswordBreached,
    PasswordContext,
    RefreshTokenInvalid,
    ValidationFailed,
)
from server.identity import Role
from server.rate_limits.budgets import FORMS
from tests.fixtures.clock import FAR, SettableClock
from tests.fixtures.limits import BUDGETS
from tests.fixtures.proofs import control
from tests.fixtures.users import a_user
from tests.interceptors.probe import House, Metadata, running_house

CODE = grpc.StatusCode


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """Serves the toy service with the limits of the contract."""
    async with running_house(work, clock, tmp_path, limit_factor=1) as running:
        yield running


async def codes(house: House, count: int, face: str = "unary", metadata: Metadata = ()) -> list[grpc.StatusCode]:
    return [(await house.call(face, metadata)).code for _ in range(count)]


async def test_all_sessions_of_a_user_share_one_limit(house: House) -> None:
    user_id = new_id()
    for _ in range(5):
        await codes(house, 10, metadata=house.bearer(Role.DOCTOR, user_id))
    assert await codes(house, 1, metadata=house.bearer(Role.DOCTOR, user_id)) == [CODE.RESOURCE_EXHAUSTED]


async def test_a_bad_token_is_limited_like_no_token(house: House) -> None:
    bad = [("authorization", "Bearer x")]
    assert await codes(house, 5, metadata=bad) + await codes(house, 5) == [CODE.UNAUTHENTICATED] * 10
    assert await codes(house, 1, metadata=bad) == [CODE.RESOURCE_EXHAUSTED]
    assert await codes(house, 1, metadata=house.bearer(Role.DOCTOR)) == [CODE.OK]


@control("S27")
async def test_token_of_ended_session_is_not_charged_to_account(house: House) -> None:
    """Checks that a thief of the token cannot use up the owner's limit after the owner has signed out."""
    user_id, session_id = new_id(), new_id()
    token, _ = house.tokens.issue(a_user(Role.DOCTOR, id=user_id), session_id, FAR)
    stolen = [("authorization", f"Bearer {token}")]
    assert await codes(house, 1, metadata=stolen) == [CODE.OK]
    house.revocations.revoked(session_id)
    assert await codes(house, 11, metadata=stolen) == [CODE.UNAUTHENTICATED] * 10 + [CODE.RESOURCE_EXHAUSTED]
    assert await codes(house, 49, metadata=house.bearer(Role.DOCTOR, user_id)) == [CODE.OK] * 49


async def test_refused_calls_cost_too(house: House) -> None:
    token = house.bearer(Role.PATIENT)
    assert await codes(house, 21, metadata=token) == [CODE.PERMISSION_DENIED] * 20 + [CODE.RESOURCE_EXHAUSTED]


async def test_addresses_that_strangers_choose_do_not_help_them(house: House) -> None:
    house.declare(public=True)
    answers = [await house.call("unary", [("x-client-ip", f"203.0.113.{i}")]) for i in range(11)]
    assert [answer.code for answer in answers] == [CODE.OK] * 10 + [CODE.RESOURCE_EXHAUSTED]


async def test_one_ipv6_network_is_one_caller(house: House) -> None:
    house.declare(public=True)
    answers = [
        await house.call("unary", [("x-client-ip", f"2001:db8:1:2::{i:x}")], channel=house.edge) for i in range(11)
    ]
    assert [answer.code for answer in answers] == [CODE.OK] * 10 + [CODE.RESOURCE_EXHAUSTED]
    other = await house.call("unary", [("x-client-ip", "2001:db8:1:3::1")], channel=house.edge)
    assert other.code is CODE.OK


class SignIn:
    """Fails while the flag is set."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error
        self.fails = False

    async def __call__(self) -> None:
        if self.fails:
            raise self.error


async def test_a_sign_in_that_succeeds_gives_its_token_back(house: House, clock: SettableClock) -> None:
    house.declare(public=True, limit_group="login")
    sign_in = house.probe.act = SignIn(InvalidCredentials)
    assert await codes(house, 8) == [CODE.OK] * 8
    clock.forward(minutes=15)
    sign_in.fails = True
    assert await codes(house, 6) == [CODE.UNAUTHENTICATED] * 5 + [CODE.RESOURCE_EXHAUSTED]
    assert (await house.call("unary")).details["ErrorInfo"].metadata["limit"] == "login"


class Form(SignIn):
    """Fails by its fields while the flag is set; the limits of an address still count it."""

    async def __call__(self) -> None:
        if self.fails:
            raise self.error.of("password", "is wrong") if issubclass(self.error, ValidationFailed) else self.error


@pytest.mark.parametrize("group", sorted(FORMS))
@pytest.mark.parametrize("error", [ValidationFailed, PasswordBreached, PasswordContext])
async def test_a_refused_form_gives_its_token_back(house: House, group: str, error: type[Exception]) -> None:
    house.declare(public=True, limit_group=group)
    form = house.probe.act = Form(error)
    form.fails = True
    refused = [await house.call("unary") for _ in range(7)]
    assert [answer.code for answer in refused] == [CODE.INVALID_ARGUMENT] * 7
    assert [answer.headers["x-ratelimit-remaining"] for answer in refused] == ["3"] * 7
    form.fails = False
    assert await codes(house, 3) == [CODE.OK] * 3
    assert (await house.call("unary")).code is CODE.RESOURCE_EXHAUSTED


async def test_refused_forms_are_bounded_by_the_address(house: House) -> None:
    house.declare(public=True, limit_group="registration")
    form = house.probe.act = Form(ValidationFailed)
    form.fails = True
    assert await codes(house, 11) == [CODE.INVALID_ARGUMENT] * 10 + [CODE.RESOURCE_EXHAUSTED]
    assert (await house.call("unary")).details["ErrorInfo"].metadata["limit"] == "anonymous"


@pytest.mark.parametrize(("group", "tries"), [("login", 5), ("otp", 3), ("registration", 3)])
async def test_what_reads_an_account_costs_its_token(house: House, group: str, tries: int) -> None:
    house.declare(public=True, limit_group=group)
    form = house.probe.act = Form(EmailTaken if group == "registration" else ValidationFailed)
    form.fails = True
    assert (await codes(house, tries + 1))[-1] is CODE.RESOURCE_EXHAUSTED


class Refresh:
    """Checks that the call is charged to a session instead of the address, unless no session is known."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.session: str | None = "a session"
        self.error: type[Exception] | None = None

    async def __call__(self) -> None:
        if self.session is None:
            raise RefreshTokenInvalid
        await self.house.limiter.replace_charge([(BUDGETS.limit_named("refresh"), self.session)])
        if self.error is not None:
            raise self.error


async def test_refresh_is_charged_to_the_session_not_the_address(house: House) -> None:
    house.declare(public=True, limit_group="refresh")
    refresh = house.probe.act = Refresh(house)
    answers = [await house.call("unary") for _ in range(11)]
    assert [answer.code for answer in answers] == [CODE.OK] * 10 + [CODE.RESOURCE_EXHAUSTED]
    told = [(answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert told == [("10", str(left)) for left in (*reversed(range(10)), 0)]
    assert answers[-1].details["ErrorInfo"].metadata["limit"] == "refresh"
    refresh.session, refresh.error = "another session", RefreshTokenInvalid
    assert await codes(house, 10) == [CODE.UNAUTHENTICATED] * 10
    refresh.session = None
    assert await codes(house, 11) == [CODE.UNAUTHENTICATED] * 10 + [CODE.RESOURCE_EXHAUSTED]
    assert (await house.call("unary")).details["ErrorInfo"].metadata["limit"] == "anonymous"


async def test_refund_by_a_use_case_is_in_the_metadata(house: House) -> None:
    house.declare(public=True, limit_group="login")
    answers = [await house.call("unary") for _ in range(3)]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["5"] * 3


async def test_a_budget_of_a_use_case_is_spoken_of_when_it_refuses(house: House) -> None:
    async def look_up() -> None:
        await house.limiter.charge_also([(BUDGETS.limit_named("lookup_misses"), "a pharmacist")])

    house.probe.act = look_up
    token = house.bearer(Role.DOCTOR)
    answers = [await house.call("unary", token) for _ in range(6)]
    assert [answer.headers["x-ratelimit-limit"] for answer in answers] == ["50"] * 5 + ["5"]
    assert (answers[5].code, answers[5].details["ErrorInfo"].metadata["limit"]) == (
        CODE.RESOURCE_EXHAUSTED,
        "lookup_misses",
    )
    assert (answers[5].headers["x-ratelimit-remaining"], answers[5].headers["retry-after"]) == ("0", "12")


async def test_a_stream_counts_once_at_its_opening(house: House) -> None:
    house.declare(limit_group="events")
    house.probe.messages = 50
    token = house.bearer(Role.ADMIN)
    answer = await house.call("stream", token)
    assert len(answer.bodies) == 50
    assert answer.headers["x-ratelimit-remaining"] == "29"


async def test_health_costs_nothing_and_needs_no_token(house: House) -> None:
    """Checks a method that is not served here: it returns UNIMPLEMENTED, but is neither rejected nor limited."""
    path = "/grpc.health.v1.Health/Check"
    assert set(await codes(house, 20, face=path)) == {CODE.UNIMPLEMENTED}
    assert await codes(house, 1) == [CODE.UNAUTHENTICATED]
