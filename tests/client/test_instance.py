"""The client against a whole instance: every service, called by permitted roles."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest
from medconnect_client import Client, DispenseLine, MemoryTokens, errors, models

from tests.client.staff import STAFF, hired
from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control

SALBUTAMOL = models.NewPrescriptionItem(
    medicine_name="Salbutamol", dosage="100 µg", frequency="when needed", quantity=2, duration_days=30
)


@pytest.fixture(scope="module")
def doctor(admin: Client, instance: RunningInstance) -> Iterator[Client]:
    with hired(admin, instance, models.Role.DOCTOR) as client:
        yield client


@pytest.fixture(scope="module")
def pharmacist(admin: Client, instance: RunningInstance) -> Iterator[Client]:
    with hired(admin, instance, models.Role.PHARMACIST) as client:
        yield client


@pytest.fixture(scope="module")
def patient(doctor: Client) -> models.Patient:
    new = models.NewPatient(
        full_name="María Núñez",
        date_of_birth=date(1984, 2, 29),
        gender=models.Gender.FEMALE,
        email=new_email(),
        allergies=("Penicillin",),
    )
    return doctor.clinical.create_patient(new)


@pytest.fixture
def prescription(doctor: Client, patient: models.Patient) -> models.Prescription:
    new = models.NewPrescription(patient_id=patient.id, diagnosis="Asthma", items=(SALBUTAMOL,))
    return doctor.clinical.create_prescription(new)


def lines(prescription: models.PharmacyPrescription, quantity: int) -> list[DispenseLine]:
    return [DispenseLine(prescription.items[0].id, quantity, Decimal("7.40"), "B-1", date(2100, 1, 1))]


def test_a_prescription_is_dispensed_in_parts(
    pharmacist: Client, doctor: Client, prescription: models.Prescription
) -> None:
    found = pharmacist.pharmacy.scan(doctor.clinical.qr_code(prescription.id).qr_code)
    assert (found.prescription.patient_allergies, found.can_dispense) == (("Penicillin",), True)
    for left in (1, 0):
        with pharmacist.pharmacy.claim(prescription.id) as claim:
            assert claim.prescription.status is models.PrescriptionStatus.VALIDATED
            dispensing = claim.dispense(lines(claim.prescription, 1))
        assert dispensing.prescription.items[0].remaining_quantity == left
    assert dispensing.prescription.fulfilled_at is not None
    assert pharmacist.pharmacy.receipt(prescription.id).total_amount == Decimal("14.80")
    assert [entry.action for entry in pharmacist.pharmacy.log(prescription.id)] == [
        "scan", "validate", "dispense", "validate", "dispense",
    ]  # fmt: skip
    with pytest.raises(errors.PrescriptionDispensed) as caught:
        pharmacist.pharmacy.lookup(prescription.prescription_number)
    assert caught.value.changed_at == dispensing.prescription.fulfilled_at.replace(
        microsecond=dispensing.prescription.fulfilled_at.microsecond // 1000 * 1000
    )


def test_a_claim_that_is_not_used_is_given_back(pharmacist: Client, prescription: models.Prescription) -> None:
    pharmacist.pharmacy.lookup(prescription.prescription_number)
    with pharmacist.pharmacy.claim(prescription.id, notes="a moment"):
        pass
    (found,) = pharmacist.pharmacy.lookup(prescription.prescription_number)
    assert found.prescription.status is models.PrescriptionStatus.SCANNED


def test_a_prescription_is_rejected(pharmacist: Client, doctor: Client, prescription: models.Prescription) -> None:
    pharmacist.pharmacy.lookup(prescription.prescription_number)
    with pharmacist.pharmacy.claim(prescription.id) as claim:
        claim.reject("The dose is unusual.")
    seen = doctor.clinical.prescription(prescription.id)
    assert (seen.status, seen.status_reason) == (models.PrescriptionStatus.REJECTED, "The dose is unusual.")


def test_another_pharmacy_cannot_claim_claimed_prescription(
    pharmacist: Client, admin: Client, instance: RunningInstance, prescription: models.Prescription
) -> None:
    with hired(admin, instance, models.Role.PHARMACIST, pharmacy_name="Another Pharmacy") as other:
        for client in (pharmacist, other):
            client.pharmacy.lookup(prescription.prescription_number)
        with pharmacist.pharmacy.claim(prescription.id) as claim:
            with pytest.raises(errors.ClaimedByOther) as caught:
                other.pharmacy.validate(prescription.id)
            assert caught.value.claim_expires_at is not None
            assert abs((caught.value.claim_expires_at - claim.expires_at).total_seconds()) < 0.01


def test_a_history_of_many_pages(pharmacist: Client, prescription: models.Prescription) -> None:
    for _ in range(25):
        pharmacist.pharmacy.lookup(prescription.prescription_number)
    found = list(pharmacist.pharmacy.history(action=models.PharmacyAction.LOOKUP))
    moments = [entry.occurred_at for entry in found]
    assert len(found) >= 25
    assert moments == sorted(moments, reverse=True)
    assert len({entry.id for entry in found}) == len(found)


def test_what_a_doctor_does(doctor: Client, patient: models.Patient, prescription: models.Prescription) -> None:
    assert [found.id for found in doctor.clinical.patients(patient.reference_number)] == [patient.id]
    changed = doctor.clinical.update_patient(
        patient.id, models.PatientChanges(phone="+1 555 010 0009", version=patient.version)
    )
    assert changed == doctor.clinical.patient(patient.id)
    given = doctor.clinical.update_patient(
        patient.id, models.PatientChanges(allergies=("Nuts",), phone="555-0123 ext. 7", version=changed.version)
    )
    cleared = doctor.clinical.update_patient(patient.id, models.PatientChanges(allergies=(), version=given.version))
    assert (given.allergies, cleared.allergies, cleared.phone) == (("Nuts",), (), "555-0123 ext. 7")
    with pytest.raises(errors.VersionConflict):
        doctor.clinical.update_patient(patient.id, models.PatientChanges(phone="+1 555 1", version=patient.version))
    new = models.NewVisit(
        patient_id=patient.id,
        visit_date=date(2026, 1, 1),
        visit_type=models.VisitType.FOLLOW_UP,
        chief_complaint="Short of breath",
        vital_signs=models.VitalSigns(blood_pressure="120/80", temperature=36.5),
    )
    visit = doctor.clinical.create_visit(new)
    assert (visit.vital_signs, visit.visit_type) == (new.vital_signs, new.visit_type)
    assert visit in list(doctor.clinical.visits(patient_id=patient.id))
    pending = doctor.clinical.prescriptions(status=[models.PrescriptionStatus.PENDING], patient_id=patient.id)
    assert prescription in list(pending)
    assert doctor.clinical.qr_code_image(prescription.id).startswith(b"\x89PNG")
    assert doctor.clinical.reissue_qr_code(prescription.id) != prescription.qr_code
    assert doctor.clinical.send_prescription_email(prescription.id).prescription_number
    cancelled = doctor.clinical.cancel_prescription(prescription.id, "Written twice.")
    assert cancelled.status is models.PrescriptionStatus.CANCELLED


def test_what_a_patient_does(instance: RunningInstance) -> None:
    with Client(instance.grpc) as client:
        account = models.AccountDetails(email=new_email(), full_name="Pat Patient", password=PASSWORD)
        made = client.auth.register(account)
        assert made.patient is not None
        profile = client.clinical.profile()
        assert (profile.reference_number, profile.gender) == (made.patient.reference_number, None)
        changed = client.clinical.update_profile(models.ProfileChanges(blood_type="AB-", allergies=("Nuts",)))
        assert (changed.blood_type, changed.allergies) == ("AB-", ("Nuts",))
        assert client.clinical.update_profile(models.ProfileChanges(clear=("bloodType",))).blood_type == ""
        assert list(client.clinical.my_prescriptions()) == []
        assert {entry.actor_role for entry in client.clinical.access_log()} == {models.Role.PATIENT}
        assert {entry.action for entry in client.clinical.access_log()} > {"read"}
        assert {entry.action for entry in client.clinical.access_log(exclude_own_reads=True)} == {"create", "update"}
        assert client.auth.current_user() == made.user
        client.auth.change_password(PASSWORD, PASSWORD + " two")
        client.sign_out()
        with pytest.raises(errors.InvalidCredentials):
            client.sign_in(account.email, PASSWORD)
        client.auth.forgot_password(account.email)
        with pytest.raises(errors.OtpInvalid):
            client.auth.reset_password(account.email, "000000", PASSWORD)


def test_patient_reads_own_history(
    doctor: Client,
    patient: models.Patient,
    prescription: models.Prescription,
    instance: RunningInstance,
    actors: Actors,
) -> None:
    assert prescription in [entry.prescription for entry in doctor.clinical.patient_history(patient.id)]
    tokens = MemoryTokens()
    with Client(instance.grpc, tokens=tokens) as client:
        account = models.AccountDetails(email=new_email(), full_name="Pat Patient", password=PASSWORD)
        made = client.auth.register(account)
        assert made.patient is not None
        with pytest.raises(errors.OtpRequired):
            list(client.clinical.medical_history())
        assert client.clinical.request_history_access().tzinfo is UTC
        kept = tokens.load()
        assert kept is not None
        code = actors.history_code(Actor(made.user.id, account.email, kept.access_token))
        assert client.clinical.confirm_history_access(code).tzinfo is UTC
        assert list(client.clinical.medical_history()) == []
        assert client.clinical.existing_conditions() == ()
        doctor.clinical.create_prescription(
            models.NewPrescription(patient_id=made.patient.id, diagnosis="Asthma", items=(SALBUTAMOL,))
        )
        (entry,) = client.clinical.medical_history()
        assert entry.visit is None
        assert entry.prescription is not None
        assert entry.date == entry.prescription.created_at.date()


def test_an_account_is_changed_by_its_holder(admin: Client, instance: RunningInstance, actors: Actors) -> None:
    with hired(admin, instance, models.Role.PHARMACIST) as client:
        changed = client.auth.update_current_user(models.AccountChanges(phone="+49 30 4711"))
        assert (changed.phone, changed.status) == ("+49 30 4711", models.UserStatus.ACTIVE)
        with pytest.raises(errors.PasswordWrong):
            client.auth.update_current_user(models.AccountChanges(email=new_email(), current_password="wrong one 7"))
        code = actors.confirmation_code(Actor(changed.id, changed.email, ""))
        assert client.auth.confirm_email(code).email_confirmed


@control("S101")
def test_sessions_are_listed_and_ended(admin: Client, instance: RunningInstance) -> None:
    account = replace(STAFF[models.Role.DOCTOR], email=new_email())
    made = admin.auth.create_user(account)
    with Client(instance.grpc) as here, Client(instance.grpc) as there:
        for client in (here, there):
            client.sign_in(account.email, PASSWORD)
        newest, own = here.auth.sessions()
        assert (newest.current, own.current, own.device) == (False, True, "MedConnect client")
        assert own.created_at == own.last_used_at < own.expires_at
        here.auth.end_session(newest.id)
        assert list(admin.auth.user_sessions(made.user.id)) == [replace(own, current=False)]
        with pytest.raises(errors.Unauthenticated):
            there.auth.current_user()
        assert here.auth.end_other_sessions() == 0
        assert admin.auth.end_user_sessions(made.user.id, models.EndSessionsReason.DEVICE_LOST) == 1
        with pytest.raises(errors.Unauthenticated):
            here.auth.current_user()


def test_what_an_admin_does(admin: Client, instance: RunningInstance) -> None:
    with Client(instance.grpc) as newcomer:
        account = replace(STAFF[models.Role.DOCTOR], email=new_email())
        user = newcomer.auth.register(account).user
        with pytest.raises(errors.AccountNotVerified):
            list(newcomer.clinical.patients())
        assert admin.auth.user(user.id).status is models.UserStatus.UNVERIFIED
        assert admin.auth.verify_user(user.id).status is models.UserStatus.ACTIVE
        assert list(newcomer.clinical.patients("nobody")) == []
        assert admin.auth.deactivate_user(user.id).status is models.UserStatus.DEACTIVATED
        assert admin.auth.reactivate_user(user.id).status is models.UserStatus.ACTIVE
        assert [found.id for found in admin.auth.users(search=account.email)] == [user.id]
    with pytest.raises(errors.ValidationFailed, match="licenseNumber: ") as caught:
        admin.auth.create_user(replace(account, email=new_email(), license_number="X"))
    assert [wrong.field for wrong in caught.value.violations] == ["licenseNumber"]
    verified = next(admin.auth.audit_records(event="account_verified"))
    assert (verified.object_id, verified.user_agent.split("/")[0]) == (user.id, "medconnect-client")
    assert admin.auth.key_set()[0].crv == "Ed25519"
    usage = admin.events.rate_limit_usage()
    assert sum(limit.allowed for limit in usage.limits if limit.name == "admin") > 0
    status = admin.events.email_queue()
    assert status.total_jobs >= status.completed_jobs
    assert next(admin.events.watch_email_queue()).total_jobs >= status.completed_jobs


def test_admin_manages_emails(admin: Client) -> None:
    emitted = admin.events.emit_test_event("prescription.created", {"ward": "3"})
    sent = next(admin.events.emails())
    assert (sent.kind, sent.created_at >= emitted - timedelta(seconds=10)) == ("test", True)
    seen = []
    for watched in admin.events.watch_emails(after_sequence=0):
        if watched.email.id == sent.id:
            seen.append(watched.email.status)
        if watched.email.status is models.EmailStatus.COMPLETED and watched.email.id == sent.id:
            break
    assert seen == [models.EmailStatus.PENDING, models.EmailStatus.PROCESSING, models.EmailStatus.COMPLETED]
    with pytest.raises(errors.EmailNotFailed):
        admin.events.retry_email(sent.id)
    assert admin.events.clear_completed_emails() >= 1
    assert sent.id not in {mail.id for mail in admin.events.emails(status=[models.EmailStatus.COMPLETED])}
