"""Tests that expired prescriptions and claims are stored as they are reported."""

from server.clinical.jobs.expiry import ExpiryJob
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.clinical import Clinic, open_clinic
from tests.fixtures.clock import SettableClock


async def stored(clinic: Clinic) -> dict[str, str]:
    """Returns the stored state of each prescription, whatever the time is."""
    return {row["number"]: row["status"] for row in await clinic.execute("SELECT number, status FROM prescriptions")}


async def test_expired_claims_are_released_and_prescriptions_expire(work: UnitOfWork, clock: SettableClock) -> None:
    clinic = await open_clinic(work, clock.clock)
    held, overdue, partly, past = [await clinic.prescribe() for _ in range(4)]
    await clinic.claim(held.id)
    await clinic.claim(overdue.id, lease="-1 minute")
    await clinic.claim(partly.id, lease="-1 minute", source="partially_dispensed")
    await clinic.alter(past.id, expires_at="now() - interval '1 second'")
    answered = {p.id: await clinic.prescriptions.get(clinic.doctor, p.id) for p in (held, overdue, partly, past)}

    await ExpiryJob(work).expire_due()

    assert await stored(clinic) == {
        held.number: "validated",
        overdue.number: "scanned",
        partly.number: "partially_dispensed",
        past.number: "expired",
    }
    for prescription in answered.values():
        written = await clinic.prescriptions.get(clinic.doctor, prescription.id)
        assert (written.status, written.claim, written.changed_at) == (
            prescription.status,
            prescription.claim,
            prescription.changed_at,
        )


async def test_a_claim_that_outlived_its_prescription_ends_expired(work: UnitOfWork, clock: SettableClock) -> None:
    clinic = await open_clinic(work, clock.clock)
    prescription = await clinic.prescribe()
    await clinic.claim(prescription.id, lease="-1 minute")
    await clinic.alter(prescription.id, expires_at="now() - interval '1 second'")

    await ExpiryJob(work).expire_due()

    assert await stored(clinic) == {prescription.number: "expired"}


async def test_more_than_one_round_is_written_down(work: UnitOfWork, clock: SettableClock) -> None:
    clinic = await open_clinic(work, clock.clock)
    await clinic.execute(
        """
        INSERT INTO prescriptions (id, number, patient_id, doctor_id, diagnosis, expires_at)
        SELECT gen_random_uuid(), 'RX-' || n, :patient, :doctor, 'Cough', now() - interval '1 day'
        FROM generate_series(1, 1001) AS n
        """,
        patient=clinic.paula.id,
        doctor=clinic.doctor.user_id,
    )

    await ExpiryJob(work).expire_due()

    assert set((await stored(clinic)).values()) == {"expired"}
