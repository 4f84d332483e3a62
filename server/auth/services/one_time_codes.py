"""One-time codes: sending them by email, and checking them."""

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
    """Issues and checks codes in the transactions of the use cases that need them.

    hash_key: the key of the stored hashes; seal: encrypts the codes in the outbox. emails_per_day: the number of emails
    to an account in a day after which no more codes are sent.
    """

    def __init__(self, hash_key: bytes, seal: CodeSeal, emails_per_day: int = EMAILS_PER_DAY) -> None:
        self._hash_key = hash_key
        self._seal = seal
        self._emails_per_day = emails_per_day

    async def send(
        self, tx: Transaction, user: User, scope: CodeScope, kind: EmailKind, *, to: str | None = None
    ) -> datetime:
        """Emails a new code to a locked account, or `to` an address that the account wants to confirm.

        Returns the code's expiry. Raises the errors of `issue`.
        """
        code, expires_at = await self.issue(tx, scope)
        sealed = self._seal.close(code, user.id)
        await tx[EventRepository].record(OtpRequested(user, kind, to or user.email, expires_at, sealed))
        return expires_at

    async def issue(self, tx: Transaction, scope: CodeScope) -> tuple[str, datetime]:
        """Issues a new code for a locked account. Returns the code and its expiry.

        Raises RateLimitExceeded if the account got too many codes, or EmailLimitExceeded if it was sent too many
        emails today.
        """
        await tx[Outbox].check_room(scope.user_id, self._emails_per_day)
        code = one_time_codes.issue(scope, self._hash_key)
        return code.text, await tx[OneTimeCodeRepository].add(scope, code.hash)

    async def use(self, tx: Transaction, scope: CodeScope, text: str) -> bool:
        """Returns whether the code is valid for the scope, and uses it up.

        A wrong try counts if the transaction commits.
        """
        return await tx[OneTimeCodeRepository].use(scope, one_time_codes.stored_hash(text, scope, self._hash_key))
