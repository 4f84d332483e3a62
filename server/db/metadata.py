"""What all tables share: one metadata with a naming convention, and column types that mean something."""

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
"""Every table of every slice; migrations are compared with it."""

APPEND_ONLY: Final[dict[str, bool]] = {"append_only": True}
"""The `info` of a table to which rows are only added: its migration gives it the trigger `append_only`."""


def uuid_pk() -> Column[UUID]:
    """The primary key `id`: a UUIDv7 made by the service, so that newer rows sort behind older ones."""
    return Column("id", Uuid, primary_key=True)


def timestamp_column(name: str, *, nullable: bool = False, now: bool = False) -> Column[datetime]:
    """A point in time with its zone; `now` fills it with the database's time."""
    default = text("now()") if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def text_column(name: str) -> Column[str]:
    """A text that is empty rather than NULL when it was not given."""
    return Column(name, Text, nullable=False, server_default="")
