"""Identified patients: who identified the person of a record, when, and by what kind of document.

Records of before: one that staff made, or with a visit or a prescription, counts as identified ("earlier_record"); any
other is self-asserted until a member of staff identifies its person. A record that a server of the version before makes
during the upgrade is self-asserted.

An account that registered and never confirmed its address is deleted with its record after some days. That is the only
deletion of an account: it has no clinical data. A function with the rights of the owner does it, so that the service
needs no right to delete accounts, records or names.
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

DOCUMENTS = (
    "identified_document IN ('identity_card', 'passport', 'driving_licence', 'residence_permit', 'insurance_card',"
    " 'birth_certificate', 'personally_known', 'other', 'earlier_record')"
)
IDENTIFIED = (
    "identified_at IS NOT NULL OR identified_by IS NULL AND identified_document IS NULL AND identification_note = ''"
)
CHECKS = {"identified_document": DOCUMENTS, "identified": IDENTIFIED}
AUTHOR = "fk_patients_identified_by"

BATCH = 2000
"""Rows of one transaction, because a change of a record waits for the batch that has locked its row."""
# The audit names the act by which a record began: the account's holder registered, or staff created it. A record
# without either is older than the audit; without an account, only staff can have made it.
IDENTIFY = f"""
    WITH batch AS (SELECT id, user_id FROM patients WHERE id > :after ORDER BY id LIMIT {BATCH}),
    identified AS (
        UPDATE patients SET identified_at = now(), identified_document = 'earlier_record'
        FROM batch
        WHERE patients.id = batch.id AND patients.identified_at IS NULL AND (
            EXISTS (SELECT FROM visits WHERE visits.patient_id = batch.id)
            OR EXISTS (SELECT FROM prescriptions WHERE prescriptions.patient_id = batch.id)
            OR EXISTS (
                SELECT FROM audit_records
                WHERE patient_ids @> ARRAY[batch.id] AND event IN ('patient_created', 'account_created') AND outcome = 0
            )
            OR batch.user_id IS NULL AND NOT EXISTS (
                SELECT FROM audit_records
                WHERE patient_ids @> ARRAY[batch.id] AND event = 'account_registered' AND outcome = 0
            )
        )
    )
    SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - a constant

NAMES = ("user_names", "patient_names")
# Names are only added, except when the owner's function deletes a whole account that was never confirmed.
REFUSE = """
    CREATE FUNCTION refuse_change_of_names() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND current_setting('medconnect.deletes_unconfirmed', true) = 'on'
            AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END $$
"""
GUARD = """
    CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""
# An account younger than a day is never deleted, whatever the caller states. Rows that nothing here names (visits,
# prescriptions, memberships) refuse the deletion by their foreign keys; the conditions leave such accounts out.
PURGE = """
    CREATE FUNCTION delete_unconfirmed_accounts(older_than interval, at_once integer) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        accounts uuid[];
        records uuid[];
    BEGIN
        SELECT array_agg(found.id) INTO accounts FROM (
            SELECT users.id FROM users
            WHERE new_email IS NOT NULL AND email IS NULL AND email_confirmed_at IS NULL
                AND created_at < now() - greatest(older_than, interval '1 day')
                AND NOT EXISTS (
                    SELECT FROM emails WHERE recipient_id = users.id AND state NOT IN ('completed', 'failed')
                )
                AND NOT EXISTS (SELECT FROM memberships WHERE user_id = users.id)
                AND NOT EXISTS (
                    SELECT FROM patients WHERE user_id = users.id AND (
                        identified_at IS NOT NULL
                        OR EXISTS (SELECT FROM visits WHERE patient_id = patients.id)
                        OR EXISTS (SELECT FROM prescriptions WHERE patient_id = patients.id)
                        OR EXISTS (SELECT FROM record_versions WHERE patient_id = patients.id)
                        OR EXISTS (SELECT FROM email_detachments WHERE patient_id = patients.id)
                    )
                )
            ORDER BY created_at LIMIT at_once FOR UPDATE SKIP LOCKED
        ) AS found;
        SELECT array_agg(id) INTO records FROM patients WHERE user_id = ANY (accounts);
        PERFORM set_config('medconnect.deletes_unconfirmed', 'on', true);
        DELETE FROM patient_names WHERE patient_id = ANY (records);
        DELETE FROM patients WHERE id = ANY (records);
        DELETE FROM emails WHERE recipient_id = ANY (accounts);
        DELETE FROM one_time_codes WHERE user_id = ANY (accounts);
        DELETE FROM sign_in_challenges WHERE user_id = ANY (accounts);
        DELETE FROM recovery_codes WHERE user_id = ANY (accounts);
        DELETE FROM second_factors WHERE user_id = ANY (accounts);
        DELETE FROM former_emails WHERE user_id = ANY (accounts);
        DELETE FROM refresh_tokens
        WHERE session_id IN (SELECT id FROM sessions WHERE user_id = ANY (accounts));
        DELETE FROM sessions WHERE user_id = ANY (accounts);
        DELETE FROM user_names WHERE user_id = ANY (accounts);
        DELETE FROM users WHERE id = ANY (accounts);
        PERFORM set_config('medconnect.deletes_unconfirmed', 'off', true);
        RETURN QUERY SELECT unnest(accounts);
    END $$
"""


def upgrade() -> None:
    """Adds the columns and the deletion of unconfirmed accounts, then identifies the records of before by the rule."""
    op.add_column("patients", sa.Column("identified_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("patients", sa.Column("identified_by", sa.Uuid(), nullable=True))
    op.add_column("patients", sa.Column("identified_document", sa.Text(), nullable=True))
    op.add_column("patients", sa.Column("identification_note", sa.Text(), server_default="", nullable=False))
    op.create_foreign_key(op.f(AUTHOR), "patients", "users", ["identified_by"], ["id"], postgresql_not_valid=True)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_patients_{name}"), "patients", condition, postgresql_not_valid=True)
    for constraint in (AUTHOR, *(f"ck_patients_{name}" for name in CHECKS)):
        op.execute(f"ALTER TABLE patients VALIDATE CONSTRAINT {constraint}")
    op.execute(REFUSE)
    for table in NAMES:
        op.execute(GUARD.format(table=table, function="refuse_change_of_names"))
    op.execute(PURGE)
    with op.get_context().autocommit_block():
        after: UUID | None = UUID(int=0)
        while after is not None:
            after = op.get_bind().execute(sa.text(IDENTIFY), {"after": after}).scalar()


def downgrade() -> None:
    """Drops the function and the columns; the version before makes no difference between records."""
    op.execute("DROP FUNCTION delete_unconfirmed_accounts(interval, integer)")
    for table in NAMES:
        op.execute(GUARD.format(table=table, function="refuse_change"))
    op.execute("DROP FUNCTION refuse_change_of_names()")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_patients_{name}"), "patients")
    op.drop_constraint(op.f(AUTHOR), "patients")
    for column in ("identification_note", "identified_document", "identified_by", "identified_at"):
        op.drop_column("patients", column)
