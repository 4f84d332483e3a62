"""Where use cases leave the mails they want sent: rows that commit with their own."""

import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.db.identifiers import new_id
from server.errors import EmailExpired, EmailLimitExceeded, EmailNotFailed, NotFound
from server.outbox.entities import EmailState, NewEmail
from server.outbox.masking import masked
from server.outbox.storage.tables import emails

INSERT_EMAILS: Final = """
    INSERT INTO emails (id, kind, recipient_id, recipient, masked_recipient, prescription_id, details, sealed_code,
                        expires_at, event_id)
    SELECT mail.id, mail.kind, mail.recipient_id, mail.recipient, mail.masked_recipient, mail.prescription_id,
           CAST(mail.details AS jsonb), mail.sealed_code, mail.expires_at, event.id
    FROM event, unnest(
        CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:recipient_ids AS uuid[]), CAST(:recipients AS text[]),
        CAST(:masked_recipients AS text[]), CAST(:prescription_ids AS uuid[]), CAST(:details AS text[]),
        CAST(:sealed_codes AS bytea[]), CAST(:expiries AS timestamptz[])
    ) AS mail (id, kind, recipient_id, recipient, masked_recipient, prescription_id, details, sealed_code, expires_at)
"""
"""Stores mails with the `event` that they follow from, a query of that name before it."""

EMAILS_PER_DAY: Final = 20
"""How many mails an account is sent before no more can be asked for."""

# Of requests at the same time each sees the mails of those before. The row is that of the mail whose day must be over.
# Mails that strangers cause have limits of their own, and use up nothing of what an account may ask for.
_LOCK_RECIPIENT = text("SELECT pg_advisory_xact_lock(hashtextextended('emails.recipient ' || :recipient_id, 0))")
_WAIT = text(
    """
    SELECT CAST(extract(epoch FROM created_at + interval '1 day' - now()) AS float) FROM emails
    WHERE recipient_id = :recipient_id AND created_at > now() - interval '1 day'
        AND kind NOT IN ('password_reset', 'address_taken')
    ORDER BY created_at DESC OFFSET :most - 1 LIMIT 1
    """
).bindparams(bindparam("recipient_id", type_=Uuid), bindparam("most", type_=Integer))
_TO_PUT_BACK = select(emails.c.state, emails.c.expires_at).where(emails.c.id == bindparam("id")).with_for_update()
_PUT_BACK = (
    update(emails)
    .where(emails.c.id == bindparam("mail_id"))
    .values(state="pending", attempts=0, deferrals=0, error="", harmless=False, finished_at=None)
    .values(due_at=func.now(), queued_at=func.now())
)
ADD = text(f"WITH event AS (SELECT CAST(NULL AS bigint) AS id) {INSERT_EMAILS}")


class Outbox:
    """The outbox as one transaction sees it; what it adds is sent once that transaction has committed, else never.

    Here stands what somebody asked to be sent. What follows from an event is added with it (`events.repository`).
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.added = False
        """Whether this transaction leaves mails."""

    async def check_room(self, recipient_id: UUID, most: int) -> None:
        """Raise EmailLimitExceeded if the account was sent `most` mails in 24 hours, of whatever kind.

        For mails that people ask for; those that follow from events are always sent. Reset codes and notices of a taken
        address do not count: strangers cause them.
        """
        await self._connection.execute(_LOCK_RECIPIENT, {"recipient_id": str(recipient_id)})
        wait = await self._connection.scalar(_WAIT, {"recipient_id": recipient_id, "most": most})
        if wait is not None:
            raise EmailLimitExceeded(retry_after=wait)

    async def put_back(self, mail_id: UUID) -> None:
        """Starts a failed mail's schedule of tries anew.

        Raises NotFound, EmailNotFailed, and EmailExpired for one that held a code.
        """
        row = (await self._connection.execute(_TO_PUT_BACK, {"id": mail_id})).one_or_none()
        if row is None:
            raise NotFound("email")
        if row.state != EmailState.FAILED:
            raise EmailNotFailed(status=row.state)
        if row.expires_at is not None:
            raise EmailExpired()
        await self._connection.execute(_PUT_BACK, {"mail_id": mail_id})
        self.added = True

    async def add(self, *mails: NewEmail) -> None:
        """Leave mails to be sent as soon as a worker sees them: one statement, none for no mails."""
        if mails:
            await self._connection.execute(ADD, columns(mails))
            self.added = True


def columns(mails: Sequence[NewEmail]) -> dict[str, object]:
    """The parameters of INSERT_EMAILS."""
    return {
        "ids": [new_id() for _ in mails],
        "kinds": [mail.kind.value for mail in mails],
        "recipient_ids": [mail.recipient_id for mail in mails],
        "recipients": [mail.recipient for mail in mails],
        "masked_recipients": [masked(mail.recipient) for mail in mails],
        "prescription_ids": [mail.prescription_id for mail in mails],
        "details": [json.dumps(dict(mail.details)) for mail in mails],
        "sealed_codes": [mail.sealed_code for mail in mails],
        "expiries": [mail.expires_at for mail in mails],
    }
