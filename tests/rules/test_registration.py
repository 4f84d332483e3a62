"""Tests which fields each role's application requires and accepts."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from server.auth.entities import Application
from server.auth.rules.registration import check_application
from server.errors import ValidationFailed
from server.identity import Role
from server.patient_details import Gender, PatientDetails
from tests.fixtures.cells import cells

NO_DETAILS = PatientDetails(None, None, "", "", "", "", "", "", (), ())
MEDICAL: dict[str, Any] = {
    "dateOfBirth": replace(NO_DETAILS, date_of_birth=date(1980, 1, 2)),
    "gender": replace(NO_DETAILS, gender=Gender.OTHER),
    "bloodType": replace(NO_DETAILS, blood_type="A+"),
    "address": replace(NO_DETAILS, address="Street 1"),
    "emergencyContact": replace(NO_DETAILS, emergency_contact="Mother"),
    "emergencyPhone": replace(NO_DETAILS, emergency_phone="+49 123"),
    "insuranceProvider": replace(NO_DETAILS, insurance_provider="AOK"),
    "insuranceNumber": replace(NO_DETAILS, insurance_number="A1"),
    "allergies": replace(NO_DETAILS, allergies=("nuts",)),
    "existingConditions": replace(NO_DETAILS, existing_conditions=("asthma",)),
}
WORK = {
    "licenseNumber": {"license_number": "L-1"},
    "licenseIssuer": {"license_issuer": "Board"},
    "specialization": {"specialization": "surgery"},
    "hospitalName": {"hospital_name": "Charité"},
    "pharmacyName": {"pharmacy_name": "Rose"},
    "pharmacyAddress": {"pharmacy_address": "Street 2"},
}
DOCTORS = {"licenseNumber", "licenseIssuer", "specialization", "hospitalName"}
PHARMACISTS = {"licenseNumber", "licenseIssuer", "pharmacyName", "pharmacyAddress"}


def application(role: Role, **given: Any) -> Application:
    empty = Application("a@b.org", None, "Ann", "", role, "", "", "", "", "", "", NO_DETAILS)
    return replace(empty, **given)


def complaints(asked: Application) -> list[str]:
    try:
        check_application(asked)
    except ValidationFailed as refused:
        return [violation.field for violation in refused.violations]
    return []


@pytest.mark.parametrize(
    ("role", "required"),
    [
        (Role.PATIENT, []),
        (Role.DOCTOR, ["licenseNumber"]),
        (Role.PHARMACIST, ["licenseNumber", "pharmacyName"]),
        (Role.ADMIN, []),
    ],
)
def test_missing_fields_of_a_role_are_named(role: Role, required: list[str]) -> None:
    assert complaints(application(role)) == required


@cells("name", MEDICAL)
@cells("role", Role)
def test_only_a_patient_states_medical_details(role: Role, name: str) -> None:
    asked = application(role, license_number="", patient=MEDICAL[name])
    assert (name in complaints(asked)) == (role is not Role.PATIENT)


@cells("name", WORK)
@cells(
    ("role", "own"),
    [(Role.PATIENT, set()), (Role.DOCTOR, DOCTORS), (Role.PHARMACIST, PHARMACISTS), (Role.ADMIN, set())],
)
def test_each_workplace_field_belongs_to_its_role(role: Role, own: set[str], name: str) -> None:
    assert (name in complaints(application(role, **WORK[name]))) == (name not in own)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    asked = application(Role.PHARMACIST, hospital_name="Charité", patient=MEDICAL["gender"])
    assert complaints(asked) == ["licenseNumber", "pharmacyName", "hospitalName", "gender"]
