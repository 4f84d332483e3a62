"""An example hospital for development: one account of each role, a patient with a visit and two prescriptions."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from server.auth.entities import Application, OpenedAccount
from server.clinical.entities import NewPrescription, NewPrescriptionItem, NewVisit, VisitType
from server.clinical.quantities import QuantityUnit
from server.errors import EmailTaken
from server.identity import Caller, Role
from server.patient_details import Gender, PatientDetails
from server.runtime.server import Services

PASSWORD: Final = "example-only-7Qd2"  # noqa: S105 - an example's password is public; production refuses the command
NO_DETAILS: Final = PatientDetails(None, None, "", "", "", "", "", "", (), ())
SESSION: Final = UUID(int=0)
"""The session id of the example's doctor, who writes without having signed in."""


@dataclass(frozen=True, slots=True)
class Person:
    """The credentials of one example account."""

    role: Role
    email: str
    password: str


STAFF: Final = (
    Application("doctor@example.org", PASSWORD, "Dr. Ada Lindqvist", "+1 555 010 0001", Role.DOCTOR,
                "MD-1001", "Example Medical Board", "General medicine", "Example Hospital", "", "", NO_DETAILS),
    Application("pharmacist@example.org", PASSWORD, "Bruno Okoye", "+1 555 010 0002", Role.PHARMACIST,
                "PH-2001", "Example Chamber of Pharmacists", "", "", "Corner Pharmacy", "1 Market Square", NO_DETAILS),
)  # fmt: skip
PATIENT: Final = Application(
    "patient@example.org", PASSWORD, "Clara Müller", "+1 555 010 0003", Role.PATIENT, "", "", "", "", "", "",
    PatientDetails(date(1979, 5, 17), Gender.FEMALE, "A+", "5 Garden Street", "Jonas Müller", "+1 555 010 0004",
                   "Healthy Life", "HL-30122", ("Penicillin",), ("Asthma",)),
)  # fmt: skip
MEDICINES: Final = (
    (
        "Acute bronchitis",
        (
            NewPrescriptionItem(
                "Doxycycline", "100 mg", "twice a day", Decimal(20), "Take with water.", "oral", 10,
                QuantityUnit.CAPSULE,
            ),
        ),
    ),
    (
        "Asthma",
        (
            NewPrescriptionItem(
                "Salbutamol inhaler", "100 µg", "when needed", Decimal(200), route="inhaled",
                quantity_unit=QuantityUnit.PUFF,
            ),
        ),
    ),
)  # fmt: skip


async def load(services: Services) -> tuple[Person, ...]:
    """Creates the accounts, the visit and the prescriptions and returns the accounts; a second load changes nothing."""
    people = tuple(Person(a.role, a.email, PASSWORD) for a in (*STAFF, PATIENT))
    try:
        doctor, _ = [await services.accounts.create_user(application) for application in STAFF]
    except EmailTaken:
        return people
    patient = await services.accounts.create_user(PATIENT)
    await _treat(services, Caller(doctor.user.id, Role.DOCTOR, SESSION), patient)
    return people


async def _treat(services: Services, doctor: Caller, patient: OpenedAccount) -> None:
    if patient.patient is None:
        raise TypeError("a patient's account has a record")
    visit = NewVisit(
        patient_id=patient.patient.id,
        visit_date=patient.user.created_at.date(),
        visit_type=VisitType.CONSULTATION,
        chief_complaint="Cough and fever for a week",
        symptoms="Productive cough, 38.4 °C",
        diagnosis="Acute bronchitis",
        treatment_notes="",
        recommendations="Rest and fluids.",
        hospital_name="",
        vital_signs=None,
    )
    recorded = await services.visits.record(doctor, visit)
    for diagnosis, items in MEDICINES:
        new = NewPrescription(patient.patient.id, recorded.id, diagnosis, "", items)
        await services.prescriptions.create(doctor, new)
