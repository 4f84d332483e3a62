"""Every list of the service, each filled with rows of one owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import text

from tests.fixtures.actors import Actor, Actors, new_email

COUNT = 5
"""The number of rows in each list."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: the filter `wide` finds COUNT rows of the owner, `narrow` fewer; the stranger may call it too.

    `narrow` is empty for a list without filters.
    """

    rows: str
    wide: str
    narrow: str
    owner: Actor
    stranger: Actor
    ordered_by: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class People:
    """An owner of rows and a stranger for each role."""

    doctor: Actor
    other_doctor: Actor
    pharmacist: Actor
    other_pharmacist: Actor
    patient: Actor
    other_patient: Actor
    historic: Actor
    """A patient with COUNT events."""
    resident: Actor
    """A patient with COUNT sessions."""
    admin: Actor
    other_admin: Actor
    pharmacies: str
    """The beginning of the names of COUNT pharmacies."""
    pharmacy_id: str
    """A pharmacy with COUNT members."""


def written(actors: Actors) -> Mapping[str, Listing]:
    """Creates COUNT rows for every list, and returns the lists by RPC."""
    people = People(
        actors.new_doctor(),
        actors.new_doctor(),
        actors.new_pharmacist(),
        actors.new_pharmacist(),
        actors.new_patient("Lara Listed"),
        actors.new_patient(),
        actors.new_patient("Hanna Historic"),
        actors.new_patient(),
        actors.admin,
        actors.new_admin(),
        pharmacies := f"Zz{uuid4().hex[:10]}",
        [actors.new_organisation(f"{pharmacies} {number}") for number in range(COUNT)][-1],
    )
    record_members(actors, people.pharmacy_id)
    for _ in range(COUNT - 1):
        actors.sign_in(people.resident.email)
    record_history(actors, people)
    family = f"Zz{uuid4().hex[:10]}"
    for number in range(COUNT):
        record_patient(actors, people.doctor, f"Number{number} {family}")
        record_visit(actors, people, f"2026-01-{number + 1:02}")
    prescriptions = [actors.prescribe(people.patient.patient_id, doctor=people.doctor).id for _ in range(COUNT)]
    for prescription_id in prescriptions:
        scan(actors, people, prescription_id, people.pharmacist)
    for _ in range(COUNT - 1):
        scan(actors, people, prescriptions[-1], people.other_pharmacist)
    scan(actors, people, prescriptions[1], people.other_pharmacist)
    cancel = f"/doctors/prescriptions/{prescriptions[0]}/cancel"
    assert actors.rest("POST", cancel, people.doctor, {"reason": "Not needed"})[0] == 200
    actors.instance.run(settle_failed(actors))
    for _ in range(COUNT):
        actors.failed_mail()
    return described(people, family, prescriptions)


def described(people: People, family: str, prescriptions: list[str]) -> Mapping[str, Listing]:
    """Returns every list by its RPC."""
    doctors = people.doctor, people.other_doctor
    pharmacists = people.pharmacist, people.other_pharmacist
    found, one_found = f"?search={family}", f"?search=number1%20{family}"
    own = f"?patientId={people.patient.patient_id}"
    seen = "/patients/access-log?event="
    mine, history, log = "/patients/prescriptions", "/pharmacy/history", "/pharmacy/logs/"
    written, visits = f"/doctors/prescriptions{own}", f"/doctors/medical-visits{own}"
    own_history, patients = "/patients/medical-history", "/doctors/patients"
    of_patient = f"{patients}/{people.historic.patient_id}/medical-history"
    versions = f"{patients}/{people.historic.patient_id}/versions"
    return {
        "GetMedicalHistory": Listing("entries", own_history, "", people.historic, people.other_patient, "date"),
        "GetPatientHistory": Listing("entries", of_patient, "", *doctors, "date"),
        "ListRecordVersions": Listing("versions", versions, "", *doctors, "replacedAt"),
        "ListMyRecordVersions": Listing(
            "versions", "/patients/profile/versions", "", people.historic, people.other_patient, "replacedAt"
        ),
        "ListSessions": Listing("sessions", "/auth/sessions", "", people.resident, people.other_patient, "createdAt"),
        "ListUserSessions": Listing(
            "sessions",
            f"/users/{people.resident.user_id}/sessions",
            "",
            people.admin,
            people.other_admin,
            "createdAt",
        ),
        "ListUsers": Listing(
            "users", f"/users{found}", f"/users{one_found}", people.admin, people.other_admin, "createdAt"
        ),
        **of_organisations(people),
        "ListAuditRecords": Listing(
            "entries",
            f"/audit{own}&event=prescription_created",
            f"/audit{own}&event=prescription_cancelled",
            people.admin,
            people.other_admin,
            "occurredAt",
        ),
        "ListAccessLog": Listing(
            "entries",
            f"{seen}prescription_created",
            f"{seen}prescription_cancelled",
            people.patient,
            people.other_patient,
            "occurredAt",
        ),
        "ListPatients": Listing(
            "patients", f"/doctors/patients{found}", f"/doctors/patients{one_found}", *doctors, "fullName", False
        ),
        "ListPrescriptions": Listing("prescriptions", written, f"{written}&status=cancelled", *doctors, "createdAt"),
        "ListMedicalVisits": Listing("visits", visits, f"{visits}&from=2026-01-03", *doctors, "visitDate"),
        "ListMyPrescriptions": Listing(
            "prescriptions", mine, f"{mine}?status=cancelled", people.patient, people.other_patient, "createdAt"
        ),
        "ListDispensingHistory": Listing(
            "entries", f"{history}?action=scan", f"{history}?action=reject", *pharmacists, "occurredAt"
        ),
        "ListEmails": Listing(
            "emails",
            "/events/emails?status=failed",
            "/events/emails?status=processing",
            people.admin,
            people.other_admin,
            "createdAt",
        ),
        "ListPrescriptionLog": Listing(
            "entries", log + prescriptions[-1], log + prescriptions[1], *pharmacists, "occurredAt", False
        ),
    }


def of_organisations(people: People) -> Mapping[str, Listing]:
    """Returns the lists of organisations and of the members of one."""
    admins, chain = (people.admin, people.other_admin), f"/organisations?search={people.pharmacies}"
    members = f"/organisations/{people.pharmacy_id}/members"
    return {
        "ListOrganisations": Listing("organisations", chain, f"{chain}%200", *admins, "createdAt"),
        "ListMembers": Listing("members", members, "", *admins, "since"),
    }


async def settle_failed(actors: Actors) -> None:
    """Removes the failed emails that other tests have left."""
    async with actors.instance.core.work.begin() as tx:
        await tx.connection.execute(text("UPDATE emails SET state = 'completed' WHERE state = 'failed'"))


def record_members(actors: Actors, organisation_id: str) -> None:
    for _ in range(COUNT):
        body = {"email": actors.without_pharmacy().email}
        assert actors.rest("POST", f"/organisations/{organisation_id}/members", actors.admin, body)[0] == 200


def record_patient(actors: Actors, doctor: Actor, full_name: str) -> None:
    body = {"email": new_email(), "fullName": full_name, "dateOfBirth": "1990-01-01", "gender": "other"}
    assert actors.rest("POST", "/doctors/patients", doctor, body)[0] == 201


def record_visit(actors: Actors, people: People, day: str, patient: Actor | None = None) -> None:
    body = {
        "patientId": (patient or people.patient).patient_id,
        "visitDate": day,
        "visitType": "consultation",
        "chiefComplaint": "Cough at night",
    }
    assert actors.rest("POST", "/doctors/medical-visits", people.doctor, body)[0] == 201


def record_history(actors: Actors, people: People) -> None:
    """Creates visits and prescriptions, COUNT in all, and as many record versions; opens both patients' histories."""
    for blood_type in ("A+", "A-", "B+", "B-", "AB+"):
        record = f"/doctors/patients/{people.historic.patient_id}"
        assert actors.rest("PUT", record, people.doctor, {"bloodType": blood_type})[0] == 200
    for day in ("2026-01-02", "2026-01-04", "2026-01-04"):
        record_visit(actors, people, day, people.historic)
    for _ in range(COUNT - 3):
        actors.prescribe(people.historic.patient_id, doctor=people.other_doctor)
    for patient in (people.historic, people.other_patient):
        actors.open_history(patient)


def scan(actors: Actors, people: People, prescription_id: str, pharmacist: Actor) -> None:
    body = {"qrCode": actors.qr_text(prescription_id, people.doctor)}
    assert actors.rest("POST", "/pharmacy/scan", pharmacist, body)[0] == 200
