"""The table of requests to detach email addresses from patient records."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, Uuid, text

from server.db.metadata import metadata, timestamp_column, uuid_pk

email_detachments = Table(
    "email_detachments",
    metadata,
    uuid_pk(),
    Column("patient_id", Uuid, ForeignKey("patients.id"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Uuid, ForeignKey("users.id"), nullable=False),
    timestamp_column("requested_at", now=True),
    timestamp_column("expires_at"),
    Column("ended_by", Uuid, ForeignKey("users.id")),
    timestamp_column("ended_at", nullable=True),
    CheckConstraint("reason IN ('wrong_address', 'mailbox_lost', 'mailbox_shared', 'patient_asked')", name="reason"),
    CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name="ended"),
    Index("uq_email_detachments_open", "patient_id", unique=True, postgresql_where=text("ended_at IS NULL")),
)
"""Requests of doctors to detach an email address, and with it the account `user_id`, from a record.

ended_by: the doctor who carried the request out; NULL while it is open, and if it expired.
"""
