"""The audit, and the database role of the server and the worker.

The owner migrates. `medconnect_app` reads and writes rows, owns nothing, and can only insert into the audit. By default
it has all rights on tables of later revisions; an append-only table must revoke UPDATE and DELETE.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

# Roles belong to the whole cluster: a migration of another database may have created it, or be creating it now.
MAKE_ROLE = """
    DO $$
    BEGIN
        CREATE ROLE medconnect_app NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
"""
# An owner that may not grant the role is already a member: the account that created the role granted it.
JOIN_ROLE = """
    DO $$
    BEGIN
        GRANT medconnect_app TO CURRENT_USER;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END $$
"""
GRANTS = (
    "GRANT USAGE ON SCHEMA public TO medconnect_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO medconnect_app",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM medconnect_app",
    "REVOKE UPDATE, DELETE ON audit_records, audit_seals FROM medconnect_app",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO medconnect_app",
)
REVOKES = (
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM medconnect_app",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM medconnect_app",
    "REVOKE ALL ON SCHEMA public FROM medconnect_app",
)
REFUSE = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END $$
"""
GUARD = """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    """Creates the tables, their append-only triggers and the role."""
    op.create_table(
        "audit_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.Column(
            "occurred_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("rpc", sa.Text(), server_default="", nullable=False),
        sa.Column("object_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("patient_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("action IN ('C', 'R', 'U', 'D', 'E')", name=op.f("ck_audit_records_action")),
        sa.CheckConstraint("outcome IN (0, 4, 8, 12)", name=op.f("ck_audit_records_outcome")),
        sa.CheckConstraint(
            "actor_role IN ('patient', 'doctor', 'pharmacist', 'admin', 'anonymous', 'system')",
            name=op.f("ck_audit_records_actor_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
    )
    op.create_index("ix_audit_records_transaction_id_id", "audit_records", ["transaction_id", "id"])
    op.create_index("ix_audit_records_occurred_at_id", "audit_records", ["occurred_at", "id"])
    op.create_index("ix_audit_records_actor_id_occurred_at_id", "audit_records", ["actor_id", "occurred_at", "id"])
    op.create_index("ix_audit_records_patient_ids", "audit_records", ["patient_ids"], postgresql_using="gin")
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_audit_seals_position")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_audit_seals_hash")),
        sa.ForeignKeyConstraint(["record_id"], ["audit_records.id"], name=op.f("fk_audit_seals_record_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("record_id", name=op.f("uq_audit_seals_record_id")),
    )
    op.execute(REFUSE)
    for table in ("audit_records", "audit_seals"):
        op.execute(GUARD.format(table=table))
    for statement in (MAKE_ROLE, JOIN_ROLE, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """Drops the tables and the role's rights in this database; other databases may use the role."""
    op.drop_table("audit_seals")
    op.drop_table("audit_records")
    op.execute("DROP FUNCTION refuse_change()")
    for statement in REVOKES:
        op.execute(statement)
