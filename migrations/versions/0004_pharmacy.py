"""Scans, claims, dispense lines and the log of pharmacies."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "pharmacy_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prescription_id", sa.Uuid(), nullable=False),
        sa.Column("pharmacist_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "action IN ('scan', 'lookup', 'validate', 'dispense', 'reject', 'release')",
            name=op.f("ck_pharmacy_log_action"),
        ),
        sa.ForeignKeyConstraint(["pharmacist_id"], ["users.id"], name=op.f("fk_pharmacy_log_pharmacist_id")),
        sa.ForeignKeyConstraint(
            ["prescription_id"], ["prescriptions.id"], name=op.f("fk_pharmacy_log_prescription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pharmacy_log")),
    )
    op.create_index(
        "ix_pharmacy_log_pharmacist_id_occurred_at_id",
        "pharmacy_log",
        ["pharmacist_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_pharmacy_log_prescription_id_occurred_at_id",
        "pharmacy_log",
        ["prescription_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_table(
        "dispensed_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("log_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("dispensed_before", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=9, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("batch_number", sa.Text(), nullable=False),
        sa.Column("expiry_date", sa.Date(), nullable=False),
        sa.CheckConstraint("dispensed_before >= 0", name=op.f("ck_dispensed_lines_dispensed_before")),
        sa.CheckConstraint("quantity BETWEEN 1 AND 10000", name=op.f("ck_dispensed_lines_quantity")),
        sa.CheckConstraint("unit_price BETWEEN 0 AND 1000000", name=op.f("ck_dispensed_lines_unit_price")),
        sa.ForeignKeyConstraint(["item_id"], ["prescription_items.id"], name=op.f("fk_dispensed_lines_item_id")),
        sa.ForeignKeyConstraint(["log_id"], ["pharmacy_log.id"], name=op.f("fk_dispensed_lines_log_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispensed_lines")),
        sa.UniqueConstraint("item_id", "dispensed_before", name=op.f("uq_dispensed_lines_item_id_dispensed_before")),
        sa.UniqueConstraint("log_id", "item_id", name=op.f("uq_dispensed_lines_log_id_item_id")),
    )


def downgrade() -> None:
    """Drops the tables, newest first."""
    op.drop_table("dispensed_lines")
    op.drop_table("pharmacy_log")
