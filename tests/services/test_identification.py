"""Tests that a person who registers with a name gets nothing of the patient of that name before staff identify them."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from server.auth.entities import NewAccount, UserStatus
from server.auth.services.accounts import AccountService
from server.clinical.entities import NewPrescription, NewVisit, Patient, PatientChange, VisitType
from server.clinical.patient_entities import IdentificationDocument, PatientAssurance
from server.clinical.services.patients import PatientService
from server.clinical.services.prescriptions import PrescriptionService
from server.clinical.services.qr_codes import QrCodeService
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clinical.services.visits import VisitService
from server.clinical.storage.patients import PatientRepository
from server.errors import NotFound, PatientNotIdentified, ValidationFailed
from server.identity import Caller, Role
from server.patient_details import PatientDetails
from tests.fixtures.clinical import FIRST_PAGE, ITEM, NO_DETAILS, QR_KEYS, TOKENS, Clinic
from tests.fixtures.proofs import control

PASSPORT = IdentificationDocument.PASSPORT


async def register(clinic: Clinic, name: str = "Paula Patient", details: PatientDetails = NO_DETAILS) -> Patient:
    """Returns the record of a person who registered with a confirmed address of their own."""
    account = NewAccount(
        email=f"{name.split()[0].lower()}@elsewhere.example",
        password_hash="x",
        full_name=name,
        phone="",
        role=Role.PATIENT,
        status=UserStatus.ACTIVE,
    )
    async with clinic.work.begin() as tx:
        user = await AccountService.open(tx, account)
        record = await clinic.patients.open_record(tx, user.id, name, "", details)
        return await tx[PatientRepository].get(record.id)


def offered(clinic: Clinic) -> Clinic:
    """Returns the same clinic where identification is offered, not required."""
    issuer = QrIssuer(QR_KEYS, timedelta(days=7))
    return replace(
        clinic,
        patients=PatientService(clinic.work, clinic.clock, TOKENS, requires_identification=False),
        visits=VisitService(clinic.work, clinic.clock, TOKENS, requires_identification=False),
        prescriptions=PrescriptionService(
            clinic.work, clinic.clock, issuer, TOKENS, valid=timedelta(days=30), requires_identification=False
        ),
        qr_codes=QrCodeService(clinic.work, issuer, QrPictures(ThreadPoolExecutor(1)), requires_identification=False),
    )


async def act(clinic: Clinic, name: str, patient: Patient) -> None:
    """Does what a doctor may do for an identified patient only."""
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "visit": lambda: clinic.visits.record(
            clinic.doctor,
            NewVisit(patient.id, date(2026, 1, 1), VisitType.CONSULTATION, "Cough", "", "", "", "", "", None),
        ),
        "prescription": lambda: clinic.prescriptions.create(
            clinic.doctor, NewPrescription(patient.id, None, "Cough", "", (ITEM,))
        ),
    }
    await acts[name]()


async def names(clinic: Clinic, text: str | None) -> list[tuple[str, PatientAssurance]]:
    page = await clinic.patients.search(clinic.doctor, text, FIRST_PAGE)
    assert page.total_size == len(page.items)
    return [(patient.reference_number, patient.assurance) for patient in page.items]


@control("S160")
async def test_stranger_with_a_victims_name_is_not_found_or_treated(clinic: Clinic) -> None:
    stranger = await register(clinic)
    victim = (clinic.paula.reference_number, PatientAssurance.IDENTIFIED)
    for text in ("Paula Patient", "paula", "paula 17.05.1980"):
        assert await names(clinic, text) == [victim]
    assert await names(clinic, stranger.email) == []
    assert stranger.reference_number not in {number for number, _ in await names(clinic, None)}

    asserted = (stranger.reference_number, PatientAssurance.SELF_ASSERTED)
    assert await names(clinic, stranger.reference_number) == [asserted]
    for name in ("visit", "prescription"):
        with pytest.raises(PatientNotIdentified):
            await act(clinic, name, stranger)
    left = await clinic.execute("SELECT (SELECT count(*) FROM visits), (SELECT count(*) FROM prescriptions)")
    assert [tuple(row) for row in left] == [(0, 0)]


async def test_email_about_a_self_asserted_record_is_refused(clinic: Clinic) -> None:
    lax = offered(clinic)
    stranger = await register(clinic)
    written = await lax.prescribe(stranger)
    with pytest.raises(PatientNotIdentified):
        await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    await lax.qr_codes.send_by_mail(clinic.doctor, written.id)
    await clinic.execute("UPDATE patients SET user_id = NULL WHERE id = :id", id=stranger.id)
    with pytest.raises(PatientNotIdentified):
        await clinic.patient_emails.bind(clinic.doctor, stranger.id, "another@example.org")


async def test_identified_patient_is_found_and_treated(clinic: Clinic) -> None:
    registered = await register(clinic, "Nora New")
    known = await clinic.identifications.identify(clinic.doctor, registered.id, PASSPORT, "Issued in Oslo", None)
    assert known.identification is not None
    assert (known.identification.document, known.identification.note) == (PASSPORT, "Issued in Oslo")
    assert known.identification.identified_by == "Dana Doctor"
    assert await names(clinic, "nora new") == [(known.reference_number, PatientAssurance.IDENTIFIED)]
    for name in ("visit", "prescription"):
        await act(clinic, name, known)
    [(reason,)] = await clinic.execute(
        "SELECT reason FROM audit_records WHERE event = 'patient_identified' AND object_id = CAST(:id AS uuid)",
        id=known.id,
    )
    assert reason == "PASSPORT"


async def test_offered_identification_shows_and_refuses_nothing(clinic: Clinic) -> None:
    lax, registered = offered(clinic), await register(clinic, "Nora New")
    assert await names(lax, "nora") == [(registered.reference_number, PatientAssurance.SELF_ASSERTED)]
    for name in ("visit", "prescription"):
        await act(lax, name, registered)


async def test_own_new_date_of_birth_ends_the_identification(clinic: Clinic) -> None:
    registered = await register(clinic, "Nora New")
    assert registered.user_id is not None
    nora = Caller(registered.user_id, Role.PATIENT, registered.id)
    await clinic.identifications.identify(clinic.doctor, registered.id, PASSPORT, "", None)
    same = await clinic.patients.update_profile(nora, PatientChange(phone="+49 30 4711"))
    assert same.assurance is PatientAssurance.IDENTIFIED
    other = await clinic.patients.update_profile(nora, PatientChange(date_of_birth=date(1981, 5, 17)))
    assert other.assurance is PatientAssurance.SELF_ASSERTED
    assert await names(clinic, "nora new") == []


async def test_record_without_date_of_birth_gets_the_documents(clinic: Clinic) -> None:
    registered = await register(clinic, "Nora New", replace(NO_DETAILS, date_of_birth=None))
    with pytest.raises(ValidationFailed):
        await clinic.identifications.identify(clinic.doctor, registered.id, PASSPORT, "", None)
    known = await clinic.identifications.identify(clinic.doctor, registered.id, PASSPORT, "", date(1991, 2, 3))
    assert (known.date_of_birth, known.version) == (date(1991, 2, 3), registered.version + 1)


async def test_missing_patient_is_not_found_before_it_is_unidentified(clinic: Clinic) -> None:
    nobody = replace(clinic.paula, id=clinic.doctor.user_id)
    for name in ("visit", "prescription"):
        with pytest.raises(NotFound):
            await act(clinic, name, nobody)
    with pytest.raises(NotFound):
        await clinic.identifications.identify(clinic.doctor, nobody.id, PASSPORT, "", None)
