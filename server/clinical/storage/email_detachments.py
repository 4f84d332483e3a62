"""Requests to detach email addresses in the database."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Interval, Text, Uuid, bindparam, text

from server.clinical.patient_entities import EmailDetachReason
from server.db.connection import Connection
from server.db.identifiers import new_id

REQUEST_PERIOD: Final = timedelta(days=7)
"""How long a request waits for the second doctor."""

_PATIENT: Final = bindparam("patient_id", type_=Uuid)
_ENDER: Final = bindparam("ended_by", type_=Uuid)

_END_EXPIRED: Final = text(
    """
    UPDATE email_detachments SET ended_at = expires_at
    WHERE patient_id = :patient_id AND ended_at IS NULL AND expires_at <= now()
    """
).bindparams(_PATIENT)
_REQUEST: Final = text(
    """
    INSERT INTO email_detachments (id, patient_id, user_id, reason, requested_by, expires_at)
    VALUES (:id, :patient_id, :user_id, :reason, :requested_by, now() + :period)
    """
).bindparams(
    _PATIENT,
    bindparam("id", type_=Uuid),
    bindparam("user_id", type_=Uuid),
    bindparam("reason", type_=Text),
    bindparam("requested_by", type_=Uuid),
    bindparam("period", REQUEST_PERIOD, type_=Interval),
)
_CARRY_OUT: Final = text(
    """
    UPDATE email_detachments SET ended_at = now(), ended_by = :ended_by
    WHERE patient_id = :patient_id AND ended_at IS NULL
    """
).bindparams(_PATIENT, _ENDER)


class EmailDetachmentRepository:
    """Writes the requests about locked patient records; the record itself shows its open request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def request(self, patient_id: UUID, user_id: UUID, reason: EmailDetachReason, doctor_id: UUID) -> None:
        """Stores a request to detach an account from a record that has no open one."""
        await self._connection.execute(_END_EXPIRED, {"patient_id": patient_id})
        values = {"patient_id": patient_id, "user_id": user_id, "reason": reason, "requested_by": doctor_id}
        await self._connection.execute(_REQUEST, values | {"id": new_id()})

    async def carry_out(self, patient_id: UUID, doctor_id: UUID) -> None:
        """Records that a doctor carried out the open request, if there is one."""
        await self._connection.execute(_CARRY_OUT, {"patient_id": patient_id, "ended_by": doctor_id})
