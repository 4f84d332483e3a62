"""Medical visits in the database."""

from dataclasses import astuple
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Date, Select, Text, Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import insert

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page
from server.auth.storage.tables import user_named_at, users
from server.clinical.entities import NewVisit, Visit, VisitType, VitalSigns
from server.clinical.storage.tables import patient_named_at, patients, visits
from server.date_range import Period
from server.db.connection import Connection, Row
from server.db.identifiers import new_id
from server.db.keyset_query import KeysetQuery
from server.errors import NotFound

_column = visits.c

_doctor = user_named_at(_column.doctor_id, _column.created_at, "doctor")
_patient = patient_named_at(_column.patient_id, _column.created_at, "patient")

select_visit: Select[Any] = select(
    *visits.c, _patient.c.full_name.label("patient_name"), _doctor.c.full_name.label("doctor_name")
).select_from(visits.join(_doctor, true()).join(_patient, true()))
"""A visit with the names of patient and doctor at the time it was recorded."""
_visited = patients.alias("visited")
_STORED = (
    select_visit.join(_visited, _visited.c.id == _column.patient_id)
    .add_columns(_visited.c.date_of_birth.label("born"), _visited.c.identified_at.is_not(None).label("identified"))
    .where(_column.id == bindparam("id"))
)

_GIVEN: Final = (
    "visit_date",
    "visit_type",
    "chief_complaint",
    "symptoms",
    "diagnosis",
    "treatment_notes",
    "recommendations",
)
_MEASURED: Final = ("blood_pressure", "heart_rate", "temperature", "weight", "height")
_NOTHING: Final = VitalSigns(None, None, None, None, None)

_INSERT = insert(visits).from_select(
    ["id", "patient_id", "doctor_id", "hospital_name", *_GIVEN, *_MEASURED],
    select(
        bindparam("id", type_=Uuid),
        patients.c.id,
        users.c.id,
        func.coalesce(func.nullif(bindparam("hospital_name", type_=Text), ""), users.c.hospital_name),
        *(bindparam(name, type_=_column[name].type) for name in (*_GIVEN, *_MEASURED)),
    )
    .select_from(patients.join(users, users.c.id == bindparam("doctor_id")))
    .where(patients.c.id == bindparam("patient_id")),
)

_LIST = KeysetQuery(
    select_visit,
    visits,
    conditions={
        "doctor_id": _column.doctor_id == bindparam("doctor_id"),
        "patient_id": _column.patient_id == bindparam("patient_id"),
        "first": _column.visit_date >= bindparam("first"),
        "last": _column.visit_date <= bindparam("last"),
    },
    order=(_column.visit_date, _column.id),
    cursor=(bindparam("after", type_=Date), bindparam("after_id", type_=Uuid)),
    with_audit=lambda page: audited_page(page, "visit", patient_id="patient_id"),
)


class VisitRepository:
    """Reads and writes medical visits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, doctor_id: UUID, new: NewVisit) -> tuple[Visit, date | None, bool]:
        """Stores a visit; returns it, the patient's date of birth, and whether staff have identified the patient.

        Raises NotFound("patient").
        """
        visit_id = new_id()
        measured = astuple(new.vital_signs or _NOTHING)
        values = {
            "id": visit_id,
            "patient_id": new.patient_id,
            "doctor_id": doctor_id,
            "hospital_name": new.hospital_name,
            **{name: getattr(new, name) for name in _GIVEN},
            **dict(zip(_MEASURED, measured, strict=True)),
        }
        await self._connection.execute(_INSERT, values)
        row = await self._connection.first(_STORED, {"id": visit_id})
        if row is None:
            raise NotFound("patient")
        return visit_of(row), row["born"], row["identified"]

    async def page_of_doctor(
        self,
        doctor_id: UUID,
        patient_id: UUID | None,
        period: Period,
        after: tuple[date, UUID] | None,
        size: int,
    ) -> tuple[tuple[Visit, ...], int]:
        """Returns up to `size` + 1 of the doctor's visits after a cursor, newest first, and how many the filter finds.

        The read is audited.
        """
        filters = {
            "doctor_id": doctor_id,
            "patient_id": patient_id,
            "first": period.first,
            "last": period.last,
        }
        cursor = {} if after is None else {"after": after[0], "after_id": after[1]}
        record = audit_params(AuditEvent.VISITS_LISTED)
        rows, found = await _LIST.fetch(self._connection, filters, cursor, size, record)
        return tuple(visit_of(row) for row in rows), found


def visit_of(row: Row) -> Visit:
    """Returns the visit of a row of `select_visit`."""
    measured = VitalSigns(row["blood_pressure"], row["heart_rate"], row["temperature"], row["weight"], row["height"])
    return Visit(
        id=row["id"],
        patient_id=row["patient_id"],
        patient_name=row["patient_name"],
        doctor_name=row["doctor_name"],
        visit_date=row["visit_date"],
        visit_type=VisitType(row["visit_type"]),
        chief_complaint=row["chief_complaint"],
        symptoms=row["symptoms"],
        diagnosis=row["diagnosis"],
        treatment_notes=row["treatment_notes"],
        recommendations=row["recommendations"],
        hospital_name=row["hospital_name"],
        vital_signs=None if measured == _NOTHING else measured,
        created_at=row["created_at"],
    )
