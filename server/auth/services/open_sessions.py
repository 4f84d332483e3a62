"""Use cases of the sessions that have not ended: owners see and end their own, admins those of an account."""

from uuid import UUID

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import EndReason, OpenSession
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.open_sessions import OpenSessionRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens


class OpenSessionService:
    """Implements the use cases of open sessions. An ended session's tokens are refused at once, its streams end."""

    def __init__(self, work: UnitOfWork, page_tokens: PageTokens, revocations: RevocationCache) -> None:
        self._work = work
        self._revocations = revocations
        self._own, self._of_account = (
            Listing[OpenSession, MomentAndId](
                page_tokens, name, BY_MOMENT, lambda session: (session.created_at, session.id)
            )
            for name in ("ListSessions", "ListUserSessions")
        )

    async def list_own(self, caller: Caller, page: PageRequest) -> Page[OpenSession]:
        """Returns a page of the caller's sessions, newest first. Raises PageTokenInvalid."""
        query = self._own.query(caller, page)
        async with self._work.read() as tx:
            return query.page(*await tx[OpenSessionRepository].own(caller.user_id, query.after, query.size))

    async def end(self, caller: Caller, session_id: UUID) -> None:
        """Ends a session of the caller; repeating it changes nothing. Raises NotFound, also for others' sessions."""
        async with self._work.begin() as tx:
            await tx[SessionRepository].end_own(caller.user_id, session_id)
            await tx[AuditWriter].record(AuditEvent.SESSION_ENDED, Subject("session", session_id))
        self._revocations.revoked(session_id)

    async def end_others(self, caller: Caller) -> int:
        """Ends the caller's sessions except the current one, and returns how many."""
        async with self._work.begin() as tx:
            await tx[AccountRepository].credentials_for_update(caller.user_id)
            ended = await tx[SessionRepository].end_all(caller.user_id, but=caller.session_id)
            await tx[AuditWriter].record(AuditEvent.OTHER_SESSIONS_ENDED, Subject("account", caller.user_id))
        self._revocations.revoked(*ended)
        return len(ended)

    async def list_of_account(self, caller: Caller, user_id: UUID, page: PageRequest) -> Page[OpenSession]:
        """Returns a page of an account's sessions, newest first. Raises NotFound and PageTokenInvalid."""
        query = self._of_account.query(caller, page, user_id)
        async with self._work.read() as tx:
            await tx[AccountRepository].get(user_id)
            return query.page(*await tx[OpenSessionRepository].of_account(user_id, query.after, query.size))

    async def end_of_account(self, user_id: UUID, reason: EndReason) -> int:
        """Ends all sessions of an account, which stays open, and returns how many. Raises NotFound."""
        async with self._work.begin() as tx:
            user = await tx[AccountRepository].get(user_id)
            await tx[AccountRepository].credentials_for_update(user_id)
            ended = await tx[SessionRepository].end_all(user_id)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_SESSIONS_ENDED, user.subject, reason=reason.name)
        self._revocations.revoked(*ended)
        return len(ended)
