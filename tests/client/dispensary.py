"""Creates prescriptions to dispense under faults, and reads their true state from the database."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from medconnect_client import AsyncClient, DispenseLine, RetryPolicy, TokenStore
from medconnect_client.models import PharmacyPrescription
from sqlalchemy import text

from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.instance import RunningInstance

PATIENT: Final = RetryPolicy(attempts=12, throttled=False)
UNITS: Final = 7

DISPENSED = text(
    """
    SELECT (SELECT count(*) FROM pharmacy_log WHERE prescription_id = :id AND action = 'dispense') AS dispenses,
           (SELECT sum(dispensed_quantity) FROM prescription_items WHERE prescription_id = :id) AS units
    """
)
TURN_BACK = text("UPDATE prescriptions SET claim_expires_at = now() - interval '1 second' WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Truth:
    """The dispenses of a prescription according to the database."""

    dispenses: int
    units: int


ONCE: Final = Truth(dispenses=1, units=UNITS)
NEVER: Final = Truth(dispenses=0, units=0)


class Dispensary:
    """Creates prescriptions, and reads and changes them in the database directly."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._patient_id = actors.new_patient().patient_id

    @property
    def instance(self) -> RunningInstance:
        """The instance that clients reach through the faulty network."""
        return self._actors.instance

    def prescribe(self, units: int = 2 * UNITS) -> str:
        """Creates a prescription and returns its number."""
        return self._actors.prescribe(self._patient_id, units).prescription_number

    async def signed_in(
        self, address: str, *, tokens: TokenStore | None = None, attempt_timeout: float = 5.0
    ) -> AsyncClient:
        """Returns a client of this address, signed in as a new pharmacist."""
        client = AsyncClient(address, retry=PATIENT, tokens=tokens, timeout=30.0, attempt_timeout=attempt_timeout)
        await client.sign_in(self._actors.new_pharmacist().email, PASSWORD)
        return client

    def truth(self, prescription_id: str) -> Truth:
        """Returns the prescription's dispenses according to the database."""
        return self.instance.run(self._read(prescription_id))

    def lose_claim(self, prescription_id: str) -> None:
        """Makes the prescription's claim expire."""
        self.instance.run(self._execute(prescription_id))

    async def _read(self, prescription_id: str) -> Truth:
        async with self.instance.core.work.read() as tx:
            row = await tx.connection.one(DISPENSED, {"id": UUID(prescription_id)})
        return Truth(row["dispenses"], row["units"] or 0)

    async def _execute(self, prescription_id: str) -> None:
        async with self.instance.core.work.begin() as tx:
            await tx.connection.execute(TURN_BACK, {"id": UUID(prescription_id)})


async def found(client: AsyncClient, number: str) -> PharmacyPrescription:
    """Looks a prescription up by number, as this client's pharmacist."""
    (one,) = await client.pharmacy.lookup(number)
    return one.prescription


def part_of(prescription: PharmacyPrescription, units: int = UNITS) -> list[DispenseLine]:
    """Returns dispense lines for a part of the first medicine."""
    return [DispenseLine(prescription.items[0].id, units, Decimal("0.85"), "B-1", date(2100, 1, 1))]
