"""The rights of the service's roles: one table, which every migration to the newest revision applies.

`GRANTS` is complete. After the revisions, `agree` makes the database agree with it: a missing right is granted, an
unlisted right is revoked, and an unlisted table gives no rights. A new table or column therefore needs its line here
and nothing in its migration. Rights that the previous version's server still uses stay listed until the next release,
as its columns do.

The rights are exactly those that the repositories' statements need. A lock (FOR UPDATE) needs the right to update some
column. Columns that the database fills (times, transaction ids) are not listed, so that no statement can forge them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from server.db.engine import APP_ROLE, SEALER_ROLE


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a role on one table; insert and update are limited to columns."""

    insert: frozenset[str] = frozenset()
    update: frozenset[str] = frozenset()
    delete: bool = False
    """Every right includes reading the whole table."""


def _rights(insert: str = "", update: str = "", *, delete: bool = False) -> Rights:
    return Rights(frozenset(insert.split()), frozenset(update.split()), delete)


_AUDIT_RECORD: Final = (
    "id action event outcome actor_id actor_role session_id address user_agent rpc object_kind object_id patient_ids "
    "purpose request_id reason"
)
_PERSON: Final = (
    "full_name name_words phone date_of_birth gender blood_type address emergency_contact emergency_phone "
    "insurance_provider insurance_number allergies existing_conditions sort_name"
)
_IDENTIFICATION: Final = "identified_at identified_by identified_document identification_note"
_NO_ALLERGIES: Final = "no_allergies_at no_allergies_by"
_KEPT_ANSWER: Final = "request_hash response object_kind object_id patient_ids"

GRANTS: Final[Mapping[str, Mapping[str, Rights]]] = {
    APP_ROLE: {
        "alembic_version": _rights(),
        # Rows are only inserted.
        "audit_records": _rights(_AUDIT_RECORD),
        "audit_seals": _rights(),
        "patient_reads": _rights("account_id patient_id counted_at", "counted_at", delete=True),
        "read_alerts": _rights("id account_id patients", "reported_at", delete=True),
        "pharmacy_log": _rights(
            "id prescription_id pharmacist_id organisation_id action from_status to_status notes occurred_at"
        ),
        "dispensed_lines": _rights(
            "id log_id item_id dispensed_before before_fraction quantity quantity_fraction unit_price currency "
            "batch_number expiry_date product_code dispensed_medicine_name substitution_reason"
        ),
        "visits": _rights(
            "id patient_id doctor_id visit_date visit_type chief_complaint symptoms diagnosis treatment_notes "
            "recommendations hospital_name blood_pressure heart_rate temperature weight height"
        ),
        # Rows are inserted and change their state; their identity never changes.
        "prescriptions": _rights(
            "id number patient_id doctor_id visit_id diagnosis doctor_notes expires_at valid_from starts_at",
            "status status_reason changed_at fulfilled_at claimed_by claimed_from claim_expires_at claimed_for "
            "claimed_for_until suspended_at resumed_at",
        ),
        "prescription_items": _rights(
            "id prescription_id position medicine_name dosage frequency quantity quantity_fraction quantity_unit "
            "instructions route duration_days substitution_allowed",
            "dispensed_quantity dispensed_fraction",
        ),
        "qr_codes": _rights(
            "id prescription_id key_id nonce qr_hash issued_at expires_at text_format", "replaced_at scan_count"
        ),
        "users": _rights(
            "id email new_email password_hash full_name name_words phone role status license_number "
            "license_issuer license_key specialization hospital_name pharmacy_name pharmacy_address "
            "email_confirmed_at created_by",
            "email email_confirmed_at new_email password_hash full_name name_words phone status hospital_name "
            "pharmacy_name pharmacy_address status_changed_at deactivated_from password_reset_until "
            "license_issuer license_key",
        ),
        "organisations": _rights(
            "id kind name register_number address phone match_key",
            "name register_number address phone match_key closed_at",
        ),
        "memberships": _rights("id user_id organisation_id member_right", "member_right ended_at"),
        # Triggers write these tables with the rights of the owner.
        "user_names": _rights(),
        "patient_names": _rights(),
        "record_versions": _rights(),
        "patients": _rights(
            f"id user_id reference_number {_PERSON} {_IDENTIFICATION} {_NO_ALLERGIES}",
            f"user_id version updated_at changed_by full_emails {_PERSON} {_IDENTIFICATION} {_NO_ALLERGIES}",
        ),
        "email_detachments": _rights("id patient_id user_id reason requested_by expires_at", "ended_by ended_at"),
        "events": _rights("type subject_id details", "position", delete=True),  # triggers keep all but email changes
        # Rows expire or finish, and are deleted.
        "sessions": _rights(
            "id user_id expires_at device address organisation_id",
            "revoked_at history_until address last_used_at factor_at organisation_id",
            delete=True,
        ),
        "sign_in_origins": _rights("user_id device network", "used_at", delete=True),
        "refresh_tokens": _rights("token_hash session_id expires_at", "used_at", delete=True),
        "one_time_codes": _rights(
            "id user_id purpose session_id code_hash expires_at address nonce stranger",
            "tries stray_tries ended_at",
            delete=True,
        ),
        "former_emails": _rights("token_hash user_id email expires_at", "ended_at", delete=True),
        "sign_in_counters": _rights(
            "account address failures blocked_until signed_in_at touched_at",
            "failures blocked_until signed_in_at touched_at",
            delete=True,
        ),
        "second_factors": _rights(
            "id user_id kind label sealed_secret", "sealed_secret last_step confirmed_at last_used_at", delete=True
        ),
        "recovery_codes": _rights("user_id code_hash", "used_at", delete=True),
        "sign_in_challenges": _rights("token_hash user_id expires_at", delete=True),
        "rate_limit_buckets": _rights("limit_name key full_at", "full_at", delete=True),
        "idempotency_keys": _rights(f"caller_id method key {_KEPT_ANSWER}", f"created_at {_KEPT_ANSWER}", delete=True),
        "emails": _rights(
            "id kind recipient_id recipient masked_recipient prescription_id details sealed_code expires_at event_id",
            "state attempts deferrals due_at lease_expires_at fence error harmless finished_at sealed_code queued_at",
            delete=True,
        ),
        "mail_workers": _rights("id seen_at circuit_open stands_in", "seen_at circuit_open", delete=True),
        "background_tasks": _rights("name succeeded_at", "succeeded_at"),
    },
    SEALER_ROLE: {
        "audit_records": _rights(),
        "audit_seals": _rights("position record_id transaction_id hash"),
    },
}
"""The rights by role and table."""

SEQUENCES: Final[Mapping[str, frozenset[str]]] = {APP_ROLE: frozenset({"event_positions"}), SEALER_ROLE: frozenset()}
"""The sequences that a role may draw from."""

Right = tuple[str, str, str]
"""A relation, a privilege, and a column; an empty column: the whole relation."""

# Existing relations and columns: at an older revision some of GRANTS are missing, and others not yet dropped.
_PRESENT: Final = """
    SELECT c.relname, c.relkind::text, coalesce(array_agg(a.attname::text) FILTER (WHERE a.attname IS NOT NULL), '{}')
    FROM pg_class c
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    GROUP BY c.oid
"""
_GRANTED: Final = """
    SELECT c.relname, g.privilege_type, ''
    FROM pg_class c, aclexplode(c.relacl) g JOIN pg_roles r ON r.oid = g.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND r.rolname = $1
    UNION ALL
    SELECT c.relname, g.privilege_type, a.attname
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) g
    JOIN pg_roles r ON r.oid = g.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND r.rolname = $1
"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('medconnect grants'))"


def wanted(role: str) -> Iterator[Right]:
    """Yields the rights of a role, in the terms of PostgreSQL's catalog."""
    for table, rights in GRANTS[role].items():
        yield table, "SELECT", ""
        yield from ((table, "INSERT", column) for column in rights.insert)
        yield from ((table, "UPDATE", column) for column in rights.update)
        if rights.delete:
            yield table, "DELETE", ""
    yield from ((sequence, "USAGE", "") for sequence in SEQUENCES[role])


async def granted(connection: asyncpg.Connection, role: str) -> set[Right]:
    """Returns the rights of a role in the database's catalog."""
    return {tuple(row) for row in await connection.fetch(_GRANTED, role)}


async def agree(url: str) -> None:
    """Makes the database agree with GRANTS; changes only rights that differ. url: that of the schema's owner.

    Raises asyncpg.InsufficientPrivilegeError when rights must change and the account is not the owner.
    """
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(_ONE_AT_A_TIME)
            for statement in await _changes(connection):
                await connection.execute(statement)
            if await _changes(connection):  # PostgreSQL only warns when it revokes nothing
                raise asyncpg.InsufficientPrivilegeError("the rights of the service's roles cannot be changed")
    finally:
        await connection.close()


async def _changes(connection: asyncpg.Connection) -> list[str]:
    kinds, columns = {}, {}
    for name, kind, attributes in await connection.fetch(_PRESENT):
        kinds[name], columns[name] = kind, {"", *attributes}
    changes: list[str] = []
    for role in GRANTS:
        now = await granted(connection, role)
        then = {right for right in wanted(role) if right[2] in columns.get(right[0], ())}
        for name in sorted({right[0] for right in now ^ then}):
            what = ("SEQUENCE " if kinds[name] == "S" else "") + f'"{name}"'
            changes.append(f"REVOKE ALL ON {what} FROM {role}")
            changes += [f"GRANT {verbs} ON {what} TO {role}" for verbs in _verbs(r for r in then if r[0] == name)]
    return changes


def _verbs(rights: Iterable[Right]) -> Iterator[str]:
    """Yields each privilege on one relation, with its columns in brackets."""
    by_verb: dict[str, list[str]] = {}
    for _, verb, column in rights:
        by_verb.setdefault(verb, []).append(column)
    for verb, names in sorted(by_verb.items()):
        yield verb if names == [""] else f"{verb} ({', '.join(sorted(names))})"
