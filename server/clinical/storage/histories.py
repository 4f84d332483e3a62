"""Medical histories: a patient's visits and prescriptions as one list."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Date, Integer, Select, Text, Uuid, any_, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AUDIT_CTE, audit_params, with_audit_binds
from server.clinical.entities import HistoryEntry
from server.clinical.storage.prescription_query import select_prescription
from server.clinical.storage.prescription_row import prescription_of
from server.clinical.storage.tables import prescriptions, visits
from server.clinical.storage.visits import select_visit, visit_of
from server.db.connection import Connection, Row
from server.pagination import COUNT_LIMIT

E = TypeVar("E")

# Ids are ordered by time (UUIDv7), so the newest entry of a day comes first.
_PAGE: Final = with_audit_binds(
    text(
        f"""
    WITH {AUDIT_CTE}, entries AS (
        SELECT id, visit_date AS day FROM visits WHERE patient_id = :patient_id
        UNION ALL
        SELECT id, CAST(created_at AT TIME ZONE :zone AS date) FROM prescriptions WHERE patient_id = :patient_id
    )
    SELECT id, day, (SELECT count(*) FROM (SELECT FROM entries LIMIT :count_limit) AS counted) AS found
    FROM entries
    WHERE CAST(:after AS date) IS NULL OR (day, id) < (:after, :after_id)
    ORDER BY day DESC, id DESC LIMIT :limit
    """  # noqa: S608 - AUDIT_CTE is a constant
    )
).bindparams(
    bindparam("patient_id", type_=Uuid),
    bindparam("zone", type_=Text),
    bindparam("after", type_=Date),
    bindparam("after_id", type_=Uuid),
    bindparam("limit", type_=Integer),
    bindparam("count_limit", COUNT_LIMIT + 1, type_=Integer),
)
_ids = any_(bindparam("ids", type_=ARRAY(Uuid)))
_VISITS: Final = select_visit.where(visits.c.id == _ids)
_PRESCRIPTIONS: Final = select_prescription.where(prescriptions.c.id == _ids)


class HistoryRepository:
    """Reads medical histories, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self, patient_id: UUID, zone: str, after: tuple[date, UUID] | None, size: int
    ) -> tuple[tuple[HistoryEntry, ...], int]:
        """Returns up to `size` + 1 entries after a cursor, newest first, and their number, counted to COUNT_LIMIT + 1.

        zone: the IANA time zone of the days of prescriptions. The first statement audits the read; the others depend on
        its result.
        """
        day, entry_id = after or (None, None)
        wanted = {"patient_id": patient_id, "zone": zone, "after": day, "after_id": entry_id, "limit": size + 1}
        record = audit_params(AuditEvent.HISTORY_READ, Subject("patient", patient_id, (patient_id,)))
        rows = await self._connection.rows(_PAGE, {**wanted, **record})
        ids = [row["id"] for row in rows]
        happened = await self._by_id(_VISITS, visit_of, ids)
        written = await self._by_id(_PRESCRIPTIONS, prescription_of, ids)
        entries = (HistoryEntry(row["day"], happened.get(row["id"]), written.get(row["id"])) for row in rows)
        return tuple(entries), rows[0]["found"] if rows else 0

    async def _by_id(self, statement: Select[Any], entity_of: Callable[[Row], E], ids: Sequence[UUID]) -> dict[UUID, E]:
        rows = await self._connection.rows(statement, {"ids": ids}) if ids else ()
        return {row["id"]: entity_of(row) for row in rows}
