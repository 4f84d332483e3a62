"""Former versions of the clinical fields of patient records: a change keeps what was there, who replaced it and when.

A trigger writes the versions with the rights of the owner, so that no statement can change a record and keep nothing,
and the previous version of the server keeps versions too.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"

CLINICAL = ("date_of_birth", "gender", "blood_type", "allergies", "existing_conditions")
OLD = ", ".join(f"OLD.{name}" for name in CLINICAL)
CHANGED = ", ".join(f"CASE WHEN OLD.{name} IS DISTINCT FROM NEW.{name} THEN '{name}' END" for name in CLINICAL)

# The author is passed on and not kept: a later statement without one would be attributed to the author before it.
KEEP = f"""
    CREATE FUNCTION keep_record_version() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        changed text[] := array_remove(ARRAY[{CHANGED}], NULL);
    BEGIN
        IF changed <> '{{}}' THEN
            INSERT INTO record_versions
                (id, patient_id, version, replaced_at, replaced_by, changed_fields, {", ".join(CLINICAL)})
            VALUES (gen_random_uuid(), OLD.id, OLD.version, now(), NEW.changed_by, changed, {OLD});
            NEW.version := greatest(NEW.version, OLD.version + 1);
        END IF;
        NEW.changed_by := NULL;
        RETURN NEW;
    END $$
"""  # noqa: S608 - constants
ON_UPDATE = """
    CREATE TRIGGER keeps_each_version BEFORE UPDATE ON patients
    FOR EACH ROW EXECUTE FUNCTION keep_record_version()
"""
GUARD = """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON record_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""
AUTHOR = "fk_patients_changed_by"


def upgrade() -> None:
    """Creates the table, the column for the author of a change, and the trigger that joins them."""
    op.add_column("patients", sa.Column("changed_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f(AUTHOR), "patients", "users", ["changed_by"], ["id"], postgresql_not_valid=True)
    op.create_table(
        "record_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("changed_fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("blood_type", sa.Text(), nullable=False),
        sa.Column("allergies", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("existing_conditions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_record_versions_patient_id")),
        sa.ForeignKeyConstraint(["replaced_by"], ["users.id"], name=op.f("fk_record_versions_replaced_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_versions")),
        sa.UniqueConstraint("patient_id", "version", name=op.f("uq_record_versions_patient_id_version")),
    )
    for statement in (KEEP, ON_UPDATE, GUARD):
        op.execute(statement)
    op.execute(f"ALTER TABLE patients VALIDATE CONSTRAINT {AUTHOR}")


def downgrade() -> None:
    """Drops the trigger, the table and the column."""
    op.execute("DROP TRIGGER keeps_each_version ON patients")
    op.execute("DROP FUNCTION keep_record_version()")
    op.drop_table("record_versions")
    op.drop_column("patients", "changed_by")
