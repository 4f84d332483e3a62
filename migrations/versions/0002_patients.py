"""Patients and medical visits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "patients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("reference_number", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(), nullable=False),
        sa.Column("name_words", postgresql.TSVECTOR(), nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("blood_type", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("emergency_contact", sa.Text(), server_default="", nullable=False),
        sa.Column("emergency_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("insurance_provider", sa.Text(), server_default="", nullable=False),
        sa.Column("insurance_number", sa.Text(), server_default="", nullable=False),
        sa.Column("allergies", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("existing_conditions", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "blood_type IN ('', 'A+', 'A-', 'B+', 'B-', 'AB+', 'AB-', 'O+', 'O-')", name=op.f("ck_patients_blood_type")
        ),
        sa.CheckConstraint("gender IN ('female', 'male', 'other')", name=op.f("ck_patients_gender")),
        sa.CheckConstraint("version > 0", name=op.f("ck_patients_version")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_patients_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("reference_number", name=op.f("uq_patients_reference_number")),
        sa.UniqueConstraint("user_id", name=op.f("uq_patients_user_id")),
    )
    op.create_index("ix_patients_name_words", "patients", ["name_words"], unique=False, postgresql_using="gin")
    op.create_index("ix_patients_sort_name_id", "patients", ["sort_name", "id"], unique=False)
    op.create_table(
        "visits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("doctor_id", sa.Uuid(), nullable=False),
        sa.Column("visit_date", sa.Date(), nullable=False),
        sa.Column("visit_type", sa.Text(), nullable=False),
        sa.Column("chief_complaint", sa.Text(), nullable=False),
        sa.Column("symptoms", sa.Text(), server_default="", nullable=False),
        sa.Column("diagnosis", sa.Text(), server_default="", nullable=False),
        sa.Column("treatment_notes", sa.Text(), server_default="", nullable=False),
        sa.Column("recommendations", sa.Text(), server_default="", nullable=False),
        sa.Column("hospital_name", sa.Text(), server_default="", nullable=False),
        sa.Column("blood_pressure", sa.Text(), nullable=True),
        sa.Column("heart_rate", sa.Integer(), nullable=True),
        sa.Column("temperature", sa.Double(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("height", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "visit_type IN ('consultation', 'emergency', 'follow_up')", name=op.f("ck_visits_visit_type")
        ),
        sa.ForeignKeyConstraint(["doctor_id"], ["users.id"], name=op.f("fk_visits_doctor_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_visits_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
        sa.UniqueConstraint("id", "patient_id", name=op.f("uq_visits_id_patient_id")),
    )
    op.create_index("ix_visits_doctor_id_visit_date_id", "visits", ["doctor_id", "visit_date", "id"], unique=False)
    op.create_index("ix_visits_patient_id_visit_date_id", "visits", ["patient_id", "visit_date", "id"], unique=False)


def downgrade() -> None:
    """Drops the tables, newest first."""
    op.drop_table("visits")
    op.drop_table("patients")
