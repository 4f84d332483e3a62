"""Rejections on the real database: what may be rejected, and who is told."""

import pytest

from server.clinical.entities import PrescriptionStatus
from server.errors import (
    PrescriptionInState,
)
from server.pharmacy.service import PharmacyService
from server.unit_of_work import UnitOfWork
from tests.fixtures.counter import current, mails, scan_and_validate
from tests.fixtures.pharmacy import Ward, Written, line

S = PrescriptionStatus


@pytest.mark.parametrize("validated", [False, True])
async def test_a_rejection_tells_patient_and_doctor(
    work: UnitOfWork, ward: Ward, pharmacy: PharmacyService, written: Written, validated: bool
) -> None:
    await pharmacy.scan(ward.pharmacist, written.qr_text)
    if validated:
        await pharmacy.validate(ward.pharmacist, written.id, "")
    rejected = await pharmacy.reject(ward.pharmacist, written.id, "dose too high")
    stored = await current(work, written)
    assert (rejected.status, stored.status, stored.status_reason) == (S.REJECTED, S.REJECTED, "dose too high")
    assert sorted(await mails(work), key=str) == sorted(
        [
            ("rejected", ward.patient.user_id, written.id, {}),
            ("rejected", ward.doctor.user_id, written.id, {}),
        ],
        key=str,
    )


async def test_what_was_handed_out_in_part_cannot_be_rejected(
    ward: Ward, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, ward.pharmacist)
    await pharmacy.dispense(ward.pharmacist, written.id, [line(prescription.items[0], 1)], "")
    with pytest.raises(PrescriptionInState):
        await pharmacy.reject(ward.pharmacist, written.id, "too late")
    await pharmacy.validate(ward.pharmacist, written.id, "")
    with pytest.raises(PrescriptionInState) as refusal:
        await pharmacy.reject(ward.pharmacist, written.id, "too late")
    assert refusal.value.metadata == {"state": S.VALIDATED}
