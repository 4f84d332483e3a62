"""Prescriptions in every situation of their life cycle."""

import json
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2, prescription_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from sqlalchemy import text

from server.clinical.storage.expiry import ExpiryRepository
from tests.fixtures.actors import Actor, Actors, new_email
from tests.fixtures.instance import RunningInstance
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS

PRESCRIBED: Final = 10
PART: Final = 3

SNAPSHOT: Final = text(
    """
    SELECT jsonb_build_object(
        'prescription', (SELECT to_jsonb(row) FROM prescriptions AS row WHERE id = CAST(:id AS uuid)),
        'items', (SELECT jsonb_agg(row ORDER BY row.id) FROM prescription_items AS row WHERE prescription_id = :id),
        'codes', (SELECT jsonb_agg(row ORDER BY row.id) FROM qr_codes AS row WHERE prescription_id = :id),
        'log', (SELECT jsonb_agg(row ORDER BY row.id) FROM pharmacy_log AS row WHERE prescription_id = :id),
        'lines', (SELECT jsonb_agg(row ORDER BY row.id) FROM dispensed_lines AS row
            JOIN pharmacy_log AS entry ON entry.id = row.log_id WHERE entry.prescription_id = :id),
        'emails', (SELECT count(*) FROM emails AS row WHERE prescription_id = :id))
    """
)


@dataclass(frozen=True, slots=True)
class Specimen:
    """A prescription in one of the situations, and the pharmacist who acts on it."""

    written: prescription_pb2.Prescription
    reference_number: str
    qr_text: str
    pharmacist: Actor

    @property
    def id(self) -> str:
        return self.written.id

    def lines(self, quantity: int) -> pharmacy.DispensePrescriptionRequest:
        """Returns the request that dispenses this quantity."""
        request = pharmacy.DispensePrescriptionRequest(prescription_id=self.id)
        request.items.add(
            item_id=self.written.items[0].id,
            quantity=quantity,
            unit_price="1.50",
            batch_number="B-1",
            expiry_date="2099-12-31",
        )
        return request


class PrescriptionStates:
    """Brings prescriptions into every situation, by the API if possible and by SQL if only time could do it."""

    def __init__(self, actors: Actors, instance: RunningInstance) -> None:
        self._actors = actors
        self._instance = instance
        self._caller = actors.pharmacist
        self._other = actors.new_pharmacist()
        self._kept: dict[str, Specimen] = {}

    def fresh(self, situation: str, email: str | None = None) -> Specimen:
        """Returns a new prescription in that situation, of a new patient, with or without an address."""
        specimen = self._written(email)
        getattr(self, f"_{situation}")(specimen)
        return specimen

    def kept(self, situation: str) -> Specimen:
        """Returns the same prescription for all actions that must not change it."""
        if situation not in self._kept:
            self._kept[situation] = self.fresh(situation, new_email())
        return self._kept[situation]

    def rows(self, specimen: Specimen) -> Any:
        """Returns all stored rows of it; expiry shows as persisted, because that may happen at any moment."""
        return self._instance.run(self._rows(specimen.id))

    def state(self, specimen: Specimen) -> str:
        """Returns the state that its doctor sees."""
        request = clinical.GetPrescriptionRequest(prescription_id=specimen.id)
        answer = over_grpc(self._actors, RPCS["GetPrescription"], request, self._actors.doctor)
        return str(answer.body["prescription"]["status"])

    def open_quantity(self, specimen: Specimen) -> int:
        """Returns how much of its one item is not dispensed yet."""
        item = self.rows(specimen)["items"][0]
        return int(item["quantity"] - item["dispensed_quantity"])

    def alter(self, specimen: Specimen, statement: str) -> None:
        """Makes a change by SQL that otherwise only time makes."""
        self._instance.run(self._execute(statement, specimen.id))

    def act(self, name: str, request: Message, actor: Actor) -> None:
        """Sends a call that must succeed."""
        answer = over_grpc(self._actors, RPCS[name], request, actor)
        assert answer.ok, (name, answer)

    def see(self, specimen: Specimen, actor: Actor | None = None) -> None:
        """Looks the prescription up."""
        request = pharmacy.LookupPrescriptionsRequest(reference_number=specimen.written.prescription_number)
        self.act("LookupPrescriptions", request, actor or self._caller)

    def hold(self, specimen: Specimen, actor: Actor | None = None) -> None:
        """Claims the prescription for a pharmacist."""
        self.see(specimen, actor)
        request = pharmacy.ValidatePrescriptionRequest(prescription_id=specimen.id)
        self.act("ValidatePrescription", request, actor or self._caller)

    def _written(self, email: str | None) -> Specimen:
        request = clinical.CreatePatientRequest(
            email=email, full_name="Table Patient", date_of_birth="1980-01-31", gender=patient_pb2.GENDER_OTHER
        )
        patient = self._actors.clinical.CreatePatient(request, metadata=self._actors.doctor.metadata).patient
        written = self._actors.prescribe(patient.id, PRESCRIBED)
        return Specimen(written, patient.reference_number, self._actors.qr_text(written.id), self._caller)

    def _pending(self, specimen: Specimen) -> None:
        self.see(specimen)
        self.alter(specimen, "UPDATE prescriptions SET status = 'pending' WHERE id = :id")

    def _scanned(self, specimen: Specimen) -> None:
        self.see(specimen)

    def _held(self, specimen: Specimen) -> None:
        self.hold(specimen)

    def _held_after_part(self, specimen: Specimen) -> None:
        self._part_dispensed(specimen)
        self.hold(specimen)

    def _held_by_other(self, specimen: Specimen) -> None:
        self.see(specimen)
        self.hold(specimen, self._other)

    def _part_dispensed(self, specimen: Specimen) -> None:
        self.hold(specimen)
        self.act("DispensePrescription", specimen.lines(PART), self._caller)

    def _dispensed(self, specimen: Specimen) -> None:
        self.hold(specimen)
        self.act("DispensePrescription", specimen.lines(PRESCRIBED), self._caller)

    def _rejected(self, specimen: Specimen) -> None:
        self.see(specimen)
        request = pharmacy.RejectPrescriptionRequest(prescription_id=specimen.id, reason="not legible")
        self.act("RejectPrescription", request, self._caller)

    def _closed(self, specimen: Specimen) -> None:
        self._part_dispensed(specimen)
        request = pharmacy.ClosePrescriptionRequest(prescription_id=specimen.id, reason="not available")
        self.act("ClosePrescription", request, self._caller)

    def _cancelled(self, specimen: Specimen) -> None:
        self.see(specimen)
        request = clinical.CancelPrescriptionRequest(prescription_id=specimen.id, reason="written twice")
        self.act("CancelPrescription", request, self._actors.doctor)

    def _expired(self, specimen: Specimen) -> None:
        self._old_scanned(specimen)
        self.alter(specimen, "UPDATE prescriptions SET status = 'expired', changed_at = expires_at WHERE id = :id")

    def _lease_over(self, specimen: Specimen) -> None:
        self.hold(specimen)
        self._end_lease(specimen)

    def _lease_of_other_over(self, specimen: Specimen) -> None:
        self._held_by_other(specimen)
        self._end_lease(specimen)

    def _lease_after_part(self, specimen: Specimen) -> None:
        self._held_after_part(specimen)
        self._end_lease(specimen)

    def _old_pending(self, specimen: Specimen) -> None:
        self._pending(specimen)
        self._end_validity(specimen)

    def _old_scanned(self, specimen: Specimen) -> None:
        self.see(specimen)
        self._end_validity(specimen)

    def _old_part_dispensed(self, specimen: Specimen) -> None:
        self._part_dispensed(specimen)
        self._end_validity(specimen)

    def _old_lease_over(self, specimen: Specimen) -> None:
        self._lease_over(specimen)
        self._end_validity(specimen)

    def _old_held(self, specimen: Specimen) -> None:
        self.hold(specimen)
        self._end_validity(specimen)

    def _suspended(self, specimen: Specimen) -> None:
        self.see(specimen)
        self.alter(specimen, "UPDATE prescriptions SET suspended_at = now() WHERE id = :id")

    def _later(self, specimen: Specimen) -> None:
        self._pending(specimen)
        self.alter(
            specimen,
            "UPDATE prescriptions SET valid_from = CURRENT_DATE + 2, starts_at = now() + interval '1 d' WHERE id = :id",
        )

    def _old_suspended(self, specimen: Specimen) -> None:
        self._suspended(specimen)
        self._end_validity(specimen)

    def _end_lease(self, specimen: Specimen) -> None:
        self.alter(specimen, "UPDATE prescriptions SET claim_expires_at = now() - interval '1 s' WHERE id = :id")

    def _end_validity(self, specimen: Specimen) -> None:
        self.alter(specimen, "UPDATE prescriptions SET expires_at = now() - interval '1 s' WHERE id = :id")
        self.alter(specimen, "UPDATE qr_codes SET expires_at = now() - interval '1 s' WHERE prescription_id = :id")

    async def _execute(self, statement: str, prescription_id: str) -> None:
        async with self._instance.core.work.begin() as tx:
            await tx.connection.execute(text(statement), {"id": prescription_id})

    async def _rows(self, prescription_id: str) -> Any:
        async with self._instance.core.work.begin() as tx:
            await tx[ExpiryRepository].expire_due()
            found = json.loads(await tx.connection.scalar(SNAPSHOT, {"id": prescription_id}))
            await tx.connection.execute(text("ROLLBACK"))
            await tx.connection.execute(text("BEGIN"))
        return found
