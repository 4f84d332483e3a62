"""The query that reads a prescription as one row."""

from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, Text, cast, func, select, true

from server.auth.storage.tables import user_named_at, users
from server.clinical.storage.tables import (
    changed_now,
    claiming_pharmacy,
    email_status,
    patient_named_at,
    patients,
    prescription_items,
    prescriptions,
    qr_codes,
    status_now,
)

_doctor = users.alias("doctor")
_account = users.alias("account")
prescriber_inactive: ColumnElement[bool] = _doctor.c.status == "deactivated"
"""Whether the account of the doctor of a row of `select_prescription` is deactivated."""
_doctor_then = user_named_at(prescriptions.c.doctor_id, prescriptions.c.created_at, "doctor_then")
_patient_then = patient_named_at(prescriptions.c.patient_id, prescriptions.c.created_at, "patient_then")


_asker = user_named_at(patients.c.no_allergies_by, patients.c.no_allergies_at, "asker")


def _in_digits(quantity: ColumnElement[Decimal]) -> ColumnElement[str]:
    """Returns a quantity as text, because JSON readers take numbers for floats."""
    return cast(func.trim_scale(quantity), Text)


_items = (
    select(
        func.json_agg(
            func.json_build_array(
                prescription_items.c.id,
                prescription_items.c.medicine_name,
                prescription_items.c.dosage,
                prescription_items.c.frequency,
                _in_digits(prescription_items.c.quantity + prescription_items.c.quantity_fraction),
                prescription_items.c.instructions,
                prescription_items.c.route,
                prescription_items.c.duration_days,
                _in_digits(prescription_items.c.dispensed_quantity + prescription_items.c.dispensed_fraction),
                prescription_items.c.quantity_unit,
                prescription_items.c.substitution_allowed,
            ),
            type_=JSON,
        ).aggregate_order_by(prescription_items.c.position)
    )
    .where(prescription_items.c.prescription_id == prescriptions.c.id)
    .scalar_subquery()
)

select_prescription: Select[Any] = select(
    prescriptions.c.id,
    prescriptions.c.number,
    prescriptions.c.patient_id,
    patients.c.user_id.label("patient_user_id"),
    _patient_then.c.full_name.label("patient_name"),
    func.coalesce(_account.c.email, "").label("patient_email"),
    email_status(_account).label("patient_email_status"),
    patients.c.date_of_birth.label("patient_date_of_birth"),
    patients.c.allergies.label("patient_allergies"),
    patients.c.no_allergies_by,
    patients.c.no_allergies_at,
    _asker.c.full_name.label("asker_name"),
    patients.c.insurance_provider,
    patients.c.insurance_number,
    prescriptions.c.doctor_id,
    _doctor_then.c.full_name.label("doctor_name"),
    _doctor.c.email.label("doctor_email"),
    _doctor_then.c.license_number.label("doctor_license_number"),
    prescriptions.c.visit_id,
    prescriptions.c.diagnosis,
    prescriptions.c.doctor_notes,
    status_now.label("status"),
    prescriptions.c.status_reason,
    prescriptions.c.claimed_by,
    prescriptions.c.claimed_from,
    prescriptions.c.claim_expires_at,
    claiming_pharmacy.label("claimed_for"),
    _items.label("items_json"),
    qr_codes.c.id.label("code_id"),
    qr_codes.c.key_id,
    qr_codes.c.nonce,
    qr_codes.c.qr_hash,
    qr_codes.c.issued_at,
    qr_codes.c.expires_at.label("code_expires_at"),
    qr_codes.c.scan_count,
    qr_codes.c.text_format,
    prescriptions.c.created_at,
    prescriptions.c.expires_at,
    changed_now.label("changed_at"),
    prescriptions.c.fulfilled_at,
    func.now().label("as_of"),
    prescriptions.c.suspended_at,
    prescriber_inactive.label("prescriber_inactive"),
    prescriptions.c.valid_from,
    prescriptions.c.starts_at,
    patients.c.identified_at.is_not(None).label("patient_identified"),
).select_from(
    prescriptions.join(patients, patients.c.id == prescriptions.c.patient_id)
    .outerjoin(_account, _account.c.id == patients.c.user_id)
    .join(_doctor, _doctor.c.id == prescriptions.c.doctor_id)
    .join(_doctor_then, true())
    .join(_patient_then, true())
    .outerjoin(_asker, true())
    .join(qr_codes, (qr_codes.c.prescription_id == prescriptions.c.id) & qr_codes.c.replaced_at.is_(None))
)
"""A prescription with everything that any of its readers may see, its items and its open QR code, in one row.

Names of doctor and patient are those at the time of writing. Email addresses are current, because emails go there; so
are date of birth, allergies and insurance, by which the pharmacy identifies the patient and checks for risks.
"""
