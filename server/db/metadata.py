"""The metadata of all tables with its naming convention, and constructors of common columns."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Text, Uuid, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""The metadata of every slice's tables; migrations are compared with it."""

APPEND_ONLY: Final[dict[str, bool]] = {"append_only": True}
"""The `info` of a table into which rows are only inserted: its migration creates the trigger `append_only`."""


def uuid_pk() -> Column[UUID]:
    """Returns the primary key `id`: a UUIDv7 from `new_id`, so that newer rows sort after older ones."""
    return Column("id", Uuid, primary_key=True)


def timestamp_column(name: str, *, nullable: bool = False, now: bool = False) -> Column[datetime]:
    """Returns a column for a point in time with its zone; `now` makes the database's time its default."""
    default = text("now()") if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def text_column(name: str) -> Column[str]:
    """Returns a text column that is empty rather than NULL by default."""
    return Column(name, Text, nullable=False, server_default="")
