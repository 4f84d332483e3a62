"""Times of the last successes of background work, by the database's clock."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from server.db.connection import Connection

_SUCCEEDED: Final = text(
    """
    INSERT INTO background_tasks (name, succeeded_at) VALUES (:name, now())
    ON CONFLICT (name) DO UPDATE SET succeeded_at = now()
    """
)
# Workers that send emails report their heartbeats in `mail_workers`.
_AGES: Final = text(
    """
    SELECT name, CAST(extract(epoch FROM now() - succeeded_at) AS float) AS age FROM background_tasks
    UNION ALL
    SELECT 'emails', CAST(extract(epoch FROM now() - max(seen_at)) AS float) FROM mail_workers HAVING count(*) > 0
    """
)


class LivenessRepository:
    """Stores and reads successes of background work by name, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def succeeded(self, name: str) -> None:
        """Stores that this work has just succeeded."""
        await self._connection.execute(_SUCCEEDED, {"name": name})

    async def ages(self) -> Mapping[str, float]:
        """Returns how many seconds ago each kind of work last succeeded; work that never succeeded is missing."""
        return {row["name"]: row["age"] for row in await self._connection.rows(_AGES)}
