"""Tables of patients, visits, prescriptions and QR codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    Lateral,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    case,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from server.auth.storage.tables import named_at
from server.db.metadata import APPEND_ONLY, metadata, text_column, timestamp_column, uuid_pk

patients = Table(
    "patients",
    metadata,
    uuid_pk(),
    Column("user_id", Uuid, ForeignKey("users.id"), unique=True),
    Column("reference_number", Text, nullable=False, unique=True),
    Column("full_name", Text, nullable=False),
    Column("sort_name", Text, nullable=False),
    Column("name_words", TSVECTOR, nullable=False),
    text_column("phone"),
    Column("date_of_birth", Date),
    Column("gender", Text),
    text_column("blood_type"),
    text_column("address"),
    text_column("emergency_contact"),
    text_column("emergency_phone"),
    text_column("insurance_provider"),
    text_column("insurance_number"),
    Column("allergies", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("existing_conditions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    timestamp_column("created_at", now=True),
    timestamp_column("updated_at", now=True),
    Column("changed_by", Uuid, ForeignKey("users.id")),
    Column("full_emails", Boolean, nullable=False, server_default=text("false")),
    timestamp_column("identified_at", nullable=True),
    Column("identified_by", Uuid, ForeignKey("users.id")),
    Column("identified_document", Text),
    text_column("identification_note"),
    timestamp_column("no_allergies_at", nullable=True),
    Column("no_allergies_by", Uuid, ForeignKey("users.id")),
    CheckConstraint("gender IN ('female', 'male', 'other')", name="gender"),
    CheckConstraint("blood_type IN ('', 'A+', 'A-', 'B+', 'B-', 'AB+', 'AB-', 'O+', 'O-')", name="blood_type"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint(
        "identified_document IN ('identity_card', 'passport', 'driving_licence', 'residence_permit', 'insurance_card',"
        " 'birth_certificate', 'personally_known', 'other', 'earlier_record')",
        name="identified_document",
    ),
    CheckConstraint(
        "identified_at IS NOT NULL"
        " OR identified_by IS NULL AND identified_document IS NULL AND identification_note = ''",
        name="identified",
    ),
    CheckConstraint(
        "(no_allergies_at IS NULL) = (no_allergies_by IS NULL) AND (no_allergies_at IS NULL OR allergies = '{}')",
        name="no_allergies",
    ),
    Index("ix_patients_name_words", "name_words", postgresql_using="gin"),
    Index("ix_patients_sort_name_id", "sort_name", "id"),
)
"""Patient records; the email address belongs to the account, so a patient without an account has none.

changed_by: the author that an update passes to the trigger of `record_versions`, which does not store it here.
full_emails: the patient asked for complete emails, with diagnosis and medicines.
identified_at: when a member of staff (`identified_by`) identified the person; NULL for a self-asserted record.
identified_document: NULL if none was stated.
no_allergies_at: when `no_allergies_by` recorded that the patient has no known allergies; NULL otherwise. The trigger of
`record_versions` empties both when allergies are listed.
"""

record_versions = Table(
    "record_versions",
    metadata,
    uuid_pk(),
    Column("patient_id", Uuid, ForeignKey("patients.id"), nullable=False),
    Column("version", Integer, nullable=False),
    timestamp_column("replaced_at"),
    Column("replaced_by", Uuid, ForeignKey("users.id")),
    Column("changed_fields", ARRAY(Text), nullable=False),
    Column("date_of_birth", Date),
    Column("gender", Text),
    Column("blood_type", Text, nullable=False),
    Column("allergies", ARRAY(Text), nullable=False),
    Column("existing_conditions", ARRAY(Text), nullable=False),
    Column("no_known_allergies", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("patient_id", "version"),
    info=APPEND_ONLY,
)
"""Former versions of the clinical fields of records; a trigger on `patients` writes each when it is replaced."""

patient_names = Table(
    "patient_names",
    metadata,
    Column("patient_id", Uuid, ForeignKey("patients.id"), primary_key=True),
    Column("since", DateTime(timezone=True), primary_key=True),
    Column("full_name", Text, nullable=False),
    info=APPEND_ONLY,
)
"""Names of each patient over time; maintained like `user_names`, by triggers on `patients`."""


def patient_named_at(patient_id: ColumnElement[UUID], at: ColumnElement[datetime], alias: str) -> Lateral:
    """Returns the row of `patient_names` that was valid for a patient at a time, to be joined ON true."""
    return named_at(patient_names, patient_names.c.patient_id == patient_id, at, alias)


visits = Table(
    "visits",
    metadata,
    uuid_pk(),
    Column("patient_id", Uuid, ForeignKey("patients.id"), nullable=False),
    Column("doctor_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("visit_date", Date, nullable=False),
    Column("visit_type", Text, nullable=False),
    Column("chief_complaint", Text, nullable=False),
    text_column("symptoms"),
    text_column("diagnosis"),
    text_column("treatment_notes"),
    text_column("recommendations"),
    text_column("hospital_name"),
    Column("blood_pressure", Text),
    Column("heart_rate", Integer),
    Column("temperature", Double),
    Column("weight", Double),
    Column("height", Double),
    timestamp_column("created_at", now=True),
    CheckConstraint("visit_type IN ('consultation', 'emergency', 'follow_up')", name="visit_type"),
    UniqueConstraint("id", "patient_id"),
    Index("ix_visits_doctor_id_visit_date_id", "doctor_id", "visit_date", "id"),
    Index("ix_visits_patient_id_visit_date_id", "patient_id", "visit_date", "id"),
)
"""Medical visits; inserted once, never changed."""

prescriptions = Table(
    "prescriptions",
    metadata,
    uuid_pk(),
    Column("number", Text, nullable=False, unique=True),
    Column("patient_id", Uuid, ForeignKey("patients.id"), nullable=False),
    Column("doctor_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("visit_id", Uuid),
    Column("diagnosis", Text, nullable=False),
    text_column("doctor_notes"),
    Column("status", Text, nullable=False, server_default="pending"),
    text_column("status_reason"),
    timestamp_column("created_at", now=True),
    timestamp_column("expires_at"),
    timestamp_column("changed_at", now=True),
    timestamp_column("fulfilled_at", nullable=True),
    Column("claimed_by", Uuid, ForeignKey("users.id")),
    Column("claimed_from", Text),
    timestamp_column("claim_expires_at", nullable=True),
    Column("claimed_for", Uuid, ForeignKey("organisations.id")),
    timestamp_column("claimed_for_until", nullable=True),
    timestamp_column("suspended_at", nullable=True),
    timestamp_column("resumed_at", nullable=True),
    Column("valid_from", Date),
    timestamp_column("starts_at", nullable=True),
    ForeignKeyConstraint(["visit_id", "patient_id"], ["visits.id", "visits.patient_id"]),
    CheckConstraint(
        "status IN ('pending', 'scanned', 'validated', 'partially_dispensed', 'dispensed', 'rejected', 'cancelled',"
        " 'expired', 'closed')",
        name="status",
    ),
    CheckConstraint(
        "(status = 'validated') = (claimed_by IS NOT NULL) AND (claimed_by IS NULL) = (claim_expires_at IS NULL)"
        " AND (claimed_by IS NULL) = (claimed_from IS NULL)",
        name="claim",
    ),
    CheckConstraint("claimed_from IN ('scanned', 'partially_dispensed')", name="claimed_from"),
    CheckConstraint("(status = 'dispensed') = (fulfilled_at IS NOT NULL)", name="fulfilled"),
    CheckConstraint("suspended_at IS NULL OR status NOT IN ('validated', 'dispensed')", name="suspended"),
    CheckConstraint(
        "(valid_from IS NULL) = (starts_at IS NULL) AND (starts_at IS NULL OR starts_at < expires_at)", name="validity"
    ),
    Index("ix_prescriptions_doctor_id_created_at_id", "doctor_id", "created_at", "id"),
    Index("ix_prescriptions_patient_id_created_at_id", "patient_id", "created_at", "id"),
    Index("ix_prescriptions_claim_expires_at", "claim_expires_at", postgresql_where=text("status = 'validated'")),
    Index("ix_prescriptions_claimed_by", "claimed_by", postgresql_where=text("status = 'validated'")),
    Index(
        "ix_prescriptions_open_expires_at",
        "expires_at",
        postgresql_where=text("status IN ('pending', 'scanned', 'validated', 'partially_dispensed')"),
    ),
)
"""Prescriptions with the claim of a pharmacy (`claimed_for`), which a pharmacist (`claimed_by`) took or renewed.

`claimed_for` applies while `claimed_for_until` is the claim's end; servers before write neither. `suspended_at`: since
when it cannot be dispensed. `resumed_at`: when a doctor checked it; it is not suspended again. `starts_at`: when its
day `valid_from` began at the hospital; before, no pharmacy can act on it.
"""

prescription_items = Table(
    "prescription_items",
    metadata,
    uuid_pk(),
    Column("prescription_id", Uuid, ForeignKey("prescriptions.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("medicine_name", Text, nullable=False),
    Column("dosage", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    text_column("instructions"),
    text_column("route"),
    Column("duration_days", Integer),
    Column("dispensed_quantity", Integer, nullable=False, server_default=text("0")),
    Column("quantity_fraction", Numeric(3, 3), nullable=False, server_default=text("0")),
    Column("dispensed_fraction", Numeric(3, 3), nullable=False, server_default=text("0")),
    Column("quantity_unit", Text, nullable=False, server_default="piece"),
    Column("substitution_allowed", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint(
        "quantity >= 0 AND quantity_fraction >= 0 AND quantity + quantity_fraction BETWEEN 0.001 AND 10000",
        name="quantity",
    ),
    CheckConstraint(
        "dispensed_quantity >= 0 AND dispensed_fraction >= 0"
        " AND dispensed_quantity + dispensed_fraction <= quantity + quantity_fraction",
        name="dispensed_quantity",
    ),
    CheckConstraint(
        "quantity_unit IN ('piece', 'tablet', 'capsule', 'ml', 'g', 'drop', 'puff', 'dose', 'patch', 'unit',"
        " 'ampoule', 'sachet', 'suppository', 'pack')",
        name="quantity_unit",
    ),
    UniqueConstraint("prescription_id", "position"),
)
"""The medicines of a prescription; never more is dispensed than was prescribed.

A quantity is the sum of its whole part, which servers of the version before read and write, and its fraction.
"""

qr_codes = Table(
    "qr_codes",
    metadata,
    uuid_pk(),
    Column("prescription_id", Uuid, ForeignKey("prescriptions.id"), nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("qr_hash", Text, nullable=False, unique=True),
    timestamp_column("issued_at"),
    timestamp_column("expires_at"),
    timestamp_column("replaced_at", nullable=True),
    Column("scan_count", Integer, nullable=False, server_default=text("0")),
    Column("text_format", SmallInteger, nullable=False, server_default=text("1")),
    CheckConstraint("scan_count >= 0", name="scan_count"),
    Index("uq_qr_codes_open", "prescription_id", unique=True, postgresql_where=text("replaced_at IS NULL")),
)
"""QR codes by the values from which their text is rebuilt; at most one per prescription is open."""

status_now = literal_column(
    """CASE
        WHEN prescriptions.status IN ('dispensed', 'rejected', 'cancelled', 'expired', 'closed')
            THEN prescriptions.status
        WHEN prescriptions.claim_expires_at > now() THEN prescriptions.status
        WHEN prescriptions.expires_at <= now() THEN 'expired'
        ELSE coalesce(prescriptions.claimed_from, prescriptions.status)
    END""",
    Text,
)
"""The current state, even before the worker has persisted an expiry in the row: every result, filter and count uses
it. A claim outlives the validity, because a claim taken in time may be finished.
"""

changed_now = literal_column(
    """CASE
        WHEN prescriptions.status IN ('dispensed', 'rejected', 'cancelled', 'expired', 'closed')
            THEN prescriptions.changed_at
        WHEN prescriptions.claim_expires_at > now() THEN prescriptions.changed_at
        WHEN prescriptions.expires_at <= now() THEN prescriptions.expires_at
        ELSE coalesce(prescriptions.claim_expires_at, prescriptions.changed_at)
    END""",
    DateTime(timezone=True),
)
"""The time since which `status_now` is valid."""

claiming_pharmacy: ColumnElement[UUID | None] = case(
    (prescriptions.c.claimed_for_until == prescriptions.c.claim_expires_at, prescriptions.c.claimed_for)
)
"""The pharmacy that holds the claim; NULL if the pharmacist alone does."""


def email_status(account: FromClause) -> ColumnElement[str]:
    """Returns the `PatientEmailStatus` of a patient whose account was outer-joined as `account`."""
    return case(
        (account.c.email.is_(None), "no_address"),
        (account.c.status == "deactivated", "account_deactivated"),
        else_="reachable",
    )
