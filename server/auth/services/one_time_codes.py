"""Sending one-time codes by mail, and taking them back."""

from datetime import datetime

from server.auth.entities import User
from server.auth.events import OtpRequested
from server.auth.rules import one_time_codes
from server.auth.rules.one_time_codes import CodeScope
from server.auth.storage.one_time_codes import OneTimeCodeRepository
from server.db.unit_of_work import Transaction
from server.events.storage.events import EventRepository
from server.outbox.entities import EmailKind
from server.outbox.sealed_codes import CodeSeal
from server.outbox.storage.outbox import EMAILS_PER_DAY, Outbox


class CodeService:
    """Issues and takes codes inside the transactions of the use cases that need them.

    hash_key: under which codes are stored; seal: in which they wait in the outbox. mails_a_day: how many mails an
    account is sent before no more codes are.
    """

    def __init__(self, hash_key: bytes, seal: CodeSeal, mails_a_day: int = EMAILS_PER_DAY) -> None:
        self._hash_key = hash_key
        self._seal = seal
        self._mails_a_day = mails_a_day

    async def send(
        self, tx: Transaction, user: User, scope: CodeScope, kind: EmailKind, *, to: str | None = None
    ) -> datetime:
        """Mail a new code to an account that is locked, or `to` an address that it asks for.

        Answers when it expires. Raises what `issue` raises.
        """
        code, expires_at = await self.issue(tx, scope)
        sealed = self._seal.close(code, user.id)
        await tx[EventRepository].record(OtpRequested(user, kind, to or user.email, expires_at, sealed))
        return expires_at

    async def issue(self, tx: Transaction, scope: CodeScope) -> tuple[str, datetime]:
        """A new code for an account that is locked, and when it expires.

        Raises RateLimitExceeded when the account got too many, or EmailLimitExceeded when it was sent too many mails
        today.
        """
        await tx[Outbox].check_room(scope.user_id, self._mails_a_day)
        code = one_time_codes.issue(scope, self._hash_key)
        return code.text, await tx[OneTimeCodeRepository].add(scope, code.hash)

    async def use(self, tx: Transaction, scope: CodeScope, text: str) -> bool:
        """Whether this code opens that; it is used up then. A wrong try counts, if the transaction commits."""
        return await tx[OneTimeCodeRepository].use(scope, one_time_codes.stored_hash(text, scope, self._hash_key))
