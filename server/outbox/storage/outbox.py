"""Transactional outbox: emails are inserted in the use case's transaction."""

import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select, text, update

from server.db.connection import Connection
from server.db.identifiers import new_id
from server.errors import EmailExpired, EmailLimitExceeded, EmailNotFailed, NotFound
from server.outbox.entities import EmailState, NewEmail
from server.outbox.masking import masked
from server.outbox.storage.tables import emails

INSERT_EMAILS: Final = """
    INSERT INTO emails (id, kind, recipient_id, recipient, masked_recipient, prescription_id, details, sealed_code,
                        expires_at, event_id)
    SELECT email.id, email.kind, email.recipient_id, email.recipient, email.masked_recipient, email.prescription_id,
           CAST(email.details AS jsonb), email.sealed_code, email.expires_at, event.id
    FROM event, unnest(
        CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:recipient_ids AS uuid[]), CAST(:recipients AS text[]),
        CAST(:masked_recipients AS text[]), CAST(:prescription_ids AS uuid[]), CAST(:details AS text[]),
        CAST(:sealed_codes AS bytea[]), CAST(:expiries AS timestamptz[])
    ) AS email (id, kind, recipient_id, recipient, masked_recipient, prescription_id, details, sealed_code, expires_at)
"""
"""Inserts emails with the id of the event that causes them; needs a preceding CTE named `event`."""

EMAILS_PER_DAY: Final = 20
"""The most emails in 24 hours that an account can request."""

ADDRESS_GONE: Final = "ADDRESS_GONE"
"""The error of an email that was not sent because its address no longer belongs to the recipient's account."""

# The lock makes concurrent requests see each other's emails. The row returned is the email that must become a day old
# before another can be requested. Emails that strangers cause have limits of their own and do not count here.
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
_END_ALL = text(
    f"""
    UPDATE emails
    SET state = 'failed', error = '{ADDRESS_GONE}', harmless = true, finished_at = now(), sealed_code = NULL,
        lease_expires_at = NULL, fence = fence + 1
    WHERE recipient_id = :recipient_id AND finished_at IS NULL
    """  # noqa: S608 - a constant
).bindparams(bindparam("recipient_id", type_=Uuid))
ADD = text(f"WITH event AS (SELECT CAST(NULL AS bigint) AS id) {INSERT_EMAILS}")


class Outbox:
    """The outbox in one transaction; added emails are sent only if that transaction commits.

    Holds emails that a caller requests. Emails that an event causes are added with the event (`EventRepository`).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.added = False
        """True if this transaction adds emails."""

    async def check_room(self, recipient_id: UUID, most: int) -> None:
        """Raises EmailLimitExceeded if the account was sent `most` emails of any kind in 24 hours.

        For requested emails; those that events cause are always sent. Reset codes and notices of a taken address do not
        count, because strangers cause them.
        """
        await self._connection.execute(_LOCK_RECIPIENT, {"recipient_id": str(recipient_id)})
        wait = await self._connection.scalar(_WAIT, {"recipient_id": recipient_id, "most": most})
        if wait is not None:
            raise EmailLimitExceeded(retry_after=wait)

    async def put_back(self, mail_id: UUID) -> None:
        """Restarts a failed email's schedule of attempts.

        Raises NotFound, EmailNotFailed, and EmailExpired for an email that contained a code.
        """
        row = await self._connection.first(_TO_PUT_BACK, {"id": mail_id})
        if row is None:
            raise NotFound("email")
        if row["state"] != EmailState.FAILED:
            raise EmailNotFailed(status=row["state"])
        if row["expires_at"] is not None:
            raise EmailExpired()
        await self._connection.execute(_PUT_BACK, {"mail_id": mail_id})
        self.added = True

    async def end_all(self, recipient_id: UUID) -> None:
        """Gives up the account's unfinished emails, also those that a worker has claimed, and erases their codes."""
        await self._connection.execute(_END_ALL, {"recipient_id": recipient_id})

    async def add(self, *mails: NewEmail) -> None:
        """Adds emails to send, in one statement; runs none without emails."""
        if mails:
            await self._connection.execute(ADD, columns(mails))
            self.added = True


def columns(mails: Sequence[NewEmail]) -> dict[str, object]:
    """Returns the parameters of INSERT_EMAILS."""
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
