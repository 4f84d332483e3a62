"""Patient records in the database."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, Uuid, any_, bindparam, case, cast, func, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, insert

from server import name_search, search_keys
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page, audited_row
from server.auth.storage.tables import user_named_at, users
from server.clinical.entities import Patient, PatientEmailStatus
from server.clinical.patient_entities import (
    AllergiesAsked,
    EmailDetachment,
    EmailDetachReason,
    Identification,
    IdentificationDocument,
    PatientAssurance,
)
from server.clinical.patient_summaries import PatientSummary
from server.clinical.storage.email_detachment_tables import email_detachments
from server.clinical.storage.tables import email_status, patients
from server.db.connection import Connection, Row
from server.db.identifiers import new_id
from server.db.keyset_query import KeysetQuery
from server.errors import NotFound
from server.pagination import NameAndId
from server.patient_details import DETAIL_NAMES, Gender, PatientDetails, PatientRecord

_column = patients.c
_words = func.array_to_tsvector(bindparam("words", type_=ARRAY(Text)))

_requester = users.alias("requester")
_identifier = user_named_at(_column.identified_by, _column.identified_at, "identifier")
_asker = user_named_at(_column.no_allergies_by, _column.no_allergies_at, "asker")
_READ: Select[Any] = select(
    *patients.c,
    func.coalesce(users.c.email, "").label("email"),
    email_status(users).label("email_status"),
    users.c.email_confirmed_at,
    email_detachments.c.reason.label("detach_reason"),
    email_detachments.c.requested_by,
    email_detachments.c.requested_at,
    email_detachments.c.expires_at.label("request_expires_at"),
    _requester.c.full_name.label("requester_name"),
    _identifier.c.full_name.label("identifier_name"),
    _asker.c.full_name.label("asker_name"),
).select_from(
    patients.outerjoin(users, users.c.id == _column.user_id)
    .outerjoin(
        email_detachments,
        (email_detachments.c.patient_id == _column.id)
        & email_detachments.c.ended_at.is_(None)
        & (email_detachments.c.expires_at > func.now()),
    )
    .outerjoin(_requester, _requester.c.id == email_detachments.c.requested_by)
    .outerjoin(_identifier, true())
    .outerjoin(_asker, true())
)
_BY_ID = _READ.where(_column.id == bindparam("id"))
_BY_USER = _READ.where(_column.user_id == bindparam("user_id"))
_BY_IDS = _READ.where(_column.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_BY_USERS = _READ.where(_column.user_id == any_(bindparam("user_ids", type_=ARRAY(Uuid))))
_READ_BY_ID = audited_row(_BY_ID, "patient", patient_id="id")
_READ_BY_USER = audited_row(_BY_USER, "patient", patient_id="id")
_LOCK_BY_ID = _BY_ID.with_for_update(of=patients, key_share=True)
_LOCK_BY_USER = _BY_USER.with_for_update(of=patients, key_share=True)

_staff = bindparam("staff_id", type_=Uuid)
_asked_by = bindparam("asked_by", type_=Uuid)
_INSERT = (
    insert(patients)
    .values(
        name_words=_words,
        identified_by=_staff,
        identified_at=case((_staff.is_not(None), func.now())),
        no_allergies_by=_asked_by,
        no_allergies_at=case((_asked_by.is_not(None), func.now())),
    )
    .on_conflict_do_nothing(index_elements=[_column.reference_number])
    .returning(_column.id)
)
_SAVE = (
    update(patients)
    .where(_column.id == bindparam("saved_id"))
    .values(name_words=_words, version=_column.version + 1, updated_at=func.now(), changed_by=bindparam("author_id"))
    .returning(_column.id)
)
_IDENTIFY = (
    update(patients)
    .where(_column.id == bindparam("identified_id"))
    .values(
        identified_at=func.now(),
        identified_by=_staff,
        identified_document=bindparam("document", type_=Text),
        identification_note=bindparam("note", type_=Text),
    )
)
_END_IDENTIFICATION = (
    update(patients)
    .where(_column.id == bindparam("self_asserted_id"))
    .values(identified_at=None, identified_by=None, identified_document=None, identification_note="")
)
_RENAME_ACCOUNT = (
    update(users)
    .where(users.c.id == bindparam("account_id"))
    .values(full_name=bindparam("name"), name_words=_words, phone=bindparam("number"))
)

_cursor_row = patients.alias("cursor_row")
_LIST = KeysetQuery(
    select(
        *(_column[name] for name in ("id", "reference_number", "full_name", "date_of_birth", "sort_name")),
        _column.identified_at,
    ),
    patients,
    conditions={
        "identified": _column.identified_at.is_not(None),
        "reference_number": _column.reference_number == bindparam("reference_number"),
        "email": _column.user_id == select(users.c.id).where(users.c.email == bindparam("email")).scalar_subquery(),
        "name_query": _column.name_words.bool_op("@@")(cast(bindparam("name_query", type_=Text), TSQUERY)),
    },
    order=(_column.sort_name, _column.id),
    cursor=(
        func.coalesce(
            bindparam("after_name", type_=Text),
            select(_cursor_row.c.sort_name).where(_cursor_row.c.id == bindparam("after_id")).scalar_subquery(),
        ),
        bindparam("after_id", type_=Uuid),
    ),
    descending=False,
    selective={"name_query"},
    with_audit=lambda page: audited_page(page, "patient", patient_id="id"),
)


class PatientRepository:
    """Reads and writes patient records; raises NotFound("patient") for one that is missing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, patient_id: UUID) -> Patient:
        """Returns the patient record."""
        return await self._read_one(_BY_ID, id=patient_id)

    async def by_user(self, user_id: UUID) -> Patient:
        """Returns the record of the patient with this account."""
        return await self._read_one(_BY_USER, user_id=user_id)

    async def by_ids(self, ids: Collection[UUID]) -> Mapping[UUID, Patient]:
        """Returns those of these records that exist, by one statement."""
        rows = await self._connection.rows(_BY_IDS, {"ids": list(ids)})
        return {row["id"]: _patient(row) for row in rows}

    async def by_users(self, user_ids: Collection[UUID]) -> Mapping[UUID, Patient]:
        """Returns the records of the patients with these accounts, by their accounts' ids."""
        rows = await self._connection.rows(_BY_USERS, {"user_ids": list(user_ids)})
        return {row["user_id"]: _patient(row) for row in rows}

    async def read(self, patient_id: UUID) -> Patient:
        """Returns the record for a caller; the read is audited."""
        return await self._read_one(_READ_BY_ID, id=patient_id, **audit_params(AuditEvent.PATIENT_READ))

    async def read_by_user(self, user_id: UUID) -> Patient:
        """Returns the record of the patient with this account, for a caller; the read is audited."""
        return await self._read_one(_READ_BY_USER, user_id=user_id, **audit_params(AuditEvent.PATIENT_READ))

    async def get_for_update(self, patient_id: UUID) -> Patient:
        """Locks and returns the record."""
        return await self._read_one(_LOCK_BY_ID, id=patient_id)

    async def by_user_for_update(self, user_id: UUID) -> Patient:
        """Locks and returns the record of the patient with this account."""
        return await self._read_one(_LOCK_BY_USER, user_id=user_id)

    async def page(
        self, search: Mapping[str, object], after: NameAndId | None, size: int
    ) -> tuple[tuple[PatientSummary, ...], int]:
        """Returns up to `size` + 1 patients by name, after the sort name and id `after`, and how many the search finds.

        search: at most one of `reference_number`, `email` and `name_query` (`search_keys.query`), and `identified`, if
        only identified patients are listed. The read is audited.
        """
        cursor = {} if after is None else {"after_name": after[0], "after_id": after[1]}
        record = audit_params(AuditEvent.PATIENTS_LISTED)
        rows, found = await _LIST.fetch(self._connection, search, cursor, size, record)
        return tuple(_summary(row) for row in rows), found

    async def insert(
        self,
        user_id: UUID | None,
        reference_number: str,
        full_name: str,
        phone: str,
        details: PatientDetails,
        *,
        identified_by: UUID | None = None,
        document: IdentificationDocument | None = None,
        asked_by: UUID | None = None,
    ) -> PatientRecord | None:
        """Stores a new record; returns None and stores nothing if the reference number is taken.

        identified_by: the member of staff who identified the person; None for a self-asserted record. asked_by: the
        account that records that the patient has no known allergies.
        """
        values = {
            "id": new_id(),
            "user_id": user_id,
            "reference_number": reference_number,
            "staff_id": identified_by,
            "identified_document": document,
            "asked_by": asked_by,
            **_found_by(full_name, phone, details.date_of_birth),
            **_details(details),
        }
        patient_id = await self._connection.scalar(_INSERT, values)
        return None if patient_id is None else PatientRecord(patient_id, reference_number)

    async def save(self, patient: Patient, author_id: UUID) -> Patient:
        """Stores a locked record as its next version, with name and phone in its account too; returns it as stored.

        author_id: the account that makes the change. The former version of the clinical fields is kept.
        """
        found_by = _found_by(patient.full_name, patient.phone, patient.date_of_birth)
        values = {
            "saved_id": patient.id,
            "author_id": author_id,
            "user_id": patient.user_id,
            **found_by,
            "full_emails": patient.full_emails,
            "no_allergies_by": None if patient.allergies_asked is None else patient.allergies_asked.account_id,
            "no_allergies_at": None if patient.allergies_asked is None else patient.allergies_asked.at,
        }
        await self._connection.execute(_SAVE, values | _details(patient))
        if patient.user_id is not None:
            account = {"account_id": patient.user_id, "name": patient.full_name, "number": patient.phone}
            words = search_keys.stored(patient.full_name, patient.phone)
            await self._connection.execute(_RENAME_ACCOUNT, account | {"words": words})
        return await self.get(patient.id)

    async def identify(self, patient_id: UUID, staff_id: UUID, document: IdentificationDocument, note: str) -> Patient:
        """Stores that a member of staff identified the person of a locked record; returns it as stored."""
        values = {"identified_id": patient_id, "staff_id": staff_id, "document": document, "note": note}
        await self._connection.execute(_IDENTIFY, values)
        return await self.get(patient_id)

    async def end_identification(self, patient_id: UUID) -> Patient:
        """Makes a locked record self-asserted; returns it as stored."""
        await self._connection.execute(_END_IDENTIFICATION, {"self_asserted_id": patient_id})
        return await self.get(patient_id)

    async def _read_one(self, statement: Select[Any], **values: object) -> Patient:
        row = await self._connection.first(statement, values)
        if row is None:
            raise NotFound("patient")
        return _patient(row)


def _found_by(full_name: str, phone: str, born: date | None) -> dict[str, object]:
    return {
        "full_name": full_name,
        "phone": phone,
        "sort_name": name_search.fold(full_name),
        "words": search_keys.stored(full_name, phone, born),
    }


def _details(source: PatientDetails | Patient) -> dict[str, object]:
    return {name: getattr(source, name) for name in DETAIL_NAMES}


def _summary(row: Row) -> PatientSummary:
    identified = row["identified_at"] is not None
    return PatientSummary(
        row["id"],
        row["reference_number"],
        row["full_name"],
        row["date_of_birth"],
        row["sort_name"],
        PatientAssurance.IDENTIFIED if identified else PatientAssurance.SELF_ASSERTED,
    )


def _patient(row: Row) -> Patient:
    return Patient(
        id=row["id"],
        user_id=row["user_id"],
        reference_number=row["reference_number"],
        full_name=row["full_name"],
        email=row["email"],
        email_status=PatientEmailStatus(row["email_status"]),
        phone=row["phone"],
        date_of_birth=row["date_of_birth"],
        gender=None if row["gender"] is None else Gender(row["gender"]),
        blood_type=row["blood_type"],
        address=row["address"],
        emergency_contact=row["emergency_contact"],
        emergency_phone=row["emergency_phone"],
        insurance_provider=row["insurance_provider"],
        insurance_number=row["insurance_number"],
        allergies=tuple(row["allergies"]),
        existing_conditions=tuple(row["existing_conditions"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        email_confirmed_at=row["email_confirmed_at"],
        full_emails=row["full_emails"],
        detachment=None if row["requested_by"] is None else _detachment(row),
        identification=None if row["identified_at"] is None else _identification(row),
        allergies_asked=None if row["no_allergies_at"] is None else _allergies_asked(row),
    )


def _allergies_asked(row: Row) -> AllergiesAsked:
    return AllergiesAsked(row["no_allergies_by"], row["asker_name"] or "", row["no_allergies_at"])


def _identification(row: Row) -> Identification:
    document = row["identified_document"]
    return Identification(
        None if document is None else IdentificationDocument(document),
        row["identifier_name"] or "",
        row["identified_at"],
        row["identification_note"],
    )


def _detachment(row: Row) -> EmailDetachment:
    return EmailDetachment(
        EmailDetachReason(row["detach_reason"]),
        row["requested_by"],
        row["requester_name"],
        row["requested_at"],
        row["request_expires_at"],
    )
