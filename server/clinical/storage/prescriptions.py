"""Prescriptions in the database; one statement reads each with its items and its open QR code."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Interval,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_row
from server.auth.storage.acting import ActingRepository, active_account
from server.clinical.entities import Claim, NewPrescription, NewPrescriptionItem, Prescription, PrescriptionStatus
from server.clinical.storage.prescription_query import select_prescription
from server.clinical.storage.prescription_row import prescription_of
from server.clinical.storage.tables import patients, prescriptions, qr_codes, status_now, visits
from server.clinical.validity import LaterValidity
from server.db.connection import Connection
from server.db.identifiers import new_id
from server.errors import NotFound
from server.identity import Caller, Role

OPEN_AT_ONCE: Final = 50
"""Limit on the open prescriptions found for one patient, the newest first; patients rarely have more."""

_OPEN: Final = ["pending", "scanned", "validated", "partially_dispensed"]

_column = prescriptions.c

_UNCHANGED = literal_column(
    "prescriptions.ctid = (SELECT seen.ctid FROM prescriptions AS seen WHERE seen.id = prescriptions.id)", Boolean
)
"""False if the locked row is newer than the statement's snapshot of it."""


def _locking(rows: Select[Any]) -> Select[Any]:
    """Returns the same query with row locks that block changes but not foreign key checks."""
    locked = rows.add_columns(_UNCHANGED.label("unchanged"))
    return locked.with_for_update(of=(prescriptions, qr_codes), key_share=True)


def lock_where(holds: ColumnElement[bool]) -> Select[Any]:
    """Returns a query for `get_for_update` that finds a prescription only if a condition of another slice holds."""
    return _locking(_BY_ID.where(holds))


_BY_ID = select_prescription.where(_column.id == bindparam("id"))
_BY_IDS = select_prescription.where(_column.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_OF_DOCTOR = _BY_ID.where(_column.doctor_id == bindparam("doctor_id"))
_OF_READER = _BY_ID.where(or_(_column.doctor_id == bindparam("user_id"), patients.c.user_id == bindparam("user_id")))
_READ_OF_DOCTOR = audited_row(_OF_DOCTOR, "prescription", patient_id="patient_id")
_READ_OF_READER = audited_row(_OF_READER, "prescription", patient_id="patient_id")
_READ_BY_ID = audited_row(_BY_ID, "prescription", patient_id="patient_id")
_LOCK_BY_ID = _locking(_BY_ID)
_LOCK_BY_NUMBER = _locking(select_prescription.where(_column.number == bindparam("number")))
_LOCK_OF_READER = _locking(_OF_READER)

_LOCK_OPEN_OF_PATIENT = (
    select(_column.id)
    .where(
        _column.patient_id
        == select(patients.c.id).where(patients.c.reference_number == bindparam("reference")).scalar_subquery(),
        status_now == any_(bindparam("open", type_=ARRAY(Text))),
        _column.suspended_at.is_(None),
        or_(_column.starts_at.is_(None), _column.starts_at <= func.now()),
    )
    .order_by(_column.created_at.desc(), _column.id.desc())
    .limit(OPEN_AT_ONCE + 1)
    .with_for_update(of=prescriptions, key_share=True)
)
_OPEN_BY_IDS = select_prescription.where(
    _column.id == any_(bindparam("ids", type_=ARRAY(Uuid))), status_now == any_(bindparam("open", type_=ARRAY(Text)))
).order_by(_column.created_at.desc(), _column.id.desc())
_PATIENT_ID = select(patients.c.id).where(patients.c.reference_number == bindparam("reference"))

_SUBJECT = (
    select(
        patients.c.id,
        visits.c.id.label("visit_id"),
        patients.c.identified_at.is_not(None).label("identified"),
    )
    .select_from(
        patients.outerjoin(
            visits,
            (visits.c.id == bindparam("visit_id", type_=Uuid))
            & (visits.c.patient_id == patients.c.id)
            & (visits.c.doctor_id == bindparam("doctor_id", type_=Uuid)),
        )
    )
    .where(patients.c.id == bindparam("patient_id"), active_account(bindparam("doctor_id", type_=Uuid)))
)

_INSERT = (
    insert(prescriptions)
    .values(
        expires_at=func.coalesce(
            bindparam("ends_at", type_=DateTime(timezone=True)), func.now() + bindparam("valid", type_=Interval)
        )
    )
    .on_conflict_do_nothing(index_elements=["number"])
    .returning(_column.created_at, _column.expires_at)
)

_INSERT_ITEMS = text(
    """
    INSERT INTO prescription_items
        (id, prescription_id, position, medicine_name, dosage, frequency, quantity, quantity_fraction,
        quantity_unit, instructions, route, duration_days, substitution_allowed)
    SELECT item.id, CAST(:prescription_id AS uuid), item.position, item.medicine_name, item.dosage, item.frequency,
        trunc(item.quantity), item.quantity % 1, item.unit, item.instructions, item.route, item.duration_days,
        item.substitution_allowed
    FROM unnest(CAST(:ids AS uuid[]), CAST(:medicine_names AS text[]), CAST(:dosages AS text[]),
        CAST(:frequencies AS text[]), CAST(:quantities AS numeric[]), CAST(:units AS text[]),
        CAST(:instructions AS text[]), CAST(:routes AS text[]), CAST(:durations AS integer[]),
        CAST(:substitutions_allowed AS boolean[])) WITH ORDINALITY
        AS item (id, medicine_name, dosage, frequency, quantity, unit, instructions, route, duration_days,
            substitution_allowed, position)
    """
)

_ADD_DISPENSED = text(
    """
    UPDATE prescription_items
    SET dispensed_quantity = trunc(dispensed_quantity + dispensed_fraction + line.quantity),
        dispensed_fraction = (dispensed_quantity + dispensed_fraction + line.quantity) % 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:quantities AS numeric[])) AS line (id, quantity)
    WHERE prescription_items.id = line.id
    """
)

_MOVE_ALL = text(
    """
    UPDATE prescriptions SET status = CAST(:status AS text), changed_at = now()
    WHERE id = ANY(CAST(:ids AS uuid[]))
    """
)

_MOVE = text(
    """
    UPDATE prescriptions
    SET status = CAST(:status AS text), status_reason = :reason, changed_at = now(),
        fulfilled_at = CASE WHEN CAST(:status AS text) = 'dispensed' THEN now() END,
        claimed_by = CAST(:claimed_by AS uuid), claimed_from = CAST(:claimed_from AS text),
        claim_expires_at = CAST(:claim_expires_at AS timestamptz), claimed_for = CAST(:claimed_for AS uuid),
        claimed_for_until = CAST(:claim_expires_at AS timestamptz)
    WHERE id = CAST(:id AS uuid)
    RETURNING changed_at, fulfilled_at
    """
)


@dataclass(frozen=True, slots=True)
class Validity:
    """The period in which a prescription may be dispensed."""

    created_at: datetime
    expires_at: datetime


class PrescriptionRepository:
    """Reads and writes prescriptions; raises NotFound("prescription") for one that is missing or not permitted."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, prescription_id: UUID) -> Prescription:
        """Returns the prescription, without a check of the caller."""
        return await self._read_one(_BY_ID, id=prescription_id)

    async def by_ids(self, ids: Collection[UUID]) -> Mapping[UUID, Prescription]:
        """Returns those of these prescriptions that exist, without a check of the caller, by one statement."""
        rows = await self._connection.rows(_BY_IDS, {"ids": list(ids)})
        return {row["id"]: prescription_of(row) for row in rows}

    async def read_of_doctor(self, prescription_id: UUID, doctor_id: UUID) -> Prescription:
        """Returns the prescription if this doctor wrote it; the read is audited."""
        record = audit_params(AuditEvent.PRESCRIPTION_READ)
        return await self._read_one(_READ_OF_DOCTOR, id=prescription_id, doctor_id=doctor_id, **record)

    async def read_code_of_reader(self, prescription_id: UUID, user_id: UUID) -> Prescription:
        """Returns the prescription to show its code, for its doctor's or patient's account; the read is audited."""
        record = audit_params(AuditEvent.QR_CODE_READ)
        return await self._read_one(_READ_OF_READER, id=prescription_id, user_id=user_id, **record)

    async def read_for_receipt(self, prescription_id: UUID, reader: Caller) -> Prescription:
        """Returns the prescription for its patient, or for a pharmacist who dispensed it; the read is audited."""
        statement = _READ_OF_READER if reader.role is Role.PATIENT else _READ_BY_ID
        record = audit_params(AuditEvent.RECEIPT_READ)
        return await self._read_one(statement, id=prescription_id, user_id=reader.user_id, **record)

    async def get_for_update(
        self, prescription_id: UUID, lock: Select[Any] = _LOCK_BY_ID, **values: object
    ) -> Prescription:
        """Locks and returns the prescription; `lock` comes from `lock_where`, `values` are its parameters."""
        return await self._lock_one(lock, id=prescription_id, **values)

    async def by_number_for_update(self, number: str) -> Prescription:
        """Locks and returns the prescription with this number (in its canonical form)."""
        return await self._lock_one(_LOCK_BY_NUMBER, number=number)

    async def of_reader_for_update(self, prescription_id: UUID, user_id: UUID) -> Prescription:
        """Locks and returns the prescription for the account of its doctor or of its patient."""
        return await self._lock_one(_LOCK_OF_READER, id=prescription_id, user_id=user_id)

    async def open_of_patient_for_update(self, reference_number: str) -> tuple[UUID, tuple[Prescription, ...], bool]:
        """Locks a patient's open and valid prescriptions; returns the patient's id and the prescriptions, newest first.

        Returns at most OPEN_AT_ONCE, and whether the patient has more. Raises NotFound("patient") if no patient has the
        number. Locks first and then reads: a single locking statement that waits would return items and codes as they
        were before the wait.
        """
        values = {"reference": reference_number, "open": _OPEN}
        locked = await self._connection.scalars(_LOCK_OPEN_OF_PATIENT, values)
        ids = locked[:OPEN_AT_ONCE]
        rows = await self._connection.rows(_OPEN_BY_IDS, {"ids": ids, "open": _OPEN}) if ids else ()
        found = tuple(prescription_of(row) for row in rows)
        if found:
            return found[0].patient_id, found, len(locked) > len(ids)
        patient_id = await self._connection.scalar(_PATIENT_ID, {"reference": reference_number})
        if patient_id is None:
            raise NotFound("patient")
        return patient_id, (), False

    async def check_subject(self, patient_id: UUID, visit_id: UUID | None, doctor: Caller) -> bool:
        """Locks the doctor's account, and returns whether a member of staff has identified the patient.

        Raises AccountNotVerified, NotFound("patient"), or NotFound("visit") for a visit not of this patient with this
        doctor.
        """
        values = {"patient_id": patient_id, "visit_id": visit_id, "doctor_id": doctor.user_id}
        row = await self._connection.first(_SUBJECT, values)
        if row is None:
            await ActingRepository(self._connection).check(doctor)
            raise NotFound("patient")
        if row["visit_id"] != visit_id:
            raise NotFound("visit")
        return bool(row["identified"])

    async def insert(
        self,
        prescription_id: UUID,
        number: str,
        doctor_id: UUID,
        new: NewPrescription,
        valid: timedelta,
        later: LaterValidity | None = None,
    ) -> Validity | None:
        """Stores the prescription without items and code; returns None and stores nothing if the number is taken.

        valid: how long it is valid from now on, unless `later` states another period.
        """
        values = {
            "id": prescription_id,
            "number": number,
            "patient_id": new.patient_id,
            "doctor_id": doctor_id,
            "visit_id": new.visit_id,
            "diagnosis": new.diagnosis,
            "doctor_notes": new.doctor_notes,
            "valid": valid,
            "valid_from": later and later.valid_from,
            "starts_at": later and later.starts_at,
            "ends_at": later and later.ends_at,
        }
        row = await self._connection.first(_INSERT, values)
        return None if row is None else Validity(row["created_at"], row["expires_at"])

    async def insert_items(self, prescription_id: UUID, items: Sequence[NewPrescriptionItem]) -> None:
        """Stores the items in their order, by one statement for all."""
        values = {
            "prescription_id": prescription_id,
            "ids": [new_id() for _ in items],
            "medicine_names": [item.medicine_name for item in items],
            "dosages": [item.dosage for item in items],
            "frequencies": [item.frequency for item in items],
            "quantities": [item.quantity for item in items],
            "units": [item.quantity_unit for item in items],
            "instructions": [item.instructions for item in items],
            "routes": [item.route for item in items],
            "durations": [item.duration_days for item in items],
            "substitutions_allowed": [item.substitution_allowed for item in items],
        }
        await self._connection.execute(_INSERT_ITEMS, values)

    async def move(
        self, prescription: Prescription, to: PrescriptionStatus, *, claim: Claim | None = None, reason: str = ""
    ) -> Prescription:
        """Stores the state of a locked prescription and returns the new one; without `claim` it is unclaimed."""
        values = {
            "id": prescription.id,
            "status": to,
            "reason": reason,
            "claimed_by": claim and claim.pharmacist_id,
            "claimed_from": claim and claim.claimed_from,
            "claim_expires_at": claim and claim.expires_at,
            "claimed_for": claim and claim.organisation_id,
        }
        row = await self._connection.one(_MOVE, values)
        return replace(prescription, status=to, status_reason=reason, claim=claim, **row)

    async def move_all(self, prescriptions: Sequence[Prescription], to: PrescriptionStatus) -> tuple[Prescription, ...]:
        """Stores the same state for locked, unclaimed prescriptions, by one statement (none if there are none)."""
        if prescriptions:
            values = {"ids": [prescription.id for prescription in prescriptions], "status": to}
            await self._connection.execute(_MOVE_ALL, values)
        return tuple(replace(moved, status=to, changed_at=moved.as_of) for moved in prescriptions)

    async def add_dispensed(self, quantities: Mapping[UUID, Decimal]) -> None:
        """Adds to the dispensed quantity of each item, by one statement; the prescription must be locked."""
        values = {"ids": list(quantities), "quantities": list(quantities.values())}
        await self._connection.execute(_ADD_DISPENSED, values)

    async def _read_one(self, statement: Select[Any], **values: object) -> Prescription:
        row = await self._connection.first(statement, values)
        if row is None:
            raise NotFound("prescription")
        return prescription_of(row)

    async def _lock_one(self, statement: Select[Any], **values: object) -> Prescription:
        """Locks and reads in one statement; reads again in the rare case that it waited for a concurrent change.

        After a wait PostgreSQL returns the new rows of the locked tables, but the items of the statement's old
        snapshot, and no row at all if the open code was replaced. The second read already holds the lock, so it is
        consistent.
        """
        row = await self._connection.first(statement, values)
        if row is None or not row["unchanged"]:
            return await self._read_one(statement, **values)
        return prescription_of(row)
