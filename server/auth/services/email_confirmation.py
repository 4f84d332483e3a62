"""Addresses become an account's own when a code that was mailed to them comes back."""

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
    """Asks for and takes the codes, inside the transactions of the use cases that need them.

    entries: how often an address may be entered.
    """

    def __init__(self, codes: CodeService, limiter: RateLimiter, entries: Limit) -> None:
        self._codes = codes
        self._limiter = limiter
        self._entries = entries

    async def admit(self, address: str, *, confirmed: bool) -> None:
        """Count that an address is entered, before a code is mailed there; call it outside of transactions.

        Of however many accounts: nobody's mailbox is filled, and five tries at each code stay few. confirmed: by an
        account that has an address of its own; those count apart from strangers who register, so that no stranger keeps
        an owner from an address. Raises RateLimitExceeded, whether the address has an owner or not.
        """
        kind = "change" if confirmed else "registration"
        key = hashlib.sha256(f"{kind}|{address}".encode()).hexdigest()
        await self._limiter.charge_also([(self._entries, key)])

    async def ask(self, tx: Transaction, user: User, kind: EmailKind) -> None:
        """Mail a code to the address that a locked account waits for; if it has an owner, tell him so instead.

        Both are the same work, and whoever asked is answered the same. kind: of the mail with the code. Raises
        RateLimitExceeded when the account got too many codes today.
        """
        owner = await tx[AccountRepository].credentials(user.new_email)
        if owner is None:
            await self._codes.send(tx, user, _scope(user), kind, to=user.new_email)
            return
        await self._codes.issue(tx, _scope(user))
        await tx[Outbox].add(NewEmail(EmailKind.ADDRESS_TAKEN, owner.user.id, owner.user.email))

    async def confirmed(self, tx: Transaction, user: User, code: str) -> User | None:
        """A locked account with the address that it waits for as its own; None for a wrong code, which counts.

        What was mailed to the former address opens nothing any more. Raises EmailTaken when somebody else has confirmed
        the address meanwhile.
        """
        if not user.new_email or not await self._codes.use(tx, _scope(user), code):
            return None
        await tx[OneTimeCodeRepository].end_all(user.id)
        return await tx[AccountRepository].confirm_email(user.id)


def _scope(user: User) -> CodeScope:
    return CodeScope(user.id, Purpose.EMAIL_CONFIRMATION)
