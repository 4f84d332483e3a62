"""Allergies have three states: not recorded, none known (with account and time), and listed.

Empty lists of before become not recorded: they never stated that there are none. The trigger that keeps former versions
keeps this state too, and ends it when allergies are listed, so that a server of the version before cannot list some
beside the recording that there are none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

CLINICAL = ("date_of_birth", "gender", "blood_type", "allergies", "existing_conditions")
OLD = ", ".join(f"OLD.{name}" for name in CLINICAL)
CHANGED = ", ".join(f"CASE WHEN OLD.{name} IS DISTINCT FROM NEW.{name} THEN '{name}' END" for name in CLINICAL)


def keep(states: str = "", column: str = "", value: str = "") -> str:
    """Returns the statement that creates the trigger's function; without arguments, that of the version before."""
    return f"""
        CREATE OR REPLACE FUNCTION keep_record_version() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE
            changed text[] := array_remove(ARRAY[{CHANGED}], NULL);
        BEGIN{states}
            IF changed <> '{{}}' THEN
                INSERT INTO record_versions
                    (id, patient_id, version, replaced_at, replaced_by, changed_fields, {", ".join(CLINICAL)}{column})
                VALUES (gen_random_uuid(), OLD.id, OLD.version, now(), NEW.changed_by, changed, {OLD}{value});
                NEW.version := greatest(NEW.version, OLD.version + 1);
            END IF;
            NEW.changed_by := NULL;
            RETURN NEW;
        END $$
    """  # noqa: S608 - constants


STATES = """
            IF NEW.allergies <> '{}' THEN
                NEW.no_allergies_at := NULL;
                NEW.no_allergies_by := NULL;
            END IF;
            IF OLD.allergies = NEW.allergies AND OLD.no_allergies_at IS DISTINCT FROM NEW.no_allergies_at THEN
                changed := changed || 'allergy_status'::text;
            END IF;"""
AUTHOR = "fk_patients_no_allergies_by"
CHECK = "ck_patients_no_allergies"


def upgrade() -> None:
    """Adds the columns and replaces the trigger's function."""
    op.add_column("patients", sa.Column("no_allergies_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("patients", sa.Column("no_allergies_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f(AUTHOR), "patients", "users", ["no_allergies_by"], ["id"], postgresql_not_valid=True)
    op.create_check_constraint(
        op.f(CHECK),
        "patients",
        "(no_allergies_at IS NULL) = (no_allergies_by IS NULL) AND (no_allergies_at IS NULL OR allergies = '{}')",
        postgresql_not_valid=True,
    )
    op.add_column(
        "record_versions",
        sa.Column("no_known_allergies", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.execute(keep(STATES, ", no_known_allergies", ", OLD.no_allergies_at IS NOT NULL"))
    for constraint in (AUTHOR, CHECK):
        op.execute(f"ALTER TABLE patients VALIDATE CONSTRAINT {constraint}")


def downgrade() -> None:
    """Restores the function and drops the columns: allergies of which none are known become not recorded."""
    op.execute(keep())
    op.drop_column("record_versions", "no_known_allergies")
    op.drop_constraint(op.f(CHECK), "patients")
    op.drop_constraint(op.f(AUTHOR), "patients")
    op.drop_column("patients", "no_allergies_by")
    op.drop_column("patients", "no_allergies_at")
