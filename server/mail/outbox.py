"""Where every use case leaves the mails it wants sent: rows that commit with its own."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.db.identifiers import new_id
from server.mail.entities import NewMail
from server.mail.tables import emails

ADD = insert(emails).inline()


class Outbox:
    """The outbox as one transaction sees it; what it adds is sent once that transaction has committed, else never."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, *mails: NewMail) -> None:
        """Leave mails to be sent as soon as a worker sees them: one statement, none for no mails."""
        if mails:
            await self._connection.execute(ADD, [_row(mail) for mail in mails])


def _row(mail: NewMail) -> dict[str, object]:
    return {
        "id": new_id(),
        "kind": mail.kind.value,
        "recipient_id": mail.recipient_id,
        "recipient": mail.recipient,
        "prescription_id": mail.prescription_id,
        "details": dict(mail.details),
        "sealed_code": mail.sealed_code,
        "expires_at": mail.expires_at,
    }
