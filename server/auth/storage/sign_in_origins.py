"""Repository of the devices and networks from which accounts signed in."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, text

from server.db.connection import Connection

# All parts of a statement see the rows of before it, so the first part does not see the row of the second.
_RECORD: Final = text(
    """
    WITH former AS (
        SELECT count(*) > 0 AS signed_in_before,
            now() - max(used_at) FILTER (WHERE device = :device AND network = :network) AS unused_for
        FROM sign_in_origins WHERE user_id = :user_id
    ), recorded AS (
        INSERT INTO sign_in_origins (user_id, device, network) VALUES (:user_id, :device, :network)
        ON CONFLICT (user_id, device, network) DO UPDATE SET used_at = now()
    )
    SELECT signed_in_before, unused_for FROM former
    """
).bindparams(
    bindparam("user_id", type_=Uuid),
    bindparam("device", type_=Text),
    bindparam("network", type_=Text),
)


class SignInOriginRepository:
    """Records the origins of sign-ins through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(self, user_id: UUID, device: str, network: str) -> tuple[bool, timedelta | None]:
        """Records a sign-in. Lock the account first, unless it is new.

        Returns whether the account had signed in before, and the time since it last did from this origin; None: never.
        """
        row = await self._connection.one(_RECORD, {"user_id": user_id, "device": device, "network": network})
        return row["signed_in_before"], row["unused_for"]
