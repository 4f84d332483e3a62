"""The table of first successes."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text, Uuid

from server.db.metadata import metadata, moment

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller_id", Uuid, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    moment("created_at", now=True),
    Index("ix_idempotency_keys_created_at", "created_at"),
)
"""The first success of each keyed write, stored in that write's own transaction."""
