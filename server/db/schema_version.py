"""The revision of a database, and which servers can work on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

READ_VERSION: Final = "SELECT version_num, to_jsonb(v) ->> 'oldest_server' AS oldest_server FROM alembic_version v"
"""Reads a SchemaVersion. Revisions before 0026 have no column `oldest_server`, so it is read from the row as JSON."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The version of a database's schema, as the database records it.

    revision: the last migration. oldest_server: the newest revision that the oldest version knows which can still work
    on this schema; None: every older version can. A migration that removes something sets it.
    """

    revision: str
    oldest_server: str | None

    def is_newer(self, known: Sequence[str]) -> bool:
        """Returns whether a newer version has migrated the database than one that knows these revisions."""
        return self.revision not in known

    def fault(self, known: Sequence[str]) -> str | None:
        """Returns why a version that knows these revisions, in order, cannot work on this schema; None if it can."""
        head = known[-1]
        if not self.is_newer(known):
            behind = (
                f"the schema is at revision {self.revision} and this version needs {head}: run `medconnect migrate`"
            )
            return None if self.revision == head else behind
        if self.oldest_server is None or self.oldest_server in known:
            return None
        return (
            f"the schema is at revision {self.revision}, which serves only versions that know {self.oldest_server}; "
            f"this one knows {head}: install a newer one"
        )
