"""Kills the server while it dispenses, and restarts it: `--fault-rounds=400` is the long run, with 200 kills."""

import asyncio
import random
from datetime import date
from decimal import Decimal

from medconnect_client import AsyncClient, DispenseLine, MedConnectError, RetryPolicy, models

from tests.fixtures.actors import PASSWORD, new_email
from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD
from tests.fixtures.serving_process import ServingProcess, serving_process

PATIENT = RetryPolicy(attempts=60, throttled=False)
LONGEST_MOMENT = 0.03
"""The server is killed within these seconds after a dispense has begun: before, during or after its transaction."""
UNITS = 7
START_COSTS = 2
"""The number of rounds of other faults that take as long as one start."""


async def test_a_killed_server_dispenses_once(database_url: str, fault_rounds: int) -> None:
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with serving_process(database_url) as process:
        async with AsyncClient(process.address, retry=PATIENT, timeout=120) as client:
            doctor, pharmacist, patient_id = await employ(client)
            told = [
                await round_of(process, client, (doctor, pharmacist), patient_id, chance.random() * LONGEST_MOMENT)
                for _ in range(max(1, fault_rounds // START_COSTS))
            ]
    print(f"acknowledged {told.count(True)}, indeterminate and settled {told.count(False)}, failed 0")


async def round_of(
    process: ServingProcess, client: AsyncClient, accounts: tuple[str, str], patient_id: str, moment: float
) -> bool:
    """Dispenses one prescription with one kill; returns True if the first call was acknowledged."""
    doctor, pharmacist = accounts
    await client.sign_in(doctor, PASSWORD)
    item = models.NewPrescriptionItem(medicine_name="Doxycycline", dosage="1", frequency="daily", quantity=2 * UNITS)
    new = models.NewPrescription(patient_id=patient_id, diagnosis="Cough", items=(item,))
    prescription = await client.clinical.create_prescription(new)
    await client.sign_in(pharmacist, PASSWORD)
    await client.pharmacy.lookup(prescription.prescription_number)
    await client.pharmacy.validate(prescription.id)
    lines = [DispenseLine(prescription.items[0].id, UNITS, Decimal("0.85"), "B-1", date(2100, 1, 1))]
    dispense = asyncio.create_task(client.pharmacy.dispense(prescription.id, lines))
    await asyncio.sleep(moment)
    process.kill()
    process.start()
    acknowledged = True
    try:
        await dispense
    except MedConnectError as error:
        acknowledged = False
        if not error.maybe_done:
            raise
        await client.pharmacy.dispense(prescription.id, lines, idempotency_key=error.idempotency_key)
    receipt = await client.pharmacy.receipt(prescription.id)
    assert [line.quantity for line in receipt.lines] == [UNITS]
    return acknowledged


async def employ(client: AsyncClient) -> tuple[str, str, str]:
    """Creates staff and a patient; returns the addresses of doctor and pharmacist, and the patient's id."""
    await client.sign_in(ADMIN_EMAIL, ADMIN_PASSWORD)
    doctor, pharmacist = new_email(), new_email()
    staff = models.AccountDetails(
        email=doctor, full_name="Dora Doctor", role=models.Role.DOCTOR, password=PASSWORD, license_number="MD-1"
    )
    await client.auth.create_user(staff)
    staff = models.AccountDetails(
        email=pharmacist,
        full_name="Fred Pharmacist",
        role=models.Role.PHARMACIST,
        password=PASSWORD,
        license_number="PH-1",
        pharmacy_name="Corner Pharmacy",
    )
    await client.auth.create_user(staff)
    await client.sign_in(doctor, PASSWORD)
    patient = models.NewPatient(full_name="Pat Patient", date_of_birth=date(1980, 1, 31), gender=models.Gender.OTHER)
    return doctor, pharmacist, (await client.clinical.create_patient(patient)).id
