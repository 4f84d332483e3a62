"""Prescriptions, their items and their QR codes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "prescriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("doctor_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("diagnosis", sa.Text(), nullable=False),
        sa.Column("doctor_notes", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("claimed_from", sa.Text(), nullable=True),
        sa.Column("claim_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'dispensed') = (fulfilled_at IS NOT NULL)", name=op.f("ck_prescriptions_fulfilled")
        ),
        sa.CheckConstraint(
            "(status = 'validated') = (claimed_by IS NOT NULL) AND (claimed_by IS NULL) = (claim_expires_at IS NULL)"
            " AND (claimed_by IS NULL) = (claimed_from IS NULL)",
            name=op.f("ck_prescriptions_claim"),
        ),
        sa.CheckConstraint(
            "claimed_from IN ('scanned', 'partially_dispensed')", name=op.f("ck_prescriptions_claimed_from")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'scanned', 'validated', 'partially_dispensed', 'dispensed', 'rejected', 'cancelled',"
            " 'expired')",
            name=op.f("ck_prescriptions_status"),
        ),
        sa.ForeignKeyConstraint(["claimed_by"], ["users.id"], name=op.f("fk_prescriptions_claimed_by")),
        sa.ForeignKeyConstraint(["doctor_id"], ["users.id"], name=op.f("fk_prescriptions_doctor_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_prescriptions_patient_id")),
        sa.ForeignKeyConstraint(
            ["visit_id", "patient_id"],
            ["visits.id", "visits.patient_id"],
            name=op.f("fk_prescriptions_visit_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prescriptions")),
        sa.UniqueConstraint("number", name=op.f("uq_prescriptions_number")),
    )
    op.create_index(
        "ix_prescriptions_claim_expires_at",
        "prescriptions",
        ["claim_expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'validated'"),
    )
    op.create_index(
        "ix_prescriptions_doctor_id_created_at_id", "prescriptions", ["doctor_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_prescriptions_open_expires_at",
        "prescriptions",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'scanned', 'validated', 'partially_dispensed')"),
    )
    op.create_index(
        "ix_prescriptions_patient_id_created_at_id", "prescriptions", ["patient_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "prescription_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prescription_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("medicine_name", sa.Text(), nullable=False),
        sa.Column("dosage", sa.Text(), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("instructions", sa.Text(), server_default="", nullable=False),
        sa.Column("route", sa.Text(), server_default="", nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=True),
        sa.Column("dispensed_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "dispensed_quantity BETWEEN 0 AND quantity", name=op.f("ck_prescription_items_dispensed_quantity")
        ),
        sa.CheckConstraint("quantity BETWEEN 1 AND 10000", name=op.f("ck_prescription_items_quantity")),
        sa.ForeignKeyConstraint(
            ["prescription_id"], ["prescriptions.id"], name=op.f("fk_prescription_items_prescription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prescription_items")),
        sa.UniqueConstraint("prescription_id", "position", name=op.f("uq_prescription_items_prescription_id_position")),
    )
    op.create_table(
        "qr_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prescription_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("qr_hash", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scan_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("scan_count >= 0", name=op.f("ck_qr_codes_scan_count")),
        sa.ForeignKeyConstraint(["prescription_id"], ["prescriptions.id"], name=op.f("fk_qr_codes_prescription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qr_codes")),
        sa.UniqueConstraint("qr_hash", name=op.f("uq_qr_codes_qr_hash")),
    )
    op.create_index(
        "uq_qr_codes_open",
        "qr_codes",
        ["prescription_id"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )


def downgrade() -> None:
    """Drops the tables, newest first."""
    op.drop_table("qr_codes")
    op.drop_table("prescription_items")
    op.drop_table("prescriptions")
