"""Use cases of reading the audit log, for admins and patients."""

from server.access_log.entities import Access, AuditFilter, AuditRecord
from server.access_log.storage.audit_log import AuditLogReader
from server.audit.events import AuditEvent
from server.clock import Clock
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller
from server.pagination import Page, PageRequest, PageTokens, page_of


class AuditService:
    """The use cases of reading the audit log."""

    def __init__(self, work: UnitOfWork, clock: Clock, page_tokens: PageTokens) -> None:
        self._work = work
        self._clock = clock
        self._page_tokens = page_tokens

    async def list_records(self, caller: Caller, wanted: AuditFilter, page: PageRequest) -> Page[AuditRecord]:
        """Lists records, newest first. Raises ValidationFailed and PageTokenInvalid."""
        wanted.period.check()
        scope = f"{caller.user_id}|ListAuditRecords|{wanted}"
        after = self._page_tokens.read_after(page.token, scope) if page.token else None
        async with self._work.read() as tx:
            rows, found = await tx[AuditLogReader].records(wanted, self._clock.zone, after, page.size)
        return page_of(rows, found, page.size, lambda last: self._token_after(last, scope))

    async def list_accesses(
        self, caller: Caller, period: Period, event: AuditEvent | None, page: PageRequest
    ) -> Page[Access]:
        """Lists accesses to the calling patient's record, newest first. Raises ValidationFailed, PageTokenInvalid."""
        period.check()
        scope = f"{caller.user_id}|ListAccessLog|{period}|{event}"
        after = self._page_tokens.read_after(page.token, scope) if page.token else None
        async with self._work.read() as tx:
            rows, found = await tx[AuditLogReader].accesses(
                caller.user_id, period, event, self._clock.zone, after, page.size
            )
        return page_of(rows, found, page.size, lambda last: self._token_after(last, scope))

    def _token_after(self, last: AuditRecord | Access, scope: str) -> str:
        return self._page_tokens.issue_after(last.occurred_at, last.id, scope)
