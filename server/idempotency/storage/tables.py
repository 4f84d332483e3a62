"""The table of idempotency keys."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.db.metadata import metadata, text_column, timestamp_column

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller_id", Uuid, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    text_column("object_kind"),
    Column("object_id", Uuid),
    Column("patient_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    timestamp_column("created_at", now=True),
    Index("ix_idempotency_keys_created_at", "created_at"),
)
"""The first success of each keyed write, stored in that write's own transaction.

object_kind, object_id, patient_ids: the subject of the write's audit record, which each repetition records too.
"""
