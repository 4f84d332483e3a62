"""Notices about replaced email addresses, and the link in them that undoes the change."""

import hashlib
import secrets

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import User, UserStatus
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.mailboxes import MailboxRepository
from server.auth.storage.one_time_codes import OneTimeCodeRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import EmailUndoInvalid
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.sealed_codes import CodeSeal
from server.outbox.storage.outbox import Outbox

_TOKEN_BYTES = 32


class EmailChangeService:
    """Tells former addresses of a change, and undoes changes; seal: encrypts the tokens in the outbox."""

    def __init__(self, work: UnitOfWork, seal: CodeSeal, revocations: RevocationCache) -> None:
        self._work = work
        self._seal = seal
        self._revocations = revocations

    async def notify_former(self, tx: Transaction, user: User, former: str) -> None:
        """Emails the former address of a locked account a link that undoes the change."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        expires_at = await tx[MailboxRepository].keep_former(user.id, former, _hash(token))
        sealed = self._seal.close(token, user.id)
        notice = NewEmail(EmailKind.EMAIL_REPLACED, user.id, former, sealed_code=sealed, expires_at=expires_at)
        await tx[Outbox].add(notice)

    async def undo(self, token: str) -> None:
        """Gives an account its former address back; its password, sessions, codes and queued emails end.

        Raises EmailUndoInvalid for a token that is unknown, used or expired, or of a deactivated account, and
        EmailTaken if another account has the address now.
        """
        async with self._work.begin() as tx:
            user_id = await tx[MailboxRepository].owner(_hash(token))
            if user_id is None:
                raise EmailUndoInvalid()
            user = (await tx[AccountRepository].credentials_for_update(user_id)).user
            former = await tx[MailboxRepository].use(_hash(token))
            if former is None or user.status is UserStatus.DEACTIVATED:
                raise EmailUndoInvalid()
            await tx[MailboxRepository].restore(user.id, former)
            await tx[OneTimeCodeRepository].end_all(user.id)
            await tx[Outbox].end_all(user.id)
            ended = await tx[SessionRepository].end_all(user.id)
            await tx[AuditWriter].record(AuditEvent.EMAIL_CHANGE_UNDONE, user.subject)
        self._revocations.revoked(*ended)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
