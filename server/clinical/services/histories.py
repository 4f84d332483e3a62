"""Use cases of medical histories: doctors read any; patients read theirs after entering an emailed code."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.audit import audit_context
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.rules.one_time_codes import CodeScope, Purpose
from server.auth.services.one_time_codes import CodeService
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.mailboxes import MailboxRepository
from server.auth.storage.sessions import SessionRepository
from server.clinical.entities import HistoryEntry, Patient
from server.clinical.patient_entities import RecordVersion
from server.clinical.storage.histories import HistoryRepository
from server.clinical.storage.patients import PatientRepository
from server.clinical.storage.record_versions import RecordVersionRepository
from server.clock import Clock
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import OtpInvalid, OtpRequired, Unauthenticated
from server.identity import Caller
from server.outbox.entities import EmailKind
from server.pagination import BY_DAY, BY_VERSION, DayAndId, Listing, Page, PageRequest, PageTokens


@dataclass(frozen=True, slots=True)
class OwnHistory:
    """A patient's own opened history, with their existing conditions."""

    entries: Page[HistoryEntry]
    existing_conditions: tuple[str, ...]


class HistoryService:
    """The use cases of medical histories."""

    def __init__(self, work: UnitOfWork, clock: Clock, codes: CodeService, page_tokens: PageTokens) -> None:
        self._work = work
        self._zone = clock.zone.key
        self._codes = codes
        self._own = Listing[HistoryEntry, DayAndId](page_tokens, "GetMedicalHistory", BY_DAY, _happened)
        self._of_patient = Listing[HistoryEntry, DayAndId](page_tokens, "GetPatientHistory", BY_DAY, _happened)
        self._versions, self._own_versions = (
            Listing[RecordVersion, int](page_tokens, name, BY_VERSION, lambda former: former.version)
            for name in ("ListRecordVersions", "ListMyRecordVersions")
        )

    async def request_access(self, caller: Caller) -> datetime:
        """Emails the calling patient a code that opens their history in this session; returns when it expires.

        Raises RateLimitExceeded when too many codes were sent to the account today.
        """
        async with self._work.begin() as tx:
            subject = await _subject(tx, caller)
            account = await tx[AccountRepository].credentials_for_update(caller.user_id)
            expires_at = await self._codes.send(tx, account.user, _scope(caller), EmailKind.HISTORY_CODE)
            await tx[AuditWriter].record(AuditEvent.HISTORY_ACCESS_REQUESTED, subject)
        return expires_at

    async def confirm_access(self, caller: Caller, code: str) -> datetime:
        """Opens the calling patient's history in this session; returns when the grant ends.

        Raises OtpInvalid, and Unauthenticated for a session that has ended meanwhile.
        """
        until = None
        async with self._work.begin() as tx:
            subject = await _subject(tx, caller)
            right = await self._codes.use(tx, _scope(caller), code)
            if right:
                await tx[MailboxRepository].confirm(caller.user_id)
                until = await tx[SessionRepository].open_history(caller.session_id)
            if until is not None:
                await tx[AuditWriter].record(AuditEvent.HISTORY_OPENED, subject)
        if not right:  # raised after the commit, so that the attempt counts
            raise OtpInvalid()
        if until is None:
            raise Unauthenticated()
        return until

    async def own(self, caller: Caller, page: PageRequest) -> OwnHistory:
        """Lists the calling patient's history, newest first. Raises OtpRequired unless open, and PageTokenInvalid."""
        async with self._work.read() as tx:
            patient = await _opened(tx, caller)
            query = self._own.query(caller, page)
            found = await tx[HistoryRepository].page(patient.id, self._zone, query.after, query.size)
        return OwnHistory(query.page(*found), patient.existing_conditions)

    async def of_patient(self, caller: Caller, patient_id: UUID, page: PageRequest) -> Page[HistoryEntry]:
        """Lists a patient's history for a doctor, newest first. Raises NotFound and PageTokenInvalid."""
        async with self._work.read() as tx:
            await tx[PatientRepository].get(patient_id)
            query = self._of_patient.query(caller, page, patient_id)
            return query.page(*await tx[HistoryRepository].page(patient_id, self._zone, query.after, query.size))

    async def versions_of_patient(self, caller: Caller, patient_id: UUID, page: PageRequest) -> Page[RecordVersion]:
        """Lists the former versions of a record for a doctor. Raises NotFound and PageTokenInvalid."""
        async with self._work.read() as tx:
            await tx[PatientRepository].get(patient_id)
            query = self._versions.query(caller, page, patient_id)
            return query.page(*await tx[RecordVersionRepository].page(patient_id, query.after, query.size))

    async def own_versions(self, caller: Caller, page: PageRequest) -> Page[RecordVersion]:
        """Lists the former versions of the calling patient's record. Raises OtpRequired unless the history is open."""
        async with self._work.read() as tx:
            patient = await _opened(tx, caller)
            query = self._own_versions.query(caller, page)
            return query.page(*await tx[RecordVersionRepository].page(patient.id, query.after, query.size))


async def _opened(tx: Transaction, caller: Caller) -> Patient:
    """Returns the calling patient's record. Raises OtpRequired unless their history is open in this session."""
    patient = await tx[PatientRepository].by_user(caller.user_id)
    audit_context.set_subject(_record_of(patient))
    if not await tx[SessionRepository].history_is_open(caller.session_id):
        raise OtpRequired()
    return patient


def _happened(entry: HistoryEntry) -> DayAndId:
    return entry.day, entry.id


async def _subject(tx: Transaction, caller: Caller) -> Subject:
    """Returns the calling patient's record as the subject, and sets it for the audit record of a refusal."""
    subject = _record_of(await tx[PatientRepository].by_user(caller.user_id))
    audit_context.set_subject(subject)
    return subject


def _record_of(patient: Patient) -> Subject:
    return Subject("patient", patient.id, (patient.id,))


def _scope(caller: Caller) -> CodeScope:
    return CodeScope(caller.user_id, Purpose.HISTORY_ACCESS, caller.session_id)
