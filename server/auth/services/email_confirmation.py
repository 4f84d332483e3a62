"""Confirmation of email addresses by codes that are sent to them."""

import hashlib

from server.auth.entities import User
from server.auth.rules.one_time_codes import CodeScope, Purpose
from server.auth.services.one_time_codes import CodeService
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.one_time_codes import OneTimeCodeRepository
from server.db.unit_of_work import Transaction
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from server.rate_limits.bucket import Limit
from server.rate_limits.rate_limiter import RateLimiter


class EmailConfirmation:
    """Sends and checks the codes, in the transactions of the use cases that need them.

    entries: the limit of how often an address may be entered.
    """

    def __init__(self, codes: CodeService, limiter: RateLimiter, entries: Limit) -> None:
        self._codes = codes
        self._limiter = limiter
        self._entries = entries

    async def admit(self, address: str, *, confirmed: bool) -> None:
        """Counts that an address was entered, before a code is sent to it; call it outside transactions.

        The limit applies to an address across all accounts, so that no mailbox is flooded and few codes can be guessed.
        confirmed: the account already has a confirmed address; such accounts are counted separately from
        registrations, so that strangers cannot use up the limit of an address's owner. Raises RateLimitExceeded,
        whether the address is taken or not.
        """
        kind = "change" if confirmed else "registration"
        key = hashlib.sha256(f"{kind}|{address}".encode()).hexdigest()
        await self._limiter.charge_also([(self._entries, key)])

    async def ask(self, tx: Transaction, user: User, kind: EmailKind) -> None:
        """Emails a code to the unconfirmed address of a locked account; if the address is taken, notifies its owner.

        Both cases take the same time and look the same to the caller. kind: the kind of the email with the code.
        Raises RateLimitExceeded if the account got too many codes today.
        """
        owner = await tx[AccountRepository].credentials(user.new_email)
        if owner is None:
            await self._codes.send(tx, user, _scope(user), kind, to=user.new_email)
            return
        await self._codes.issue(tx, _scope(user))
        await tx[Outbox].add(NewEmail(EmailKind.ADDRESS_TAKEN, owner.user.id, owner.user.email))

    async def confirmed(self, tx: Transaction, user: User, code: str) -> User | None:
        """Confirms the address of a locked account and returns the account; None for a wrong code, which counts.

        Codes that were sent to the former address end. Raises EmailTaken if another account has confirmed the address
        in the meantime.
        """
        if not user.new_email or not await self._codes.use(tx, _scope(user), code):
            return None
        await tx[OneTimeCodeRepository].end_all(user.id)
        return await tx[AccountRepository].confirm_email(user.id)


def _scope(user: User) -> CodeScope:
    return CodeScope(user.id, Purpose.EMAIL_CONFIRMATION)
