"""Tables of the pharmacies' log and of dispensed lines."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)

from server.db.metadata import metadata, text_column, timestamp_column, uuid_pk

pharmacy_log = Table(
    "pharmacy_log",
    metadata,
    uuid_pk(),
    Column("prescription_id", Uuid, ForeignKey("prescriptions.id"), nullable=False),
    Column("pharmacist_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("organisation_id", Uuid, ForeignKey("organisations.id")),
    Column("action", Text, nullable=False),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    text_column("notes"),
    timestamp_column("occurred_at", now=True),
    CheckConstraint(
        "action IN ('scan', 'lookup', 'validate', 'dispense', 'reject', 'release', 'end_claim', 'close')", name="action"
    ),
    Index("ix_pharmacy_log_organisation_id_occurred_at_id", "organisation_id", "occurred_at", "id"),
    Index("ix_pharmacy_log_organisation_id_action_occurred_at_id", "organisation_id", "action", "occurred_at", "id"),
    Index("ix_pharmacy_log_pharmacist_id_occurred_at_id", "pharmacist_id", "occurred_at", "id"),
    Index("ix_pharmacy_log_prescription_id_occurred_at_id", "prescription_id", "occurred_at", "id"),
)
"""Actions of pharmacists for the pharmacy `organisation_id`; append-only.

It is NULL in entries from before pharmacies were records whose pharmacy is unknown. The index by pharmacist serves
servers of the version before, for whose entries a trigger names the pharmacy.
"""

dispensed_lines = Table(
    "dispensed_lines",
    metadata,
    uuid_pk(),
    Column("log_id", Uuid, ForeignKey("pharmacy_log.id"), nullable=False),
    Column("item_id", Uuid, ForeignKey("prescription_items.id"), nullable=False),
    Column("dispensed_before", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Numeric(9, 2), nullable=False),
    Column("currency", Text, nullable=False),
    Column("batch_number", Text, nullable=False),
    Column("expiry_date", Date, nullable=False),
    Column("quantity_fraction", Numeric(3, 3), nullable=False, server_default=text("0")),
    Column("before_fraction", Numeric(3, 3), nullable=False, server_default=text("0")),
    text_column("product_code"),
    text_column("dispensed_medicine_name"),
    text_column("substitution_reason"),
    CheckConstraint(
        "quantity >= 0 AND quantity_fraction >= 0 AND quantity + quantity_fraction BETWEEN 0.001 AND 10000",
        name="quantity",
    ),
    CheckConstraint("dispensed_before >= 0 AND before_fraction >= 0", name="dispensed_before"),
    CheckConstraint("unit_price BETWEEN 0 AND 1000000", name="unit_price"),
    CheckConstraint("(dispensed_medicine_name = '') = (substitution_reason = '')", name="substitution"),
    Index("ix_dispensed_lines_log_id", "log_id"),
    Index("uq_dispensed_lines_start", "item_id", "dispensed_before", "before_fraction", unique=True),
)
"""Dispensed lines; a dispense has one for each batch of an item.

`dispensed_medicine_name` is the product given instead of the prescribed medicine; empty if that was given.

The unique index lets no two lines of an item start at the same quantity, so even a defect in the code cannot
dispense an item twice.
"""
