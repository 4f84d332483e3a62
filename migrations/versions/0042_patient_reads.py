"""Patients whose data an account was shown within an hour, and alerts about accounts that were shown many."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"

# The lock makes calls of one account wait for each other, so that the limit is exact; a patient who is counted already
# needs neither the lock nor a write. Each statement sees what the call before committed. The alert is committed with
# the read that reaches half of the limit: a page has at most 100 patients and the limit is at least 200, so no read is
# refused before one raised the alert.
COUNT = """
    CREATE FUNCTION count_patient_reads(reader uuid, patients uuid[], most integer) RETURNS uuid[]
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    DECLARE
        since timestamptz := clock_timestamp() - interval '1 hour';
        uncounted uuid[];
        counted integer;
        free_at timestamptz;
    BEGIN
        IF most IS NULL OR cardinality(patients) = 0 THEN
            RETURN patients;
        END IF;
        IF NOT EXISTS (
            SELECT FROM unnest(patients) AS shown (id) WHERE NOT EXISTS (
                SELECT FROM patient_reads
                WHERE account_id = reader AND patient_id = shown.id AND counted_at > since
            )
        ) THEN
            RETURN patients;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('patient reads ' || reader::text, 0));
        since := clock_timestamp() - interval '1 hour';
        SELECT array_agg(DISTINCT shown.id) INTO uncounted FROM unnest(patients) AS shown (id)
        WHERE NOT EXISTS (
            SELECT FROM patient_reads WHERE account_id = reader AND patient_id = shown.id AND counted_at > since
        );
        IF uncounted IS NULL THEN
            RETURN patients;
        END IF;
        SELECT count(*) INTO counted FROM patient_reads WHERE account_id = reader AND counted_at > since;
        IF counted + cardinality(uncounted) > most THEN
            SELECT counted_at INTO free_at FROM patient_reads WHERE account_id = reader AND counted_at > since
            ORDER BY counted_at OFFSET counted + cardinality(uncounted) - most - 1 LIMIT 1;
            RAISE EXCEPTION 'too many patients' USING ERRCODE = 'MC001',
                DETAIL = greatest(1, ceil(extract(epoch FROM free_at - since)))::integer::text;
        END IF;
        INSERT INTO patient_reads (account_id, patient_id, counted_at)
        SELECT reader, id, clock_timestamp() FROM unnest(uncounted) AS shown (id)
        ON CONFLICT (account_id, patient_id) DO UPDATE SET counted_at = excluded.counted_at;
        counted := counted + cardinality(uncounted);
        IF 2 * counted >= most AND NOT EXISTS (
            SELECT FROM read_alerts WHERE account_id = reader AND raised_at > since
        ) THEN
            INSERT INTO read_alerts (id, account_id, patients) VALUES (gen_random_uuid(), reader, counted);
        END IF;
        RETURN patients;
    END $$
"""


def upgrade() -> None:
    """Creates the tables and the function that counts."""
    op.create_table(
        "patient_reads",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "patient_id", name=op.f("pk_patient_reads")),
    )
    op.create_index("ix_patient_reads_counted_at", "patient_reads", ["counted_at"])
    op.create_table(
        "read_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("patients", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("patients > 0", name=op.f("ck_read_alerts_patients")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_alerts")),
    )
    op.create_index("ix_read_alerts_account_id_raised_at", "read_alerts", ["account_id", "raised_at"])
    op.create_index("ix_read_alerts_raised_at", "read_alerts", ["raised_at"])
    op.create_index(
        "ix_read_alerts_unreported", "read_alerts", ["raised_at"], postgresql_where=sa.text("reported_at IS NULL")
    )
    op.execute(COUNT)


def downgrade() -> None:
    """Drops the function and the tables."""
    op.execute("DROP FUNCTION count_patient_reads(uuid, uuid[], integer)")
    op.drop_table("read_alerts")
    op.drop_table("patient_reads")
