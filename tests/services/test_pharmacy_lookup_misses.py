"""Tests the budget of misses: which lookups count, and that parallel guesses cannot exceed it."""

import asyncio

import pytest

from server.db.identifiers import new_id
from server.errors import DatabaseUnavailable, NotFound, PrescriptionDispensed, RateLimitExceeded
from server.pharmacy.services.lookup_misses import LookupMisses
from tests.fixtures.clock import SettableClock
from tests.fixtures.limits import BUDGETS, a_limiter

PHARMACIST = new_id()


@pytest.fixture
def misses(clock: SettableClock) -> LookupMisses:
    return LookupMisses(a_limiter(clock.clock), BUDGETS.limit_named("lookup_misses"))


async def look_up(misses: LookupMisses, outcome: BaseException | None = None) -> None:
    async with misses.counted(PHARMACIST):
        await asyncio.sleep(0)
        if outcome is not None:
            raise outcome


async def test_five_of_twenty_parallel_guesses_are_processed(misses: LookupMisses) -> None:
    guesses = [look_up(misses, NotFound("prescription")) for _ in range(20)]
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    assert (kinds.count(NotFound), kinds.count(RateLimitExceeded)) == (5, 15)


@pytest.mark.parametrize("outcome", [None, PrescriptionDispensed(), DatabaseUnavailable(), asyncio.CancelledError()])
async def test_lookup_that_is_no_miss_costs_nothing(misses: LookupMisses, outcome: BaseException | None) -> None:
    for _ in range(20):
        if outcome is None:
            await look_up(misses)
        else:
            with pytest.raises(type(outcome)):
                await look_up(misses, outcome)


async def test_a_miss_is_forgiven_after_its_share_of_a_minute(misses: LookupMisses, clock: SettableClock) -> None:
    for _ in range(5):
        with pytest.raises(NotFound):
            await look_up(misses, NotFound("patient"))
    with pytest.raises(RateLimitExceeded) as refusal:
        await look_up(misses)
    assert refusal.value.retry_after == pytest.approx(12)
    clock.forward(seconds=12.01)
    await look_up(misses)
