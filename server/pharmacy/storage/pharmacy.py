"""The pharmacies' log and the dispensed lines, in the database."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Uuid, any_, bindparam, exists, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AUDIT_CTE, audit_params, audited_page, with_audit_binds
from server.auth.storage.tables import user_named_at
from server.clinical.entities import PrescriptionStatus
from server.clinical.quantities import QuantityUnit
from server.clinical.storage.tables import (
    patient_named_at,
    patients,
    prescription_items,
    prescriptions,
)
from server.db.connection import Connection, Row
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.errors import NotFound
from server.identity import Caller, Role
from server.pagination import MomentAndId
from server.pharmacy.entities import (
    DispensedLine,
    HistoryEntry,
    HistoryFilter,
    LogEntry,
    NewEntry,
    NewLine,
    PharmacyAction,
)
from server.pharmacy.storage.tables import dispensed_lines, pharmacy_log

# The same statement writes the audit record, so neither exists without the other. Entries carry the time at which they
# are written (clock_timestamp), not the start of their transaction: on a locked prescription that is the true order.
_ADD_ENTRIES: Final = with_audit_binds(
    text(
        f"""
        WITH {AUDIT_CTE}
        INSERT INTO pharmacy_log
            (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status, notes,
            occurred_at)
        SELECT entry.*, clock_timestamp()
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:prescription_ids AS uuid[]), CAST(:pharmacist_ids AS uuid[]),
            CAST(:organisation_ids AS uuid[]),
            CAST(:actions AS text[]), CAST(:from_statuses AS text[]), CAST(:to_statuses AS text[]),
            CAST(:notes AS text[])
        ) AS entry
        """  # noqa: S608 - AUDIT_CTE is a constant
    )
)
_ADD_DISPENSING: Final = with_audit_binds(
    text(
        f"""
        WITH {AUDIT_CTE}, entry AS (
            INSERT INTO pharmacy_log
                (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status, notes,
            occurred_at)
            VALUES
                (:id, :prescription_id, :pharmacist_id, :organisation_id, :action, :from_status, :to_status, :notes,
                clock_timestamp())
            RETURNING id
        )
        INSERT INTO dispensed_lines
            (id, log_id, item_id, dispensed_before, before_fraction, quantity, quantity_fraction, unit_price, currency,
            batch_number, expiry_date, product_code, dispensed_medicine_name, substitution_reason)
        SELECT line.id, entry.id, line.item_id, trunc(line.dispensed_before), line.dispensed_before % 1,
            trunc(line.quantity), line.quantity % 1, line.unit_price, line.currency, line.batch_number,
            line.expiry_date, line.product_code, line.dispensed_medicine_name, line.substitution_reason
        FROM entry, unnest(
            CAST(:line_ids AS uuid[]), CAST(:item_ids AS uuid[]), CAST(:dispensed_before AS numeric[]),
            CAST(:quantities AS numeric[]), CAST(:unit_prices AS numeric[]), CAST(:currencies AS text[]),
            CAST(:batch_numbers AS text[]), CAST(:expiry_dates AS date[]), CAST(:product_codes AS text[]),
            CAST(:dispensed_medicine_names AS text[]), CAST(:substitution_reasons AS text[])
        ) AS line (id, item_id, dispensed_before, quantity, unit_price, currency, batch_number, expiry_date,
            product_code, dispensed_medicine_name, substitution_reason)
        """  # noqa: S608 - AUDIT_CTE is a constant
    )
)

_order: Final = (pharmacy_log.c.occurred_at, pharmacy_log.c.id)
_acted: Final = pharmacy_log.alias("acted")
_pharmacist: Final = user_named_at(pharmacy_log.c.pharmacist_id, pharmacy_log.c.occurred_at, "pharmacist")
_patient: Final = patient_named_at(prescriptions.c.patient_id, prescriptions.c.created_at, "patient")
"""The patient as named when the prescription was written."""

_HISTORY: Final = KeysetQuery(
    select(
        pharmacy_log,
        prescriptions.c.number,
        prescriptions.c.patient_id,
        _patient.c.full_name,
        _pharmacist.c.full_name.label("pharmacist_name"),
    )
    .join_from(pharmacy_log, prescriptions)
    .join(_patient, true())
    .join(_pharmacist, true()),
    pharmacy_log,
    conditions={
        "organisation_id": pharmacy_log.c.organisation_id == bindparam("organisation_id"),
        "since": pharmacy_log.c.occurred_at >= bindparam("since"),
        "until": pharmacy_log.c.occurred_at < bindparam("until"),
        "action": pharmacy_log.c.action == bindparam("action"),
    },
    order=_order,
    cursor=MOMENT_CURSOR,
    with_audit=lambda page: audited_page(page, "prescription", patient_id="patient_id"),
)
_LOG: Final = KeysetQuery(
    select(pharmacy_log, prescriptions.c.patient_id, _pharmacist.c.full_name, _pharmacist.c.pharmacy_name)
    .join_from(pharmacy_log, _pharmacist, true())
    .join(prescriptions, prescriptions.c.id == pharmacy_log.c.prescription_id),
    pharmacy_log,
    conditions={
        "prescription_id": pharmacy_log.c.prescription_id == bindparam("prescription_id"),
        "acquainted_id": exists().where(
            _acted.c.prescription_id == pharmacy_log.c.prescription_id,
            _acted.c.organisation_id == bindparam("acquainted_id"),
        ),
    },
    order=_order,
    cursor=MOMENT_CURSOR,
    descending=False,
    with_audit=lambda page: audited_page(page, "prescription", patient_id="patient_id", empty=False),
)


def _lines() -> Select[Any]:
    return (
        select(
            dispensed_lines.c.log_id,
            dispensed_lines.c.item_id,
            prescription_items.c.medicine_name,
            (dispensed_lines.c.quantity + dispensed_lines.c.quantity_fraction).label("quantity"),
            prescription_items.c.quantity_unit,
            dispensed_lines.c.unit_price,
            dispensed_lines.c.currency,
            dispensed_lines.c.batch_number,
            dispensed_lines.c.expiry_date,
            _pharmacist.c.pharmacy_name,
            pharmacy_log.c.occurred_at.label("dispensed_at"),
            dispensed_lines.c.product_code,
            dispensed_lines.c.dispensed_medicine_name,
            dispensed_lines.c.substitution_reason,
        )
        .join_from(dispensed_lines, pharmacy_log)
        .join(prescription_items, prescription_items.c.id == dispensed_lines.c.item_id)
        .join(_pharmacist, true())
        .order_by(
            pharmacy_log.c.occurred_at,
            pharmacy_log.c.id,
            prescription_items.c.position,
            dispensed_lines.c.dispensed_before,
            dispensed_lines.c.before_fraction,
        )
    )


_LINES_OF_ENTRIES: Final = _lines().where(pharmacy_log.c.id == any_(bindparam("log_ids", type_=ARRAY(Uuid))))
_LINES_BY_PHARMACY: Final = _lines().where(
    pharmacy_log.c.prescription_id == bindparam("prescription_id"),
    pharmacy_log.c.organisation_id == bindparam("reader_id", type_=Uuid),
)
_LINES_OF_PATIENT: Final = (
    _lines()
    .join(prescriptions, prescriptions.c.id == pharmacy_log.c.prescription_id)
    .join(patients, patients.c.id == prescriptions.c.patient_id)
    .where(
        prescriptions.c.id == bindparam("prescription_id"),
        patients.c.user_id == bindparam("reader_id"),
    )
)


class PharmacyRepository:
    """Reads and appends to the log; entries are never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: AuditEvent, subject: Subject, *entries: NewEntry) -> None:
        """Logs actions and writes the call's audit record, in one statement."""
        await self._connection.execute(
            _ADD_ENTRIES,
            {
                **audit_params(event, subject),
                "ids": [entry.id for entry in entries],
                "prescription_ids": [entry.prescription_id for entry in entries],
                "pharmacist_ids": [entry.pharmacist_id for entry in entries],
                "organisation_ids": [entry.organisation_id for entry in entries],
                "actions": [entry.action for entry in entries],
                "from_statuses": [entry.from_status for entry in entries],
                "to_statuses": [entry.to_status for entry in entries],
                "notes": [entry.notes for entry in entries],
            },
        )

    async def add_dispensing(self, subject: Subject, entry: NewEntry, lines: Sequence[NewLine]) -> None:
        """Logs a dispense with its lines and writes the audit record, in one statement."""
        await self._connection.execute(
            _ADD_DISPENSING,
            {
                **audit_params(AuditEvent.PRESCRIPTION_DISPENSED, subject),
                "id": entry.id,
                "prescription_id": entry.prescription_id,
                "pharmacist_id": entry.pharmacist_id,
                "organisation_id": entry.organisation_id,
                "action": entry.action,
                "from_status": entry.from_status,
                "to_status": entry.to_status,
                "notes": entry.notes,
                "line_ids": [line.id for line in lines],
                "item_ids": [line.item_id for line in lines],
                "dispensed_before": [line.dispensed_before for line in lines],
                "quantities": [line.quantity for line in lines],
                "unit_prices": [line.unit_price for line in lines],
                "currencies": [line.currency for line in lines],
                "batch_numbers": [line.batch_number for line in lines],
                "expiry_dates": [line.expiry_date for line in lines],
                "product_codes": [line.product_code for line in lines],
                "dispensed_medicine_names": [line.dispensed_medicine_name for line in lines],
                "substitution_reasons": [line.substitution_reason for line in lines],
            },
        )

    async def history(
        self, pharmacy_id: UUID, wanted: HistoryFilter, zone: ZoneInfo, after: MomentAndId | None, size: int
    ) -> tuple[list[HistoryEntry], int]:
        """Returns up to `size` + 1 of the pharmacy's actions, newest first, and how many there are.

        Dispenses come with their lines. zone: the time zone of the filter's days. The read is audited.
        """
        filters = {
            "organisation_id": pharmacy_id,
            "since": wanted.period.starts_at(zone),
            "until": wanted.period.ends_before(zone),
            "action": wanted.action,
        }
        record = audit_params(AuditEvent.DISPENSING_HISTORY_READ)
        rows, found = await _HISTORY.fetch(self._connection, filters, after_moment(after), size, record)
        lines = await self._lines_of([row["id"] for row in rows if row["action"] == PharmacyAction.DISPENSE])
        return [_history_entry(row, lines.get(row["id"], ())) for row in rows], found

    async def log(
        self, prescription_id: UUID, pharmacy_id: UUID, after: MomentAndId | None, size: int
    ) -> tuple[list[LogEntry], int]:
        """Returns up to `size` + 1 entries of a prescription, oldest first, and how many there are.

        The read is audited. Raises NotFound unless the pharmacy acted on the prescription.
        """
        filters = {"prescription_id": prescription_id, "acquainted_id": pharmacy_id}
        record = audit_params(AuditEvent.PRESCRIPTION_LOG_READ, Subject("prescription", prescription_id))
        rows, found = await _LOG.fetch(self._connection, filters, after_moment(after), size, record)
        if not found:
            raise NotFound("prescription")
        return [_log_entry(row) for row in rows], found

    async def lines_for(self, prescription_id: UUID, reader: Caller) -> tuple[DispensedLine, ...]:
        """Returns dispensed lines, oldest first: all for the patient, for a pharmacist their pharmacy's."""
        if reader.role is Role.PATIENT:
            parameters = {"prescription_id": prescription_id, "reader_id": reader.user_id}
            rows = await self._connection.rows(_LINES_OF_PATIENT, parameters)
        else:
            of_pharmacy = {"prescription_id": prescription_id, "reader_id": reader.organisation_id}
            rows = await self._connection.rows(_LINES_BY_PHARMACY, of_pharmacy)
        return tuple(map(_line, rows))

    async def _lines_of(self, log_ids: Sequence[UUID]) -> dict[UUID, tuple[DispensedLine, ...]]:
        if not log_ids:
            return {}
        rows = await self._connection.rows(_LINES_OF_ENTRIES, {"log_ids": log_ids})
        lines: dict[UUID, tuple[DispensedLine, ...]] = {}
        for row in rows:
            line = _line(row)
            lines[line.log_id] = (*lines.get(line.log_id, ()), line)
        return lines


def _line(row: Row) -> DispensedLine:
    return DispensedLine(**{**row, "quantity_unit": QuantityUnit(row["quantity_unit"])})


def _history_entry(row: Row, lines: tuple[DispensedLine, ...]) -> HistoryEntry:
    return HistoryEntry(
        id=row["id"],
        action=PharmacyAction(row["action"]),
        pharmacist_name=row["pharmacist_name"],
        prescription_id=row["prescription_id"],
        prescription_number=row["number"],
        patient_name=row["full_name"],
        notes=row["notes"],
        occurred_at=row["occurred_at"],
        lines=lines,
    )


def _log_entry(row: Row) -> LogEntry:
    return LogEntry(
        id=row["id"],
        action=PharmacyAction(row["action"]),
        pharmacist_name=row["full_name"],
        pharmacy_name=row["pharmacy_name"],
        from_status=PrescriptionStatus(row["from_status"]),
        to_status=PrescriptionStatus(row["to_status"]),
        notes=row["notes"],
        occurred_at=row["occurred_at"],
    )
