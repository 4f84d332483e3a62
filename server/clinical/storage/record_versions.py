"""Former versions of patient records in the database; the trigger `keeps_each_version` writes them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, true

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page
from server.auth.storage.tables import user_named_at, users
from server.clinical.patient_entities import AllergyStatus, RecordVersion
from server.clinical.storage.tables import record_versions
from server.db.connection import Connection, Row
from server.db.keyset_query import KeysetQuery
from server.identity import Role
from server.patient_details import Gender

_version: Final = record_versions.c
_author: Final = users.alias("author")
_author_then: Final = user_named_at(_version.replaced_by, _version.replaced_at, "author_then")

_LIST: Final = KeysetQuery(
    select(
        *record_versions.c,
        func.coalesce(_author_then.c.full_name, "").label("author_name"),
        _author.c.role.label("author_role"),
    ).select_from(
        record_versions.outerjoin(_author, _author.c.id == _version.replaced_by).outerjoin(_author_then, true())
    ),
    record_versions,
    conditions={"patient_id": _version.patient_id == bindparam("patient_id")},
    order=(_version.version,),
    cursor=(bindparam("after", type_=Integer),),
    with_audit=lambda page: audited_page(page, "patient", patient_id="patient_id"),
)


class RecordVersionRepository:
    """Reads the former versions of records, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(self, patient_id: UUID, after: int | None, size: int) -> tuple[Sequence[RecordVersion], int]:
        """Returns up to `size` + 1 versions before the version `after`, the newest first, and how many there are.

        The read is audited.
        """
        record = audit_params(AuditEvent.RECORD_VERSIONS_READ)
        rows, found = await _LIST.fetch(
            self._connection, {"patient_id": patient_id}, {} if after is None else {"after": after}, size, record
        )
        return [_version_of(row) for row in rows], found


def _version_of(row: Row) -> RecordVersion:
    return RecordVersion(
        id=row["id"],
        version=row["version"],
        replaced_at=row["replaced_at"],
        replaced_by_name=row["author_name"],
        replaced_by_role=None if row["author_role"] is None else Role(row["author_role"]),
        changed_fields=tuple(row["changed_fields"]),
        date_of_birth=row["date_of_birth"],
        gender=None if row["gender"] is None else Gender(row["gender"]),
        blood_type=row["blood_type"],
        allergies=tuple(row["allergies"]),
        existing_conditions=tuple(row["existing_conditions"]),
        allergy_status=AllergyStatus.of(row["allergies"], none_known=row["no_known_allergies"]),
    )
