"""Tests bounds of claims, their end against the will of the pharmacist, and what a pharmacy's members share."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from server.auth.storage.tables import memberships
from server.clinical.entities import PrescriptionStatus
from server.date_range import Period
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import ClaimLimitReached, NotFound, PrescriptionDispensed, PrescriptionInState
from server.pharmacy.entities import ClaimLimits, EndedBy, HistoryFilter, PharmacyAction
from server.pharmacy.services.closing import end_claims, end_claims_of_member, end_claims_of_pharmacy
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, colleagues, join
from tests.fixtures.pharmacy_steps import FIRST_PAGE, alter, current, prescribe, scan_and_validate
from tests.fixtures.prescriptions import line
from tests.fixtures.proofs import control

S = PrescriptionStatus
A = PharmacyAction


@control("S124")
async def test_hoarded_claims_end_at_the_limits(work: UnitOfWork, pharmacy_people: PharmacyPeople) -> None:
    """A pharmacist can neither claim more prescriptions nor renew one for ever; a release resets no count."""
    pharmacy, hoarder = a_service(work, limits=ClaimLimits(open_claims=2, renewals=2)), pharmacy_people.pharmacist
    first, second, third = [await prescribe(work, pharmacy_people) for _ in range(3)]
    for written in (first, second):
        await scan_and_validate(pharmacy, written, hoarder)
    with pytest.raises(ClaimLimitReached) as refusal:
        await scan_and_validate(pharmacy, third, hoarder)
    assert refusal.value.metadata == {"limit": "open_claims", "maximum": 2}
    await pharmacy.validate(hoarder, first.id, "")
    await pharmacy.release(hoarder, first.id)
    await pharmacy.validate(hoarder, first.id, "")
    with pytest.raises(ClaimLimitReached) as refusal:
        await pharmacy.validate(hoarder, first.id, "")
    assert refusal.value.metadata == {"limit": "renewals", "maximum": 2}


@control("S125")
async def test_deactivated_account_frees_its_claims_only(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    held, expired, others = [await prescribe(work, pharmacy_people) for _ in range(3)]
    for written in (held, expired):
        await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await scan_and_validate(pharmacy, others, pharmacy_people.colleague)
    await alter(work, expired, "expires_at = now() - interval '1 minute'")
    async with work.begin() as tx:
        await end_claims(tx, pharmacy_people.pharmacist.user_id)
    states = [(await current(work, written)).status for written in (held, expired, others)]
    assert states == [S.SCANNED, S.EXPIRED, S.VALIDATED]
    last = (await pharmacy.log(pharmacy_people.pharmacist, held.id, FIRST_PAGE)).items[-1]
    assert (last.action, last.notes, last.to_status) == (A.END_CLAIM, EndedBy.ACCOUNT, S.SCANNED)
    await scan_and_validate(pharmacy, held, pharmacy_people.colleague)


@control("S125")
async def test_ended_membership_or_pharmacy_frees_its_claims_only(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    """A pharmacist of two pharmacies keeps the claims of the other one; a claim that no pharmacy shares ends too."""
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
        elsewhere = replace(first, organisation_id=pharmacy_people.colleague.organisation_id)
        await join(tx.connection, elsewhere, elsewhere.organisation_id)
    own, shared, other, unshared = [await prescribe(work, pharmacy_people) for _ in range(4)]
    for written, caller in ((own, first), (shared, second), (other, elsewhere), (unshared, first)):
        await scan_and_validate(pharmacy, written, caller)
    await alter(work, unshared, "claimed_for_until = NULL")
    assert first.organisation_id is not None

    async with work.begin() as tx:
        await end_claims_of_member(tx, first.user_id, first.organisation_id)

    states = [(await current(work, written)).status for written in (own, shared, other, unshared)]
    assert states == [S.SCANNED, S.VALIDATED, S.VALIDATED, S.SCANNED]
    await scan_and_validate(pharmacy, own, first)
    async with work.begin() as tx:
        await end_claims_of_pharmacy(tx, [first.user_id, second.user_id], first.organisation_id)
    states = [(await current(work, written)).status for written in (own, shared, other)]
    assert states == [S.SCANNED, S.SCANNED, S.VALIDATED]
    notes = [(await pharmacy.log(first, written.id, FIRST_PAGE)).items[-1].notes for written in (shared, unshared)]
    assert notes == [EndedBy.CLOSURE, EndedBy.MEMBERSHIP]


@control("S125")
async def test_patient_and_administrator_end_a_claim(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
        administers = update(memberships).where(memberships.c.user_id == second.user_id)
        await tx.connection.execute(administers.values(member_right="administrator"))
    for caller, note in ((pharmacy_people.patient, EndedBy.PATIENT), (second, EndedBy.ADMINISTRATOR)):
        await scan_and_validate(pharmacy, written, first)
        for stranger in (first, pharmacy_people.colleague, replace(pharmacy_people.patient, user_id=new_id())):
            with pytest.raises(NotFound):
                await pharmacy.end_claim(stranger, written.id)
        assert (await pharmacy.end_claim(caller, written.id)).status is S.SCANNED
        last = (await pharmacy.log(first, written.id, FIRST_PAGE)).items[-1]
        assert (last.action, last.notes, last.pharmacist_name) == (A.END_CLAIM, note, "Fred Pharmacist")
        with pytest.raises(PrescriptionInState):
            await pharmacy.end_claim(caller, written.id)
    await alter(work, written, "status = 'dispensed', fulfilled_at = now()")
    with pytest.raises(PrescriptionDispensed):
        await pharmacy.end_claim(pharmacy_people.patient, written.id)


async def test_colleague_who_comes_second_learns_the_end(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    """The colleague never acted on it: their pharmacy did. Another pharmacy learns nothing."""
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
    prescription = await scan_and_validate(pharmacy, written, first)
    await pharmacy.dispense(first, written.id, [line(item) for item in prescription.items], "")
    for caller, refusal in ((second, PrescriptionDispensed), (pharmacy_people.colleague, NotFound)):
        for step in (
            pharmacy.validate(caller, written.id, ""),
            pharmacy.dispense(caller, written.id, [], ""),
            pharmacy.reject(caller, written.id, "forged"),
            pharmacy.release(caller, written.id),
        ):
            with pytest.raises(refusal):
                await step


@control("S126")
async def test_history_is_the_pharmacys_and_not_a_former_members(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
    prescription = await scan_and_validate(pharmacy, written, first)
    await pharmacy.dispense(first, written.id, [line(prescription.items[0])], "")
    wanted = HistoryFilter(Period(), A.DISPENSE)
    history = await pharmacy.history(second, wanted, FIRST_PAGE)
    assert [(entry.action, entry.pharmacist_name) for entry in history.items] == [(A.DISPENSE, "Fred Pharmacist")]
    assert len((await pharmacy.receipt(second, written.id)).lines) == 1
    former = replace(first, organisation_id=pharmacy_people.pharmacist.organisation_id)
    assert not (await pharmacy.history(former, wanted, FIRST_PAGE)).items
    for read in (pharmacy.receipt(former, written.id), pharmacy.log(former, written.id, FIRST_PAGE)):
        with pytest.raises(NotFound):
            await read
