"""Tables of the audit log: append-only, which a trigger enforces."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from server.db.metadata import APPEND_ONLY, metadata, text_column, timestamp_column, uuid_pk

RARE: Final = (
    ("unsuccessful", "outcome", "outcome <> 0"),
    ("changes", "action", "action <> 'R'"),
    ("other_roles", "actor_role", "actor_role IN ('admin', 'anonymous', 'system')"),
)
"""Partial indexes (name, column, condition) for values too rare to be found by scanning the records in time order."""

audit_records = Table(
    "audit_records",
    metadata,
    uuid_pk(),
    Column("transaction_id", BigInteger, nullable=False, server_default=text("(pg_current_xact_id()::text)::bigint")),
    Column("occurred_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("action", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("actor_id", Uuid),
    Column("actor_role", Text, nullable=False),
    Column("session_id", Uuid),
    text_column("address"),
    text_column("user_agent"),
    text_column("rpc"),
    text_column("object_kind"),
    Column("object_id", Uuid),
    Column("patient_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    text_column("purpose"),
    text_column("request_id"),
    text_column("reason"),
    CheckConstraint("action IN ('C', 'R', 'U', 'D', 'E')", name="action"),
    CheckConstraint("outcome IN (0, 4, 8, 12)", name="outcome"),
    CheckConstraint(
        "actor_role IN ('patient', 'doctor', 'pharmacist', 'admin', 'anonymous', 'system')", name="actor_role"
    ),
    Index("ix_audit_records_transaction_id_id", "transaction_id", "id"),
    Index("ix_audit_records_occurred_at_id", "occurred_at", "id"),
    Index("ix_audit_records_actor_id_occurred_at_id", "actor_id", "occurred_at", "id"),
    Index("ix_audit_records_event_occurred_at_id", "event", "occurred_at", "id"),
    *(
        Index(f"ix_audit_records_{name}", column, "occurred_at", "id", postgresql_where=text(rare))
        for name, column, rare in RARE
    ),
    Index("ix_audit_records_patient_ids", "patient_ids", postgresql_using="gin"),
    info=APPEND_ONLY,
)
"""Audit records. They hold ids but no names or health data; permitted readers look those up.

transaction_id: orders records so that no later commit can precede sealed ones.
"""

patient_reads = Table(
    "patient_reads",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("patient_id", Uuid, primary_key=True),
    timestamp_column("counted_at"),
    Index("ix_patient_reads_counted_at", "counted_at"),
)
"""The patients whose data an account of staff has been shown, each counted for an hour from `counted_at` on.

Written by the function `count_patient_reads`, which the statements that write audit records call.
"""

read_alerts = Table(
    "read_alerts",
    metadata,
    uuid_pk(),
    Column("account_id", Uuid, nullable=False),
    Column("patients", Integer, nullable=False),
    timestamp_column("raised_at", now=True),
    Column("reported_at", DateTime(timezone=True)),
    CheckConstraint("patients > 0", name="patients"),
    Index("ix_read_alerts_account_id_raised_at", "account_id", "raised_at"),
    Index("ix_read_alerts_raised_at", "raised_at"),
    Index("ix_read_alerts_unreported", "raised_at", postgresql_where=text("reported_at IS NULL")),
)
"""Accounts that were shown the data of half as many patients as an hour allows; at most one row an hour each.

reported_at: when admins were told.
"""

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("record_id", Uuid, ForeignKey("audit_records.id"), nullable=False, unique=True),
    Column("transaction_id", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    timestamp_column("sealed_at", now=True),
    CheckConstraint("position > 0", name="position"),
    CheckConstraint("octet_length(hash) = 32", name="hash"),
    info=APPEND_ONLY,
)
"""The chain: each seal covers its record and the seal before it."""
