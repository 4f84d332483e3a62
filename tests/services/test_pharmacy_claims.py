"""Tests claims on a real database: who may take one, which callers it excludes, and how it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from server.clinical.entities import PrescriptionStatus
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    ClaimedByOther,
    NotFound,
    OrganisationRequired,
    PrescriptionInState,
)
from server.identity import Caller
from server.pharmacy.entities import PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written, colleagues
from tests.fixtures.pharmacy_steps import ENDS, FIRST_PAGE, alter, current, run, scan_and_validate
from tests.fixtures.prescriptions import line
from tests.fixtures.proofs import control

S = PrescriptionStatus
A = PharmacyAction


async def test_validate_sets_lease_by_database_time_and_logs_notes(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    validation = await pharmacy.validate(pharmacy_people.pharmacist, written.id, "checked")
    assert validation.claim_expires_at == validation.prescription.as_of + timedelta(minutes=30)
    stored = await current(work, written)
    assert stored.claim == validation.prescription.claim
    log = await pharmacy.log(pharmacy_people.pharmacist, written.id, FIRST_PAGE)
    last = log.items[-1]
    assert (last.action, last.from_status, last.to_status) == (A.VALIDATE, S.SCANNED, S.VALIDATED)
    assert (last.notes, last.pharmacist_name, last.pharmacy_name) == (
        "checked",
        "Fred Pharmacist",
        "Fred Pharmacist's",
    )


Step = Callable[[PharmacyService, Caller, Written], Awaitable[object]]


async def _validate(pharmacy: PharmacyService, caller: Caller, written: Written) -> object:
    return await pharmacy.validate(caller, written.id, "")


async def _dispense(pharmacy: PharmacyService, caller: Caller, written: Written) -> object:
    return await pharmacy.dispense(caller, written.id, [], "")


async def _reject(pharmacy: PharmacyService, caller: Caller, written: Written) -> object:
    return await pharmacy.reject(caller, written.id, "forged")


async def _release(pharmacy: PharmacyService, caller: Caller, written: Written) -> object:
    return await pharmacy.release(caller, written.id)


STEPS = [_validate, _dispense, _reject, _release]


@pytest.mark.parametrize("step", STEPS)
async def test_validate_without_scan_is_like_an_unknown_prescription(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written, step: Step
) -> None:
    absent = Written(new_id(), "", new_id(), "")
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    for target in (written, absent):
        with pytest.raises(NotFound) as refusal:
            await step(pharmacy, pharmacy_people.colleague, target)
        assert refusal.value.metadata == {"resource": "prescription"}
    for changes, _ in ENDS:
        await alter(work, written, changes)
        with pytest.raises(NotFound):
            await step(pharmacy, pharmacy_people.colleague, written)
        await alter(work, written, "status = 'scanned', fulfilled_at = NULL")


@pytest.mark.parametrize("step", STEPS)
async def test_validate_and_reject_after_old_scan_need_a_new_scan(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written, step: Step
) -> None:
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    await run(work, "UPDATE pharmacy_log SET occurred_at = now() - interval '24 hours'")
    expected = NotFound if step in (_validate, _reject) else PrescriptionInState
    with pytest.raises(expected):
        await step(pharmacy, pharmacy_people.pharmacist, written)


async def test_a_validation_is_no_look_at_the_prescription(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.release(pharmacy_people.pharmacist, written.id)
    await run(work, "UPDATE pharmacy_log SET occurred_at = now() - interval '25 hours' WHERE action = 'scan'")
    with pytest.raises(NotFound):
        await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")


@control("S38")
@pytest.mark.parametrize("step", STEPS[1:])
async def test_claim_excludes_pharmacists_who_never_scanned(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written, step: Step
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    with pytest.raises(ClaimedByOther):
        await step(pharmacy, pharmacy_people.colleague, written)


async def test_validate_claimed_reports_the_claim_only_after_a_scan(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    with pytest.raises(NotFound):
        await pharmacy.validate(pharmacy_people.colleague, written.id, "")
    await pharmacy.scan(pharmacy_people.colleague, written.qr_text)
    with pytest.raises(ClaimedByOther) as refusal:
        await pharmacy.validate(pharmacy_people.colleague, written.id, "")
    assert set(refusal.value.metadata) == {"state", "claim_expires_at"}


@control("S38")
async def test_expired_lease_lets_another_validate(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await alter(work, written, "claim_expires_at = now()")
    lines = [line(item) for item in prescription.items]
    with pytest.raises(PrescriptionInState) as refused:
        await pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, "")
    assert refused.value.metadata == {"state": S.SCANNED}
    assert (await pharmacy.scan(pharmacy_people.colleague, written.qr_text)).can_dispense
    await pharmacy.validate(pharmacy_people.colleague, written.id, "")
    with pytest.raises(ClaimedByOther):
        await pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, "")
    dispensed = await pharmacy.dispense(pharmacy_people.colleague, written.id, lines, "")
    assert dispensed.prescription.status is S.DISPENSED


async def test_claim_taken_in_time_may_be_finished_after_validity(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await alter(work, written, "expires_at = now() - interval '1 minute'")
    some = await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0])], "")
    assert some.prescription.status is S.EXPIRED
    assert (await current(work, written)).status is S.EXPIRED


async def test_release_ends_the_claim(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    released = await pharmacy.release(pharmacy_people.pharmacist, written.id)
    stored = await current(work, written)
    assert (released.status, stored.status, stored.claim) == (S.SCANNED, S.SCANNED, None)
    with pytest.raises(PrescriptionInState):
        await pharmacy.release(pharmacy_people.pharmacist, written.id)


@control("S111")
async def test_colleague_goes_on_with_the_claim_and_the_log_names_them(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    """A colleague who never scanned the prescription renews, dispenses a part, claims the rest again and releases."""
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
    prescription = await scan_and_validate(pharmacy, written, first)
    await pharmacy.validate(second, written.id, "")
    await pharmacy.dispense(second, written.id, [line(prescription.items[0], 1)], "")
    await pharmacy.validate(first, written.id, "")
    await pharmacy.release(second, written.id)
    log = await pharmacy.log(first, written.id, FIRST_PAGE)
    acts = [(entry.action, entry.pharmacist_name) for entry in log.items]
    fred, carla = "Fred Pharmacist", "Carla Colleague"
    assert acts == [
        (A.SCAN, fred),
        (A.VALIDATE, fred),
        (A.VALIDATE, carla),
        (A.DISPENSE, carla),
        (A.VALIDATE, fred),
        (A.RELEASE, carla),
    ]


@control("S111")
async def test_former_member_loses_the_claim_and_the_pharmacy_keeps_it(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
        elsewhere, _ = await colleagues(tx.connection, pharmacy_people)
    await scan_and_validate(pharmacy, written, first)
    for former in (elsewhere, replace(first, organisation_id=None)):
        for step in STEPS:
            refusal = NotFound if step is _validate else ClaimedByOther
            with pytest.raises(refusal if former.organisation_id else OrganisationRequired):
                await step(pharmacy, former, written)
    assert (await pharmacy.release(second, written.id)).status is S.SCANNED


async def test_claim_taken_by_an_older_server_is_its_pharmacists_alone(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    """A server of the version before leaves the columns of the pharmacy as the claim before it left them."""
    async with work.begin() as tx:
        first, second = await colleagues(tx.connection, pharmacy_people)
    await scan_and_validate(pharmacy, written, first)
    await alter(work, written, "claim_expires_at = claim_expires_at + interval '1 s'")
    with pytest.raises(ClaimedByOther):
        await pharmacy.release(second, written.id)
    assert (await pharmacy.release(first, written.id)).status is S.SCANNED
