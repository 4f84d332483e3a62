"""Lists of prescriptions: one statement reads and audits each page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page
from server.clinical.entities import Prescription, PrescriptionStatus
from server.clinical.storage.prescription_query import select_prescription
from server.clinical.storage.prescription_row import prescription_of
from server.clinical.storage.tables import patients, prescriptions, status_now
from server.db.connection import Connection
from server.db.keyset_query import KeysetQuery

_column = prescriptions.c

_LIST: Final = KeysetQuery(
    select_prescription,
    prescriptions,
    conditions={
        "doctor_id": _column.doctor_id == bindparam("doctor_id"),
        "patient_user_id": _column.patient_id
        == select(patients.c.id).where(patients.c.user_id == bindparam("patient_user_id")).scalar_subquery(),
        "patient_id": _column.patient_id == bindparam("patient_id"),
        "statuses": status_now == any_(bindparam("statuses", type_=ARRAY(Text))),
        "written_from": _column.created_at >= bindparam("written_from"),
        "written_before": _column.created_at < bindparam("written_before"),
    },
    order=(_column.created_at, _column.id),
    cursor=(bindparam("after", type_=_column.created_at.type), bindparam("after_id", type_=Uuid)),
    with_audit=lambda page: audited_page(page, "prescription", patient_id="patient_id"),
)


@dataclass(frozen=True, slots=True)
class PrescriptionFilter:
    """Filter of a list of prescriptions; a field that is empty or None does not filter."""

    statuses: tuple[PrescriptionStatus, ...] = ()
    patient_id: UUID | None = None
    written_from: datetime | None = None
    written_before: datetime | None = None


class PrescriptionListRepository:
    """Reads pages of prescriptions, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_doctor(
        self, doctor_id: UUID, narrowed: PrescriptionFilter, after: tuple[datetime, UUID] | None, size: int
    ) -> tuple[tuple[Prescription, ...], int]:
        """Returns up to `size` + 1 of the doctor's after a cursor, newest first, and how many the filter finds."""
        return await self._page({"doctor_id": doctor_id}, narrowed, after, size)

    async def of_patient(
        self, user_id: UUID, narrowed: PrescriptionFilter, after: tuple[datetime, UUID] | None, size: int
    ) -> tuple[tuple[Prescription, ...], int]:
        """Returns up to `size` + 1 of the patient's after a cursor, newest first, and how many the filter finds."""
        return await self._page({"patient_user_id": user_id}, narrowed, after, size)

    async def _page(
        self,
        owner: Mapping[str, UUID],
        narrowed: PrescriptionFilter,
        after: tuple[datetime, UUID] | None,
        size: int,
    ) -> tuple[tuple[Prescription, ...], int]:
        filters = {
            **owner,
            "patient_id": narrowed.patient_id,
            "statuses": list(narrowed.statuses) or None,
            "written_from": narrowed.written_from,
            "written_before": narrowed.written_before,
        }
        cursor = {} if after is None else {"after": after[0], "after_id": after[1]}
        record = audit_params(AuditEvent.PRESCRIPTIONS_LISTED)
        rows, found = await _LIST.fetch(self._connection, filters, cursor, size, record)
        return tuple(prescription_of(row) for row in rows), found
