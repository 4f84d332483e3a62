"""Writes audit records: for a change in the same transaction, for a read in the same statement.

A read that cannot be recorded returns nothing, because both are one statement.
"""

from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    TextClause,
    Uuid,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from server.audit import audit_context
from server.audit.audit_context import LONGEST, NOTHING, AuditContext, Subject
from server.audit.events import PURPOSES, AuditEvent, Outcome
from server.audit.storage.tables import audit_records
from server.db.connection import Connection
from server.db.identifiers import new_id
from server.identity import Caller

ANONYMOUS: Final = "anonymous"
SYSTEM: Final = "system"
NO_ACCOUNT: Final = frozenset({ANONYMOUS, SYSTEM})
"""Values of `actor_role` where no account acted: a caller without an account, or the service itself."""

_BINDS: Final = {
    c.name: bindparam(f"audit_{c.name}", type_=c.type)
    for c in audit_records.c
    if c.name not in ("transaction_id", "occurred_at")
}
_READ_LIMIT: Final = bindparam("audit_read_limit", type_=Integer)


def _counted(patients: ColumnElement[Any]) -> ColumnElement[Any]:
    """Returns the ids of the patients of a record, after the database has counted them for the caller's account.

    Raises in the database PATIENTS_EXCEEDED (server/db/failures.py) if they are more than an hour allows.
    """
    return func.count_patient_reads(_BINDS["actor_id"], patients, _READ_LIMIT, type_=ARRAY(Uuid))


_INSERT: Final = insert(audit_records).inline().values(_BINDS | {"patient_ids": _counted(_BINDS["patient_ids"])})

AUDIT_COLUMNS: Final = ", ".join(_BINDS)
"""The columns that the service writes, in SQL."""
_VALUES: Final = ", ".join(f":{bind.key}" for bind in _BINDS.values())
_COUNTED: Final = _VALUES.replace(
    ":audit_patient_ids", "count_patient_reads(:audit_actor_id, :audit_patient_ids, :audit_read_limit)"
)
AUDIT_CTE: Final = f"recorded AS (INSERT INTO audit_records ({AUDIT_COLUMNS}) VALUES ({_COUNTED}))"  # noqa: S608 - constants
"""CTE for the WITH of a textual statement, so that it writes a record as well; see `with_audit_binds`."""

# The patients concerned by a refused call: only the database can resolve them, and only if the object exists.
_CONCERNED: Final = """ARRAY(
        SELECT unnest(CAST(:audit_patient_ids AS uuid[]))
        UNION SELECT patient_id FROM prescriptions WHERE id = :audit_object_id
        UNION SELECT id FROM patients WHERE id = :audit_object_id
    )"""
_REFUSED: Final = _VALUES.replace(":audit_patient_ids", _CONCERNED)
_INSERT_REFUSED: Final = text(
    f"INSERT INTO audit_records ({AUDIT_COLUMNS}) VALUES ({_REFUSED})"  # noqa: S608 - constants
).bindparams(*_BINDS.values())


def with_audit_binds(statement: TextClause) -> TextClause:
    """Returns a statement that contains AUDIT_CTE, with typed parameters; `audit_params` supplies their values."""
    return statement.bindparams(*_BINDS.values(), _READ_LIMIT)


def audited_row(rows: Select[Any], kind: str, *, object_id: str = "id", patient_id: str | None = None) -> Select[Any]:
    """Returns a query of one row that also writes its audit record; without a row it writes none.

    kind: the kind of object that is read. object_id, patient_id: the columns of its id and of its patient's id.
    """
    found = rows.cte("found")
    patients: ColumnElement[Any] = _no_ids() if patient_id is None else _counted(array([found.c[patient_id]]))
    own = {"object_kind": literal(kind), "object_id": found.c[object_id], "patient_ids": patients}
    return _with_audit_insert(found, select(*_columns(own)).select_from(found))


def audited_page(page: Select[Any], kind: str, *, patient_id: str | None = None, empty: bool = True) -> Select[Any]:
    """Returns a query of a page that also writes one audit record, with the ids of all patients on the page.

    page: in its order, with one row more than is shown (parameter `limit`); the rows of a CTE keep that order.
    empty: whether an empty page is recorded; false where it means that there is no such object.
    """
    found = page.cte("found")
    patients: ColumnElement[Any] = _no_ids()
    if patient_id is not None:
        shown = select(found.c[patient_id]).limit(bindparam("limit", type_=Integer) - 1).subquery()
        listed = select(func.array_agg(shown.c[0].distinct())).scalar_subquery()
        patients = _counted(func.coalesce(listed, _no_ids()))
    own = {"object_kind": literal(kind), "patient_ids": patients}
    record = select(*_columns(own))
    return _with_audit_insert(found, record if empty else record.where(exists(select(found))))


def _columns(own: dict[str, ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [own.get(name, bind) for name, bind in _BINDS.items()]


def _with_audit_insert(found: CTE, record: Select[Any]) -> Select[Any]:
    written = insert(audit_records).from_select(list(_BINDS), record, include_defaults=False).cte("recorded")
    return select(found).add_cte(written)


def _no_ids() -> ColumnElement[Any]:
    return cast(array([]), ARRAY(Uuid))


class AuditWriter:
    """Writes the audit records of the current call, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(
        self,
        event: AuditEvent,
        subject: Subject = NOTHING,
        *,
        actor: Caller | None = None,
        outcome: Outcome = Outcome.SUCCESS,
        reason: str = "",
    ) -> None:
        """Writes a record, which commits or rolls back with the transaction.

        actor: the account that acts, in a call without a token such as a sign-in. reason: why the call failed, or
        the reason that the actor gave.
        """
        await self._connection.execute(
            _INSERT, audit_params(event, subject, actor=actor, outcome=outcome, reason=reason)
        )

    async def refused(self, event: AuditEvent, subject: Subject, outcome: Outcome, reason: str) -> None:
        """Writes the record of a call that failed; the patients are those of the subject, if it exists."""
        await self._connection.execute(_INSERT_REFUSED, audit_params(event, subject, outcome=outcome, reason=reason))


def audit_params(
    event: AuditEvent,
    subject: Subject = NOTHING,
    *,
    actor: Caller | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    reason: str = "",
) -> dict[str, object]:
    """Returns the parameters of a statement that also writes a record of the current call."""
    call = audit_context.current()
    if call is not None:
        call.recorded = subject
        call.failure_recorded = outcome is not Outcome.SUCCESS
    acting = actor or (call.caller if call else None)
    call = call or AuditContext()
    return {
        "audit_id": new_id(),
        "audit_action": event.action,
        "audit_event": event,
        "audit_outcome": outcome,
        "audit_actor_id": acting and acting.user_id,
        "audit_actor_role": acting.role if acting else ANONYMOUS if call.rpc else SYSTEM,
        "audit_session_id": acting and acting.session_id,
        "audit_address": call.address,
        "audit_user_agent": call.user_agent[:LONGEST],
        "audit_rpc": call.rpc,
        "audit_object_kind": subject.kind,
        "audit_object_id": subject.id,
        "audit_patient_ids": list(subject.patient_ids),
        "audit_purpose": PURPOSES[acting.role] if acting else "",
        "audit_request_id": call.request_id,
        "audit_reason": reason,
        "audit_read_limit": call.read_limit if outcome is Outcome.SUCCESS else None,
    }
