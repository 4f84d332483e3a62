"""Use cases of reading the audit log, for admins and patients."""

from server.access_log.entities import Access, AccessFilter, AuditFilter, AuditRecord
from server.access_log.storage.audit_log import AuditLogReader
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens


class AuditService:
    """The use cases of reading the audit log."""

    def __init__(self, work: UnitOfWork, clock: Clock, page_tokens: PageTokens) -> None:
        self._work = work
        self._clock = clock
        self._records = Listing[AuditRecord, MomentAndId](
            page_tokens, "ListAuditRecords", BY_MOMENT, lambda record: (record.occurred_at, record.id)
        )
        self._accesses = Listing[Access, MomentAndId](
            page_tokens, "ListAccessLog", BY_MOMENT, lambda access: (access.occurred_at, access.id)
        )

    async def list_records(self, caller: Caller, wanted: AuditFilter, page: PageRequest) -> Page[AuditRecord]:
        """Lists records, newest first. Raises ValidationFailed and PageTokenInvalid."""
        wanted.period.check()
        query = self._records.query(caller, page, wanted)
        async with self._work.read() as tx:
            return query.page(*await tx[AuditLogReader].records(wanted, self._clock.zone, query.after, query.size))

    async def list_accesses(self, caller: Caller, wanted: AccessFilter, page: PageRequest) -> Page[Access]:
        """Lists accesses to the calling patient's record, newest first. Raises ValidationFailed, PageTokenInvalid."""
        wanted.period.check()
        own_reads = ("exclude_own_reads",) if wanted.exclude_own_reads else ()
        query = self._accesses.query(caller, page, wanted.period, wanted.event, *own_reads)
        async with self._work.read() as tx:
            found = await tx[AuditLogReader].accesses(caller.user_id, wanted, self._clock.zone, query.after, query.size)
        return query.page(*found)
