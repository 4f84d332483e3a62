"""The table of rate-limit buckets, which all processes share."""

from sqlalchemy import Column, Index, Table, Text

from server.db.metadata import metadata, timestamp_column

rate_limit_buckets = Table(
    "rate_limit_buckets",
    metadata,
    Column("limit_name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    timestamp_column("full_at"),
    Index("ix_rate_limit_buckets_full_at", "full_at"),
)
"""The time when each bucket will be full again (`bucket.py`); a full one needs no row. A key is an address or an id."""
