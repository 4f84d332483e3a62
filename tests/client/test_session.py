"""Tokens are refreshed before they expire, once for all waiting calls, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect_client import AsyncClient, MemoryTokens, Tokens, errors

from tests.client.conftest import TurnedClock
from tests.client.messages import SCANNED, access_token, refreshed, signed_in
from tests.fixtures.proofs import control
from tests.fixtures.scripted_service import ScriptedService, refusal


def exchanges(scripted: ScriptedService) -> int:
    return sum(asked.method.endswith("/RefreshToken") for asked in scripted.asked)


def tokens(scripted: ScriptedService) -> list[str]:
    return [asked.metadata.get("authorization", "").removeprefix("Bearer ") for asked in scripted.asked]


async def test_a_token_is_exchanged_before_it_ends(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in(), SCANNED)
    await client.sign_in("p@example.org", "secret")
    turned.forward(839)
    await client.pharmacy.scan("MC1.x")
    turned.forward(2)
    scripted.answer(refreshed("second"), SCANNED)
    await client.pharmacy.scan("MC1.x")
    assert exchanges(scripted) == 1
    assert tokens(scripted)[-1] == access_token("second")


@control("S100")
async def test_refresh_tells_whether_a_person_acted(scripted: ScriptedService, turned: TurnedClock) -> None:
    acted = iter((False, True))
    async with AsyncClient(scripted.address, clock=turned.clock, attended=lambda: next(acted)) as client:
        scripted.answer(signed_in(), SCANNED)
        await client.sign_in("p@example.org", "secret")
        sent = []
        for name in ("second", "third"):
            turned.forward(841)
            scripted.answer(refreshed(name), SCANNED)
            await client.pharmacy.scan("MC1.x")
            sent += [pb.RefreshTokenRequest.FromString(a.body) for a in scripted.asked if a.method.endswith("Token")]
    assert [(request.refresh_token, request.unattended) for request in sent] == [
        ("refresh-first", True),
        ("refresh-second", False),
    ]
    assert not sent[1].HasField("unattended")  # as clients of former releases


async def test_a_short_life_has_a_short_margin(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in(life=60.0), SCANNED)
    await client.sign_in("p@example.org", "secret")
    turned.forward(47)
    await client.pharmacy.scan("MC1.x")
    assert exchanges(scripted) == 0


async def test_fifty_waiters_share_one_exchange(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    turned.forward(1000)
    scripted.answer(refreshed("second"), SCANNED)
    await asyncio.gather(*(client.pharmacy.scan("MC1.x") for _ in range(50)))
    assert exchanges(scripted) == 1
    assert len(scripted.asked) == 51


async def test_fifty_waiters_are_told_of_one_failure_each(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    turned.forward(1000)
    scripted.answer(refusal(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"))
    told = await asyncio.gather(*(client.pharmacy.scan("MC1.x") for _ in range(50)), return_exceptions=True)
    assert {type(error) for error in told} == {errors.RefreshTokenInvalid}
    assert len({id(error) for error in told}) == 50
    assert exchanges(scripted) == 1


async def test_cancelled_waiter_does_not_cancel_the_others(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    begun = asyncio.Event()

    async def slow() -> Message:
        begun.set()
        await asyncio.sleep(0.1)
        return refreshed("second")

    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    turned.forward(1000)
    scripted.answer(slow, SCANNED)
    impatient = asyncio.create_task(client.pharmacy.scan("MC1.x"))
    await begun.wait()
    patient = asyncio.create_task(client.pharmacy.scan("MC1.x"))
    impatient.cancel()
    assert (await patient).can_dispense
    assert exchanges(scripted) == 1


async def test_current_token_is_used_while_the_server_is_away(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    turned.forward(850)
    scripted.answer(*[grpc.StatusCode.UNAVAILABLE] * 4, SCANNED)
    assert (await client.pharmacy.scan("MC1.x")).can_dispense
    assert tokens(scripted)[-1] == access_token("first")


async def test_a_wrong_local_clock_does_no_harm(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    turned.moment += timedelta(days=3)
    scripted.answer(signed_in(), SCANNED)
    await client.sign_in("p@example.org", "secret")
    await client.pharmacy.scan("MC1.x")
    assert exchanges(scripted) == 0


async def test_a_lost_exchange_is_repeated_with_the_same_token(
    client: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    turned.forward(1000)
    scripted.answer(grpc.StatusCode.UNAVAILABLE, refreshed("second"), SCANNED)
    await client.pharmacy.scan("MC1.x")
    assert len({asked.body for asked in scripted.asked[:2]}) == 1


async def test_kept_tokens_are_used_by_the_next_client(scripted: ScriptedService, turned: TurnedClock) -> None:
    kept = Tokens(access_token("kept"), "refresh-kept", turned.moment + timedelta(minutes=10))
    store = MemoryTokens(kept)
    scripted.answer(SCANNED)
    async with AsyncClient(scripted.address, tokens=store, clock=turned.clock) as client:
        assert client.signed_in
        await client.pharmacy.scan("MC1.x")
    assert tokens(scripted) == [access_token("kept")]


class SharedTokens(MemoryTokens):
    """A store whose tokens another program has refreshed while this one waited for the lock."""

    def __init__(self, mine: Tokens, theirs: Tokens) -> None:
        super().__init__(mine)
        self._theirs = theirs

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        self.save(self._theirs)
        yield


async def test_tokens_that_another_program_got_are_taken_over(scripted: ScriptedService, turned: TurnedClock) -> None:
    mine = Tokens(access_token("mine"), "refresh-mine", turned.moment)
    theirs = Tokens(access_token("theirs"), "refresh-theirs", turned.moment + timedelta(minutes=15))
    scripted.answer(SCANNED)
    async with AsyncClient(scripted.address, tokens=SharedTokens(mine, theirs), clock=turned.clock) as client:
        await client.pharmacy.scan("MC1.x")
    assert tokens(scripted) == [access_token("theirs")]


async def test_signing_out_forgets_the_tokens_whatever_happens(client: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(signed_in(), grpc.StatusCode.UNAVAILABLE)
    await client.sign_in("p@example.org", "secret")
    with pytest.raises(errors.Unavailable):
        await client.sign_out()
    assert not client.signed_in


def test_tokens_do_not_show_themselves() -> None:
    shown = repr(Tokens("the access token", "the refresh token", TurnedClock().moment))
    assert "token'" not in shown
    assert "the access token" not in shown
