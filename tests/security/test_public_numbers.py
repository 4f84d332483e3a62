"""S40: public reference numbers cannot be guessed."""

import asyncio
import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2

from server.clinical.entities import NewPrescription, NewPrescriptionItem
from server.clinical.rules import reference_number
from server.clinical.rules.reference_number import new_patient_reference, new_prescription_number
from server.clinical.services.prescriptions import PrescriptionService
from server.db.unit_of_work import UnitOfWork
from server.errors import NotFound, RateLimitExceeded
from server.identity import Caller, Role
from server.pagination import PageTokens
from server.typed_number import CROCKFORD
from tests.fixtures.actors import Actors
from tests.fixtures.clock import SettableClock
from tests.fixtures.instance import RunningInstance
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service
from tests.fixtures.prescriptions import TODAY
from tests.fixtures.proofs import control

PRESCRIPTIONS_OF_A_DAY: Final = 2_000
NUMBERS_OF_A_DAY: Final = 4_096
"""A range so small that hundreds collide: of the real 2^35, two would in 17,000 such days."""
GUESSES: Final = 500


@control("S40")
async def test_pharmacist_is_limited_after_five_misses(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written, clock: SettableClock
) -> None:
    pharmacy = a_service(work, clock.clock)
    for number in (new_prescription_number(TODAY), new_patient_reference(TODAY)) * 2:
        with pytest.raises(NotFound):
            await pharmacy.look_up(pharmacy_people.pharmacist, number)
    for _ in range(10):
        assert await pharmacy.look_up(pharmacy_people.pharmacist, written.number)
    with pytest.raises(NotFound):
        await pharmacy.look_up(pharmacy_people.pharmacist, new_prescription_number(TODAY))
    for number in (new_prescription_number(TODAY), written.number):
        with pytest.raises(RateLimitExceeded) as refusal:
            await pharmacy.look_up(pharmacy_people.pharmacist, number)
        assert refusal.value.metadata == {"limit": "lookup_misses"}
        assert refusal.value.retry_after == pytest.approx(12)
    assert await pharmacy.look_up(pharmacy_people.colleague, written.number)
    clock.forward(seconds=12.1)
    assert await pharmacy.look_up(pharmacy_people.pharmacist, written.number)


@control("S40")
async def test_of_500_guesses_five_are_answered_none_found(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written, clock: SettableClock
) -> None:
    pharmacy = a_service(work, clock.clock)
    answers: list[type[Exception]] = []
    for _ in range(GUESSES):
        with pytest.raises((NotFound, RateLimitExceeded)) as told:
            await pharmacy.look_up(pharmacy_people.pharmacist, new_prescription_number(TODAY))
        answers.append(told.type)
    assert answers == [NotFound] * 5 + [RateLimitExceeded] * (GUESSES - 5)


@control("S40")
def test_collision_among_2000_numbers_reaches_no_caller(actors: Actors, instance: RunningInstance) -> None:
    doctor = actors.new_doctor()
    request = clinical.CreatePatientRequest(
        full_name="Nora Noaddress", date_of_birth="1990-02-28", gender=patient_pb2.GENDER_FEMALE
    )
    patient_id = actors.clinical.CreatePatient(request, metadata=doctor.metadata).patient.id
    drawn: list[str] = []
    numbers = instance.run(write_many(instance, UUID(doctor.user_id), UUID(patient_id), drawn))
    assert len(set(numbers)) == len(numbers) == PRESCRIPTIONS_OF_A_DAY
    assert len(drawn) > PRESCRIPTIONS_OF_A_DAY + 100  # how often a number was taken
    assert all(reference_number.normalize(number).text == number for number in numbers)
    assert len({number[:11] for number in numbers}) == 1


async def write_many(instance: RunningInstance, doctor_id: UUID, patient_id: UUID, drawn: list[str]) -> list[str]:
    """Writes the day's prescriptions through the service, ten at a time; `drawn` gets every number that was tried."""
    day = date(2026, 12, 1)

    def narrow(_: date) -> str:
        tail = "".join(random.choices(CROCKFORD, k=2)) + random.choice("0123")
        payload = f"0000{tail}"
        digits = f"{day:%Y%m%d}"
        drawn.append(f"RX-{digits}-{payload}{reference_number.check_character(digits + payload)}")
        return drawn[-1]

    core = instance.core
    service = PrescriptionService(
        core.work, core.clock, core.issuer, PageTokens(b"k" * 32), valid=timedelta(days=30), new_number=narrow
    )
    caller = Caller(doctor_id, Role.DOCTOR, UUID(int=0))
    item = NewPrescriptionItem("Doxycycline", "1", "daily", Decimal(1), "", "", None)
    new = NewPrescription(patient_id, None, "Sinusitis", "", (item,))

    async def write(count: int) -> list[str]:
        return [(await service.create(caller, new)).number for _ in range(count)]

    batches = await asyncio.gather(*(write(PRESCRIPTIONS_OF_A_DAY // 10) for _ in range(10)))
    return [number for batch in batches for number in batch]
