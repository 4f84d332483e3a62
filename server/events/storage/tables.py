"""The table of events."""

from sqlalchemy import BigInteger, Column, Identity, Index, Sequence, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from server.db.metadata import APPEND_ONLY, metadata, timestamp_column

event_positions = Sequence("event_positions", metadata=metadata)
"""Numbers the positions in the feed."""

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("details", JSONB, nullable=False),
    timestamp_column("occurred_at", now=True),
    Column(
        "transaction_id", BigInteger, nullable=False, server_default=text("CAST(pg_current_xact_id()::text AS bigint)")
    ),
    Column("position", BigInteger, unique=True),
    Index("ix_events_unplaced", "id", postgresql_where=text("position IS NULL")),
    Index("ix_events_occurred_at", "occurred_at", postgresql_where=text("left(type, 6) = 'email.'")),
    info=APPEND_ONLY,
)
"""Events, inserted in the transaction of the change that they report; triggers reject updates of them.

Ids are drawn before transactions commit, so a reader at id n could miss n - 1 forever. `position` is the position in
the feed, assigned once, after the commit. A trigger of `emails` records each email's change of state as `email.` and
the state; only these events are ever deleted, together with old emails.
"""
