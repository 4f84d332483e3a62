"""Alerts about accounts that were shown the data of many patients; the database raises them as it counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from server.db.connection import Connection

AT_ONCE: Final = 100
"""The most alerts that one transaction reports."""

# Alerts that another process reports now are left to it.
_TAKE: Final = text(
    f"""
    UPDATE read_alerts SET reported_at = now() WHERE id IN (
        SELECT id FROM read_alerts WHERE reported_at IS NULL
        ORDER BY raised_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED
    )
    RETURNING account_id, patients
    """  # noqa: S608 - a number
)


@dataclass(frozen=True, slots=True)
class ReadAlert:
    """An account that was shown the data of half as many patients as an hour allows."""

    account_id: UUID
    patients: int
    """How many patients were counted when the alert was raised."""


class ReadAlertRepository:
    """Takes alerts through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take_unreported(self) -> Sequence[ReadAlert]:
        """Returns up to AT_ONCE alerts, the oldest first, and marks them as reported."""
        return [ReadAlert(row["account_id"], row["patients"]) for row in await self._connection.rows(_TAKE)]
