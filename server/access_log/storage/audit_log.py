"""Queries of the audit log: admins read all records, patients those about themselves."""

from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import SmallInteger, Text, Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import array

from server.access_log.entities import Access, AccessFilter, AuditFilter, AuditRecord
from server.audit.events import REPLAYED, Action, AuditEvent, Outcome
from server.audit.storage.audit_writer import NO_ACCOUNT, audit_params, audited_page
from server.audit.storage.tables import audit_records
from server.auth.storage.tables import user_named_at
from server.clinical.storage.tables import patients, prescriptions
from server.date_range import Period
from server.db.connection import Connection, Row
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.identity import Role
from server.pagination import MomentAndId

_record = audit_records.c
_order: Final = (_record.occurred_at, _record.id)
_event: Final = _record.event == bindparam("event", type_=Text)
_period: Final = {
    "since": _record.occurred_at >= bindparam("since"),
    "until": _record.occurred_at < bindparam("until"),
}

_actor: Final = user_named_at(_record.actor_id, _record.occurred_at, "actor")
"""Records hold only ids; the query joins the names that the accounts had at that time."""

_RECORDS: Final = KeysetQuery(
    select(audit_records, func.coalesce(_actor.c.full_name, "").label("actor_name")).select_from(
        audit_records.outerjoin(_actor, true())
    ),
    audit_records,
    conditions={
        **_period,
        "actor_id": _record.actor_id == bindparam("actor_id"),
        "patient_id": _record.patient_ids.contains(array([bindparam("patient_id", type_=Uuid)])),
        "event": _event,
        # Literals in the statement: the planner must see a rare value to choose its partial index.
        "role": _record.actor_role == bindparam("role", type_=Text, literal_execute=True),
        "action": _record.action == bindparam("action", type_=Text, literal_execute=True),
        "outcome": _record.outcome == bindparam("outcome", type_=SmallInteger, literal_execute=True),
    },
    order=_order,
    cursor=MOMENT_CURSOR,
    selective={"patient_id"},
    with_audit=lambda page: audited_page(page, "audit"),
)
_own_id: Final = select(patients.c.id).where(patients.c.user_id == bindparam("reader_id", type_=Uuid)).scalar_subquery()
_ACCESSES: Final = KeysetQuery(
    select(
        _record.id,
        _record.occurred_at,
        _record.event,
        _record.actor_role,
        _record.reason,
        func.coalesce(_actor.c.full_name, "").label("actor_name"),
        func.coalesce(func.nullif(_actor.c.hospital_name, ""), _actor.c.pharmacy_name, "").label("actor_workplace"),
        func.coalesce(prescriptions.c.number, "").label("prescription_number"),
        _own_id.label("patient_id"),
    ).select_from(
        audit_records.outerjoin(_actor, true()).outerjoin(prescriptions, prescriptions.c.id == _record.object_id)
    ),
    audit_records,
    conditions={
        **_period,
        # A repeated call that returned its stored response is left out.
        "reader_id": _record.patient_ids.contains(array([_own_id]))
        & (_record.outcome == Outcome.SUCCESS)
        & (_record.reason != REPLAYED),
        "event": _event,
        "own_reads_of": (_record.action != Action.READ)
        | _record.actor_id.is_distinct_from(bindparam("own_reads_of", type_=Uuid)),
    },
    order=_order,
    cursor=MOMENT_CURSOR,
    selective={"reader_id"},
    with_audit=lambda page: audited_page(page, "access_log", patient_id="patient_id"),
)


class AuditLogReader:
    """Lists audit records through one connection; each read is audited.

    zone: the time zone of the filter's days. Both methods return up to `size` + 1 records after a cursor, newest first,
    and how many the filter finds.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def records(
        self, wanted: AuditFilter, zone: ZoneInfo, after: MomentAndId | None, size: int
    ) -> tuple[list[AuditRecord], int]:
        """Lists records for admins."""
        filters = {
            **_days(wanted.period, zone),
            "actor_id": wanted.actor_id,
            "patient_id": wanted.patient_id,
            "role": wanted.role,
            "event": wanted.event,
            "action": wanted.action,
            "outcome": wanted.outcome,
        }
        record = audit_params(AuditEvent.AUDIT_READ)
        rows, found = await _RECORDS.fetch(self._connection, filters, after_moment(after), size, record)
        return [_record_of(row) for row in rows], found

    async def accesses(
        self,
        reader_id: UUID,
        wanted: AccessFilter,
        zone: ZoneInfo,
        after: MomentAndId | None,
        size: int,
    ) -> tuple[list[Access], int]:
        """Lists successful accesses to the record of the patient with this account."""
        filters = {
            **_days(wanted.period, zone),
            "reader_id": reader_id,
            "event": wanted.event,
            "own_reads_of": reader_id if wanted.exclude_own_reads else None,
        }
        record = audit_params(AuditEvent.ACCESS_LOG_READ)
        rows, found = await _ACCESSES.fetch(self._connection, filters, after_moment(after), size, record)
        return [_access_of(row) for row in rows], found


def _days(period: Period, zone: ZoneInfo) -> dict[str, object]:
    return {"since": period.starts_at(zone), "until": period.ends_before(zone)}


def _role(text: str) -> Role | None:
    return None if text in NO_ACCOUNT else Role(text)


def _record_of(row: Row) -> AuditRecord:
    return AuditRecord(
        id=row["id"],
        occurred_at=row["occurred_at"],
        event=AuditEvent[row["event"].upper()],
        action=Action(row["action"]),
        outcome=Outcome(row["outcome"]),
        actor_id=row["actor_id"],
        actor_name=row["actor_name"],
        actor_role=_role(row["actor_role"]),
        session_id=row["session_id"],
        address=row["address"],
        user_agent=row["user_agent"],
        rpc=row["rpc"],
        object_kind=row["object_kind"],
        object_id=row["object_id"],
        patient_ids=tuple(row["patient_ids"]),
        purpose=row["purpose"],
        request_id=row["request_id"],
        reason=row["reason"],
    )


def _changed_fields(row: Row) -> tuple[str, ...]:
    listed = row["event"] == AuditEvent.PATIENT_UPDATED and row["reason"]
    return tuple(row["reason"].split(",")) if listed else ()


def _access_of(row: Row) -> Access:
    return Access(
        id=row["id"],
        occurred_at=row["occurred_at"],
        event=AuditEvent[row["event"].upper()],
        actor_name=row["actor_name"],
        actor_role=_role(row["actor_role"]),
        actor_workplace=row["actor_workplace"],
        prescription_number=row["prescription_number"],
        changed_fields=_changed_fields(row),
    )
