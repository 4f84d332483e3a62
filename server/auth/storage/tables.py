"""Tables of accounts, organisations, sessions, one-time codes and sign-ins."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Lateral,
    Table,
    Text,
    Uuid,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from server.db.metadata import APPEND_ONLY, metadata, text_column, timestamp_column, uuid_pk

users = Table(
    "users",
    metadata,
    uuid_pk(),
    Column("email", Text, unique=True),
    Column("new_email", Text),
    Column("password_hash", Text),
    Column("full_name", Text, nullable=False),
    Column("name_words", TSVECTOR, nullable=False),
    text_column("phone"),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    text_column("license_number"),
    text_column("license_issuer"),
    text_column("license_key"),
    text_column("specialization"),
    text_column("hospital_name"),
    text_column("pharmacy_name"),
    text_column("pharmacy_address"),
    timestamp_column("created_at", now=True),
    timestamp_column("status_changed_at", now=True),
    Column("deactivated_from", Text),
    timestamp_column("factor_grace_since", now=True),
    timestamp_column("password_reset_until", nullable=True),
    timestamp_column("email_confirmed_at", nullable=True),
    Column("created_by", Uuid),
    CheckConstraint("email = lower(email)", name="email_lower"),
    CheckConstraint("new_email = lower(new_email)", name="new_email_lower"),
    CheckConstraint("email IS NOT NULL OR new_email IS NOT NULL OR status = 'deactivated'", name="has_address"),
    CheckConstraint("role IN ('patient', 'doctor', 'pharmacist', 'admin')", name="role"),
    CheckConstraint("status IN ('active', 'unverified', 'deactivated')", name="status"),
    CheckConstraint("role IN ('doctor', 'pharmacist') OR status <> 'unverified'", name="verifiable"),
    CheckConstraint("role NOT IN ('doctor', 'pharmacist') OR license_number <> ''", name="licensed"),
    CheckConstraint(
        "deactivated_from IS NULL OR status = 'deactivated' AND deactivated_from IN ('active', 'unverified')",
        name="deactivated_from",
    ),
    Index("ix_users_name_words", "name_words", postgresql_using="gin"),
    Index("ix_users_created_at_id", "created_at", "id"),
    Index("ix_users_role_created_at_id", "role", "created_at", "id"),
    Index("ix_users_status_created_at_id", "status", "created_at", "id"),
    Index("ix_users_status_changed_at", "status_changed_at"),
    Index(
        "uq_users_license_key",
        "license_key",
        unique=True,
        postgresql_where=text("status = 'active' AND license_key <> ''"),
    ),
    Index("ix_users_new_email", "new_email", postgresql_where=text("new_email IS NOT NULL")),
)
"""Accounts; never deleted, because clinical data refers to them. `deactivated_from` is the status before deactivation.

`email` is the address that belongs to the account, which is unique; `new_email` is one that waits for confirmation by a
code, and several accounts may wait for the same. A self-registered account may have no address of its own yet.
`email_confirmed_at` is the time at which the owner of `email` showed that the mailbox is theirs; NULL for an address
that another person entered. An account from whose record a wrong address was detached has none, and stays deactivated.
factor_grace_since: the begin of the grace time without a second factor. password_reset_until: an admin allows that
until then an emailed code alone sets a new password. created_by: the admin who created the account; NULL if its owner
registered. It references no row, so that deleting an unconfirmed account looks for none that it created. license_key:
the folded issuer and number (`rules.licenses`), which one active account has; empty without an issuer.
"""

former_emails = Table(
    "former_emails",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    Column("email", Text, nullable=False),
    timestamp_column("created_at", now=True),
    timestamp_column("expires_at"),
    timestamp_column("ended_at", nullable=True),
    Index("ix_former_emails_expires_at", "expires_at"),
)
"""Addresses that owners replaced, with the SHA-256 of the token that undoes the change until it expires."""

user_names = Table(
    "user_names",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("since", DateTime(timezone=True), primary_key=True),
    Column("full_name", Text, nullable=False),
    text_column("license_number"),
    text_column("hospital_name"),
    text_column("pharmacy_name"),
    text_column("pharmacy_address"),
    info=APPEND_ONLY,
)
"""The names of each account over time, so that past actions show the names of their time.

Triggers on `users` insert the rows, the first of an account since -infinity; the service may only read them.
"""


def user_named_at(user_id: ColumnElement[UUID], at: ColumnElement[datetime], alias: str) -> Lateral:
    """Returns the row of `user_names` that applied to an account at a time, to be joined ON true.

    Queries that show a past action take names from here; `users` contains the current ones.
    """
    return named_at(user_names, user_names.c.user_id == user_id, at, alias)


def named_at(names: Table, of_person: ColumnElement[bool], at: ColumnElement[datetime], alias: str) -> Lateral:
    """Returns the newest row of one person in a table of names that is not newer than `at`."""
    until_then: Any = select(names).where(of_person, names.c.since <= at)
    return until_then.order_by(names.c.since.desc()).limit(1).lateral(alias)  # type: ignore[no-any-return]


organisations = Table(
    "organisations",
    metadata,
    uuid_pk(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    text_column("register_number"),
    text_column("address"),
    text_column("phone"),
    Column("match_key", Text, nullable=False),
    timestamp_column("created_at", now=True),
    timestamp_column("closed_at", nullable=True),
    CheckConstraint("kind IN ('hospital', 'pharmacy')", name="kind"),
    CheckConstraint("name <> ''", name="named"),
    Index("ix_organisations_created_at_id", "created_at", "id"),
    Index("ix_organisations_match_key", "match_key", postgresql_using="spgist"),
    Index("ix_organisations_kind_created_at_id", "kind", "created_at", "id"),
    Index("uq_organisations_match", "kind", "match_key", unique=True, postgresql_where=text("closed_at IS NULL")),
)
"""Hospitals and pharmacies; never deleted. `match_key` is `rules.organisations.match_key` of name and address."""

memberships = Table(
    "memberships",
    metadata,
    uuid_pk(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("organisation_id", Uuid, ForeignKey("organisations.id"), nullable=False),
    Column("member_right", Text, nullable=False),
    timestamp_column("since", now=True),
    timestamp_column("ended_at", nullable=True),
    CheckConstraint("member_right IN ('member', 'administrator')", name="member_right"),
    Index(
        "uq_memberships_current", "user_id", "organisation_id", unique=True, postgresql_where=text("ended_at IS NULL")
    ),
    Index("ix_memberships_organisation_id_since_id", "organisation_id", "since", "id"),
)
"""Who may act for which organisation; an ended membership stays as a row, and a new one is another row."""


sessions = Table(
    "sessions",
    metadata,
    uuid_pk(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    timestamp_column("created_at", now=True),
    timestamp_column("expires_at"),
    timestamp_column("revoked_at", nullable=True),
    timestamp_column("history_until", nullable=True),
    text_column("device"),
    text_column("address"),
    timestamp_column("last_used_at", now=True),
    Column("organisation_id", Uuid, ForeignKey("organisations.id")),
    timestamp_column("factor_at", nullable=True),
    Index("ix_sessions_expires_at", "expires_at"),
    Index("ix_sessions_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
)
"""One row per sign-in; its refresh tokens are one family.

history_until: the end of access to a patient's history. device, address: shown to the session's owner and to admins,
empty if they are unknown. last_used_at: the sign-in, or the last refresh after a person acted. organisation_id: the one
for which the person acts, if the account is a member of any. factor_at: the last verification of a second factor in it.
"""

sign_in_origins = Table(
    "sign_in_origins",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("device", Text, primary_key=True),
    Column("network", Text, primary_key=True),
    timestamp_column("used_at", now=True),
    Index("ix_sign_in_origins_used_at", "used_at"),
)
"""The devices and networks from which each account signed in, with the last time; the newest of an account stays."""

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    timestamp_column("issued_at", now=True),
    timestamp_column("expires_at"),
    timestamp_column("used_at", nullable=True),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
)
"""The SHA-256 of each refresh token; the tokens themselves are not stored."""

one_time_codes = Table(
    "one_time_codes",
    metadata,
    uuid_pk(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("session_id", Uuid, ForeignKey("sessions.id")),
    Column("address", LargeBinary),
    Column("nonce", LargeBinary),
    Column("stranger", Boolean, nullable=False, server_default=text("false")),
    Column("code_hash", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("stray_tries", Integer, nullable=False, server_default=text("0")),
    timestamp_column("created_at", now=True),
    timestamp_column("expires_at"),
    timestamp_column("ended_at", nullable=True),
    CheckConstraint("purpose IN ('password_reset', 'history_access', 'email_confirmation')", name="purpose"),
    CheckConstraint("(purpose = 'history_access') = (session_id IS NOT NULL)", name="session"),
    CheckConstraint("tries BETWEEN 0 AND 5 AND (tries < 5 OR ended_at IS NOT NULL)", name="tries"),
    CheckConstraint("stray_tries BETWEEN 0 AND 5", name="stray_tries"),
    Index("ix_one_time_codes_still_open", "user_id", "purpose", postgresql_where=text("ended_at IS NULL")),
    Index("ix_one_time_codes_user_id_created_at", "user_id", "created_at"),
    Index("ix_one_time_codes_session_id", "session_id"),
    Index("ix_one_time_codes_created_at", "created_at"),
)
"""One-time codes sent by email; codes older than a day are deleted.

address, nonce: keyed hashes that identify the client that requested a reset code; stranger: the account had not signed
in from that address during the last 30 days. tries: tries by that client; stray_tries: tries by others, which never end
a code.
"""

sign_in_counters = Table(
    "sign_in_counters",
    metadata,
    Column("account", LargeBinary, primary_key=True),
    Column("address", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    timestamp_column("blocked_until"),
    timestamp_column("signed_in_at", nullable=True),
    timestamp_column("touched_at"),
    Index("ix_sign_in_counters_touched_at", "touched_at"),
)
"""Failed sign-ins by keyed hash of the email, known or not: one shared counter (its address is empty), and one for each
address from which the account signed in."""

second_factors = Table(
    "second_factors",
    metadata,
    uuid_pk(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    text_column("label"),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("last_step", BigInteger),
    timestamp_column("created_at", now=True),
    timestamp_column("confirmed_at", nullable=True),
    timestamp_column("last_used_at", nullable=True),
    CheckConstraint("kind IN ('totp')", name="kind"),
    Index("ix_second_factors_unconfirmed", "created_at", postgresql_where=text("confirmed_at IS NULL")),
)
"""Second factors; one without `confirmed_at` does not work yet. `last_step` is the time step of the last code that was
used: older codes and the code itself are refused."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    timestamp_column("used_at", nullable=True),
)
"""SHA-256 of recovery codes, which have 80 random bits."""

sign_in_challenges = Table(
    "sign_in_challenges",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    timestamp_column("expires_at"),
    Index("ix_sign_in_challenges_expires_at", "expires_at"),
)
"""Sign-ins with a right password that wait for the second factor, by the SHA-256 of their challenge."""
