"""A claim ends with its block, by an action or by its release."""

from datetime import date
from decimal import Decimal

import grpc
import pytest
from medconnect_client import AsyncClient, DispenseLine, errors

from tests.client.messages import CLOSED, DISPENSED, REJECTED, RELEASED, VALIDATED, signed_in
from tests.fixtures.scripted_service import ScriptedService, refusal

LINES = [DispenseLine("i1", 20, Decimal("1.22"), "B-1", date(2031, 12, 31))]
LOST = refusal(grpc.StatusCode.FAILED_PRECONDITION, "CLAIMED_BY_OTHER")
AWAY = grpc.StatusCode.UNAVAILABLE


@pytest.fixture
async def pharmacist(client: AsyncClient, scripted: ScriptedService) -> AsyncClient:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    return client


def steps(scripted: ScriptedService) -> list[str]:
    return [asked.method.rpartition("/")[2].removesuffix("Prescription") for asked in scripted.asked]


async def test_a_dispensed_claim_is_not_given_back(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, DISPENSED)
    async with pharmacist.pharmacy.claim("p1") as claim:
        dispensing = await claim.dispense(LINES)
    assert dispensing.total_amount == Decimal("24.40")
    assert steps(scripted) == ["Validate", "Dispense"]


async def test_a_rejected_claim_is_not_given_back(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, REJECTED)
    async with pharmacist.pharmacy.claim("p1") as claim:
        await claim.reject("forged")
    assert steps(scripted) == ["Validate", "Reject"]


async def test_a_closed_claim_is_not_given_back(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, CLOSED)
    async with pharmacist.pharmacy.claim("p1") as claim:
        await claim.close("not available")
    assert steps(scripted) == ["Validate", "Close"]


async def test_any_other_claim_is(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, VALIDATED, RELEASED)
    async with pharmacist.pharmacy.claim("p1") as claim:
        await claim.renew()
    assert steps(scripted) == ["Validate", "Validate", "Release"]


async def test_a_refused_dispense_gives_it_back(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, refusal(grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_FAILED"), RELEASED)
    with pytest.raises(errors.ValidationFailed):
        async with pharmacist.pharmacy.claim("p1") as claim:
            await claim.dispense(LINES)
    assert steps(scripted) == ["Validate", "Dispense", "Release"]


async def test_a_lost_claim_needs_no_giving_back(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(VALIDATED, LOST)
    async with pharmacist.pharmacy.claim("p1"):
        pass
    assert steps(scripted) == ["Validate", "Release"]


async def test_a_block_that_went_well_is_told_that_giving_back_did_not(
    pharmacist: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(VALIDATED, AWAY)
    with pytest.raises(errors.Unavailable):
        async with pharmacist.pharmacy.claim("p1"):
            pass


async def test_giving_back_never_hides_the_blocks_own_exception(
    pharmacist: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(VALIDATED, AWAY)
    with pytest.raises(ZeroDivisionError):
        async with pharmacist.pharmacy.claim("p1"):
            raise ZeroDivisionError


async def test_without_a_claim_the_block_is_not_entered(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(LOST)
    with pytest.raises(errors.ClaimedByOther):
        async with pharmacist.pharmacy.claim("p1"):
            pytest.fail("entered")
    assert steps(scripted) == ["Validate"]
