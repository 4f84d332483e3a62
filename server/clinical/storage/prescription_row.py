"""Builds prescriptions from rows of `select_prescription`."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from server.clinical.entities import (
    Claim,
    PatientEmailStatus,
    Prescription,
    PrescriptionItem,
    PrescriptionStatus,
    QrCode,
    QrTextFormat,
)
from server.clinical.patient_entities import AllergiesAsked
from server.clinical.quantities import QuantityUnit
from server.clinical.validity import LaterValidity
from server.db.connection import Row, read_id


def prescription_of(row: Row) -> Prescription:
    """Returns the entity of a row; it contains a claim only while that is valid."""
    status = PrescriptionStatus(row["status"])
    held = status is PrescriptionStatus.VALIDATED
    return Prescription(
        id=row["id"],
        number=row["number"],
        patient_id=row["patient_id"],
        patient_user_id=row["patient_user_id"],
        patient_name=row["patient_name"],
        patient_email=row["patient_email"],
        patient_email_status=PatientEmailStatus(row["patient_email_status"]),
        patient_date_of_birth=row["patient_date_of_birth"],
        patient_allergies=tuple(row["patient_allergies"]),
        insurance_provider=row["insurance_provider"],
        insurance_number=row["insurance_number"],
        doctor_id=row["doctor_id"],
        doctor_name=row["doctor_name"],
        doctor_email=row["doctor_email"],
        doctor_license_number=row["doctor_license_number"],
        visit_id=row["visit_id"],
        diagnosis=row["diagnosis"],
        doctor_notes=row["doctor_notes"],
        status=status,
        status_reason=row["status_reason"],
        claim=_claim(row) if held else None,
        items=tuple(_item(item) for item in json.loads(row["items_json"])),
        qr_code=_qr_code(row),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        changed_at=row["changed_at"],
        fulfilled_at=row["fulfilled_at"],
        as_of=row["as_of"],
        suspended_at=row["suspended_at"],
        prescriber_inactive=row["prescriber_inactive"],
        patient_identified=row["patient_identified"],
        later_validity=None if row["starts_at"] is None else _later_validity(row),
        patient_allergies_asked=None if row["no_allergies_at"] is None else _allergies_asked(row),
    )


def _item(values: Sequence[Any]) -> PrescriptionItem:
    """Returns an item; its quantities are decimals in texts, because JSON numbers would be read as floats."""
    item_id, name, dosage, frequency, quantity, instructions, route, days, dispensed, unit, substitutable = values
    return PrescriptionItem(
        id=read_id(item_id),
        medicine_name=name,
        dosage=dosage,
        frequency=frequency,
        quantity=Decimal(quantity),
        instructions=instructions,
        route=route,
        duration_days=days,
        dispensed_quantity=Decimal(dispensed),
        quantity_unit=QuantityUnit(unit),
        substitution_allowed=substitutable,
    )


def _later_validity(row: Row) -> LaterValidity:
    return LaterValidity(row["valid_from"], row["starts_at"], row["expires_at"])


def _allergies_asked(row: Row) -> AllergiesAsked:
    return AllergiesAsked(row["no_allergies_by"], row["asker_name"] or "", row["no_allergies_at"])


def _claim(row: Row) -> Claim:
    return Claim(
        row["claimed_by"], PrescriptionStatus(row["claimed_from"]), row["claim_expires_at"], row["claimed_for"]
    )


def _qr_code(row: Row) -> QrCode:
    return QrCode(
        row["code_id"],
        row["id"],
        row["key_id"],
        row["nonce"],
        row["qr_hash"],
        row["issued_at"],
        row["code_expires_at"],
        None,
        row["scan_count"],
        QrTextFormat(row["text_format"]),
    )
