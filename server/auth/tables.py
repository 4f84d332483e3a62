"""Tables of accounts and sessions."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from server.db.metadata import identifier, metadata, moment, words

users = Table(
    "users",
    metadata,
    identifier(),
    Column("email", Text, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("full_name", Text, nullable=False),
    Column("name_words", TSVECTOR, nullable=False),
    words("phone"),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    words("license_number"),
    words("specialization"),
    words("hospital_name"),
    words("pharmacy_name"),
    words("pharmacy_address"),
    moment("created_at", now=True),
    moment("status_changed_at", now=True),
    CheckConstraint("email = lower(email)", name="email_lower"),
    CheckConstraint("role IN ('patient', 'doctor', 'pharmacist', 'admin')", name="role"),
    CheckConstraint("status IN ('active', 'unverified', 'deactivated')", name="status"),
    CheckConstraint("role IN ('doctor', 'pharmacist') OR status <> 'unverified'", name="verifiable"),
    CheckConstraint("role NOT IN ('doctor', 'pharmacist') OR license_number <> ''", name="licensed"),
    Index("ix_users_name_words", "name_words", postgresql_using="gin"),
    Index("ix_users_created_at_id", "created_at", "id"),
    Index("ix_users_role_created_at_id", "role", "created_at", "id"),
    Index("ix_users_status_created_at_id", "status", "created_at", "id"),
    Index("ix_users_status_changed_at", "status_changed_at"),
)
"""Accounts; never deleted, because clinical data names them."""

sessions = Table(
    "sessions",
    metadata,
    identifier(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    moment("created_at", now=True),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
    Index("ix_sessions_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
)
"""One row per sign-in; its refresh tokens are one family."""

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    moment("issued_at", now=True),
    moment("expires_at"),
    moment("used_at", nullable=True),
)
"""SHA-256 of each refresh token; the tokens themselves are stored nowhere."""
