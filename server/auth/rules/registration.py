"""Required and allowed fields of an application for an account, by role."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from server.auth.entities import Application
from server.errors import FieldViolation, ValidationFailed
from server.identity import Role
from server.partial_update import json_name
from server.patient_details import PatientDetails

_WORK: Final = (
    "license_number",
    "license_issuer",
    "specialization",
    "hospital_name",
    "pharmacy_name",
    "pharmacy_address",
)
_MEDICAL: Final = tuple(field.name for field in fields(PatientDetails))

_ALLOWED: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.PATIENT: _MEDICAL,
    Role.DOCTOR: ("license_number", "license_issuer", "specialization", "hospital_name"),
    Role.PHARMACIST: ("license_number", "license_issuer", "pharmacy_name", "pharmacy_address"),
    Role.ADMIN: (),
}
_REQUIRED: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.PATIENT: (),
    Role.DOCTOR: ("license_number",),
    Role.PHARMACIST: ("license_number", "pharmacy_name"),
    Role.ADMIN: (),
}


def check_application(application: Application) -> None:
    """Raises ValidationFailed, which names every required field that is missing and every field not allowed."""
    given = _list_given(application)
    role = application.role
    violations = [
        FieldViolation(json_name(name), f"is required of a {role}") for name in _REQUIRED[role] if name not in given
    ]
    violations += [
        FieldViolation(json_name(name), f"does not belong to a {role}") for name in given if name not in _ALLOWED[role]
    ]
    if violations:
        raise ValidationFailed(violations=violations)


def _list_given(application: Application) -> list[str]:
    return [name for name in _WORK if getattr(application, name)] + [
        name for name in _MEDICAL if getattr(application.patient, name)
    ]
