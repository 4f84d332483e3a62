"""Table of background work."""

from sqlalchemy import Column, Table, Text

from server.db.metadata import metadata, timestamp_column

background_tasks = Table(
    "background_tasks",
    metadata,
    Column("name", Text, primary_key=True),
    timestamp_column("succeeded_at"),
)
"""The time at which each kind of work last succeeded, in any process."""
