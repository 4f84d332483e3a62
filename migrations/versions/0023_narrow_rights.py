"""Rights by verb and column, a role for the sealer, and the times at which background jobs last succeeded.

The rights are listed in `server/db/grants.py`, which every upgrade to the newest revision applies. This revision
revokes the default rights on new tables. An upgrade that stops at an older revision leaves the previous rights.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

# Roles belong to the whole cluster: a migration of another database may have created it, or be creating it now.
MAKE_ROLE = """
    DO $$
    BEGIN
        CREATE ROLE medconnect_sealer NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
"""
# An owner that may not grant the role is already a member: the account that created the role granted it.
JOIN_ROLE = """
    DO $$
    BEGIN
        GRANT medconnect_sealer TO CURRENT_USER;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END $$
"""
CLOSE = (
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM medconnect_app",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO medconnect_sealer",
)
REOPEN = (
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM medconnect_sealer",
    "REVOKE ALL ON SCHEMA public FROM medconnect_sealer",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO medconnect_app",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM medconnect_app",
    "REVOKE UPDATE, DELETE ON audit_records, audit_seals FROM medconnect_app",
    "REVOKE INSERT, UPDATE, DELETE ON user_names, patient_names FROM medconnect_app",
    "REVOKE UPDATE ON events FROM medconnect_app",
    "GRANT UPDATE (position) ON events TO medconnect_app",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO medconnect_app",
)


def upgrade() -> None:
    """Creates the role and the table, and revokes the default rights on new tables."""
    for statement in (MAKE_ROLE, JOIN_ROLE, *CLOSE):
        op.execute(statement)
    op.create_table(
        "background_tasks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_background_tasks")),
    )


def downgrade() -> None:
    """Drops the table and restores the previous rights; other databases may use the role."""
    op.drop_table("background_tasks")
    for statement in REOPEN:
        op.execute(statement)
