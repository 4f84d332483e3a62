"""Tables of the outbox."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from server.db.metadata import metadata, text_column, timestamp_column, uuid_pk

emails = Table(
    "emails",
    metadata,
    uuid_pk(),
    Column("kind", Text, nullable=False),
    Column("recipient_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("prescription_id", Uuid, ForeignKey("prescriptions.id")),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    timestamp_column("due_at", now=True),
    timestamp_column("lease_expires_at", nullable=True),
    Column("fence", Integer, nullable=False, server_default=text("0")),
    text_column("error"),
    timestamp_column("created_at", now=True),
    timestamp_column("finished_at", nullable=True),
    Column("sealed_code", LargeBinary),
    timestamp_column("expires_at", nullable=True),
    text_column("masked_recipient"),
    timestamp_column("queued_at", now=True),
    Column("harmless", Boolean, nullable=False, server_default=text("false")),
    Column("event_id", BigInteger, ForeignKey("events.id")),
    Column("deferrals", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("event_id", "recipient_id"),
    CheckConstraint("state IN ('pending', 'processing', 'completed', 'failed')", name="state"),
    CheckConstraint("(state = 'processing') = (lease_expires_at IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('completed', 'failed')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("sealed_code IS NULL OR finished_at IS NULL", name="sealed_code"),
    Index("ix_emails_due_at", "due_at", postgresql_where=text("state = 'pending'")),
    Index("ix_emails_urgent", "due_at", postgresql_where=text("finished_at IS NULL AND expires_at IS NOT NULL")),
    Index(
        "ix_emails_unfinished",
        "prescription_id",
        "recipient_id",
        "id",
        postgresql_where=text("finished_at IS NULL AND prescription_id IS NOT NULL"),
    ),
    Index("ix_emails_created_at_id", "created_at", "id"),
    Index("ix_emails_state_created_at_id", "state", "created_at", "id"),
    Index("ix_emails_recipient_id_created_at", "recipient_id", "created_at"),
    Index("ix_emails_lease_expires_at", "lease_expires_at", postgresql_where=text("state = 'processing'")),
    Index("ix_emails_finished_at", "state", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
)
"""Emails to send and emails sent; rows hold ids, from which an email is rendered when it is sent."""

mail_workers = Table(
    "mail_workers",
    metadata,
    uuid_pk(),
    timestamp_column("seen_at", now=True),
    Column("circuit_open", Boolean, nullable=False, server_default=text("false")),
    Column("stands_in", Boolean, nullable=False, server_default=text("false")),
)
"""Workers with their last heartbeat. `circuit_open`: the worker cannot reach the mail server. `stands_in`: a fallback
that works only while no other worker does."""
