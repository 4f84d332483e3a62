"""Emails that calls request reach the right person, and the queue can be watched meanwhile."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, Final

import grpc
import pytest
import zxingcpp
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from PIL import Image

from tests.fixtures.actors import Actor, Actors, new_email
from tests.fixtures.instance import RunningInstance
from tests.fixtures.sender import PATIENCE_SECONDS, Sender, body

COUNTS: Final = ("pendingJobs", "processingJobs", "completedJobs", "failedJobs")


@pytest.fixture(scope="module")
def sender(instance: RunningInstance) -> Sender:
    return Sender(instance.home)


@pytest.fixture
def invited(actors: Actors) -> patient_pb2.Patient:
    """Returns a patient with an address, recorded by the doctor; the owner of the address has not confirmed it."""
    request = clinical.CreatePatientRequest(
        email=new_email(), full_name="María Núñez", date_of_birth="1984-02-29", gender=patient_pb2.GENDER_FEMALE
    )
    return actors.clinical.CreatePatient(request, metadata=actors.doctor.metadata).patient


@pytest.fixture
def patient(actors: Actors, invited: patient_pb2.Patient) -> patient_pb2.Patient:
    """Returns a patient, recorded by the doctor, who has confirmed the address."""
    actors.confirm_mailbox(invited.email)
    return invited


def picture(mail: EmailMessage) -> tuple[str, bytes]:
    """Returns Content-ID and bytes of the one picture in the email."""
    (part,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert part.get_content_disposition() == "inline"
    return part["Content-ID"].strip("<>"), part.get_content()


def test_recorded_patient_is_invited_without_being_named(invited: patient_pb2.Patient, sender: Sender) -> None:
    mail = sender.wait(invited.email, "Welcome")
    for subtype in ("plain", "html"):
        assert "María Núñez" not in body(mail, subtype)
        assert invited.reference_number not in body(mail, subtype)
        assert invited.email in body(mail, subtype)


def test_stranger_at_a_mistyped_address_learns_only_the_number(
    actors: Actors, invited: patient_pb2.Patient, sender: Sender
) -> None:
    """The QR code is encrypted, so that it tells a reader without the key nothing."""
    written = actors.prescribe(invited.id, 20)
    mail = sender.wait(invited.email, written.prescription_number)
    for subtype in ("plain", "html"):
        words = body(mail, subtype)
        for revealing in ("María", invited.reference_number, "Sinusitis", "Medicine 0", "Sam Staff"):
            assert revealing not in words
    assert picture(mail)[1]
    cancel = clinical.CancelPrescriptionRequest(prescription_id=written.id, reason="Allergy found")
    actors.clinical.CancelPrescription(cancel, metadata=actors.doctor.metadata)
    news = sender.wait(invited.email, f"News about prescription {written.prescription_number}")
    assert "Allergy" not in body(news, "plain")
    assert "cancel" not in body(news, "plain").lower()


def test_prescription_email_has_number_and_scannable_code(
    actors: Actors, patient: patient_pb2.Patient, sender: Sender
) -> None:
    written = actors.prescribe(patient.id, 20)

    mail = sender.wait(patient.email, written.prescription_number)

    for subtype in ("plain", "html"):
        words = body(mail, subtype)
        for said in (written.prescription_number, patient.reference_number, "Sinusitis", "Medicine 0", "Sam Staff"):
            assert said in words
    content_id, png = picture(mail)
    assert f"cid:{content_id}" in body(mail, "html")
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    scan = pharmacy.ScanQrCodeRequest(qr_code=code.text)
    found = actors.pharmacy.ScanQrCode(scan, metadata=actors.pharmacist.metadata).prescription
    assert (found.id, found.qr_code.scan_count) == (written.id, 1)


def test_who_asks_for_the_mail_again_gets_it_again(
    actors: Actors, patient: patient_pb2.Patient, sender: Sender
) -> None:
    written = actors.prescribe(patient.id)
    status, _ = actors.rest("POST", f"/qr-codes/email/{written.id}", actors.doctor, {})
    assert status == 200
    subject = f"Your prescription {written.prescription_number}"
    wait_until(lambda: [mail["Subject"] for mail in sender.mails(patient.email)].count(subject) == 2)


def test_dispense_is_reported_to_the_patient(actors: Actors, patient: patient_pb2.Patient, sender: Sender) -> None:
    written = actors.prescribe(patient.id, 20)
    actors.claim(written.id, actors.pharmacist)
    line = {"itemId": written.items[0].id, "quantity": 12, "unitPrice": "1", "batchNumber": "B-1"}
    lines = {"items": [line | {"expiryDate": "2099-01-01"}]}
    assert actors.rest("POST", f"/pharmacy/dispense/{written.id}", actors.pharmacist, lines)[0] == 200

    mail = sender.wait(patient.email, f"dispensed for prescription {written.prescription_number}")

    assert "Medicine 0: 12" in body(mail, "plain")
    assert "Corner Pharmacy" in body(mail, "plain")
    assert "You can still collect the rest" in body(mail, "plain")


def test_of_a_rejection_patient_and_doctor_are_told_why(
    actors: Actors, patient: patient_pb2.Patient, sender: Sender
) -> None:
    doctor = actors.new_doctor()
    actors.confirm_mailbox(doctor.email)
    written = actors.prescribe(patient.id, doctor=doctor)
    look = pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number)
    actors.pharmacy.LookupPrescriptions(look, metadata=actors.pharmacist.metadata)
    reject = pharmacy.RejectPrescriptionRequest(prescription_id=written.id, reason="two that do not go together")
    actors.pharmacy.RejectPrescription(reject, metadata=actors.pharmacist.metadata)
    for address in (patient.email, doctor.email):
        mail = sender.wait(address, f"rejected prescription {written.prescription_number}")
        assert "two that do not go together" in body(mail, "plain")


def test_of_a_cancellation_the_patient_is_told_and_nobody_else(
    actors: Actors, patient: patient_pb2.Patient, sender: Sender
) -> None:
    doctor = actors.new_doctor()
    written = actors.prescribe(patient.id, doctor=doctor)
    cancel = clinical.CancelPrescriptionRequest(prescription_id=written.id, reason="written twice")
    actors.clinical.CancelPrescription(cancel, metadata=doctor.metadata)
    mail = sender.wait(patient.email, f"cancelled prescription {written.prescription_number}")
    assert "written twice" in body(mail, "plain")
    assert [email["Subject"] for email in sender.mails(doctor.email)] == ["Welcome to MedConnect"]


def test_patient_without_address_is_reported_to_the_doctor(actors: Actors) -> None:
    request = clinical.CreatePatientRequest(
        full_name="Nora Noaddress", date_of_birth="1990-02-28", gender=patient_pb2.GENDER_FEMALE
    )
    patient = actors.clinical.CreatePatient(request, metadata=actors.doctor.metadata).patient
    written = actors.prescribe(patient.id)
    status, answer = actors.rest("POST", f"/qr-codes/email/{written.id}", actors.doctor, {})
    assert (status, answer["error"]["type"]) == (400, "PATIENT_HAS_NO_EMAIL")


def test_deactivated_patient_is_reported_to_the_doctor(actors: Actors, sender: Sender) -> None:
    patient = actors.new_patient()
    sender.wait(patient.email, "Welcome")
    assert actors.rest("PUT", f"/users/{patient.user_id}/deactivate", actors.admin, {})[0] == 200
    written = actors.prescribe(patient.patient_id)
    assert written.patient_email_status == patient_pb2.PATIENT_EMAIL_STATUS_ACCOUNT_DEACTIVATED
    status, answer = actors.rest("POST", f"/qr-codes/email/{written.id}", actors.doctor, {})
    assert (status, answer["error"]["type"]) == (400, "RECIPIENT_DEACTIVATED")
    with pytest.raises(grpc.RpcError) as refused:
        request = clinical.SendPrescriptionEmailRequest(prescription_id=written.id)
        actors.clinical.SendPrescriptionEmail(request, metadata=actors.doctor.metadata)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert [mail["Subject"] for mail in sender.mails(patient.email)] == ["Welcome to MedConnect"]


def test_watched_queue_shows_each_change_over_rest(actors: Actors, patient: patient_pb2.Patient) -> None:
    begun = time.monotonic()
    with server_sent_events(actors, "/events/email-queue/status/stream", actors.admin) as states:
        first = next(states)
        assert time.monotonic() - begun < 3  # an unchanged state is repeated after 19 s
        actors.prescribe(patient.id)
        seen = [first]
        while seen[-1]["completedJobs"] == first["completedJobs"] or seen[-1]["totalJobs"] == first["totalJobs"]:
            seen.append(next(states))
    assert all(state["totalJobs"] == sum(state[name] for name in COUNTS) for state in seen)
    assert sorted(seen, key=lambda state: state["lastUpdated"]) == seen
    _, answer = actors.rest("GET", "/events/email-queue/status", actors.admin)
    assert answer["data"].keys() == first.keys()


def test_watched_queue_shows_each_change_over_grpc(actors: Actors, patient: patient_pb2.Patient) -> None:
    request = events.WatchEmailQueueStatusRequest()
    states = actors.events.WatchEmailQueueStatus(request, metadata=actors.admin.metadata, timeout=PATIENCE_SECONDS)
    begun = time.monotonic()
    first = next(states)
    assert time.monotonic() - begun < 3  # an unchanged state is repeated after 19 s
    actors.prescribe(patient.id)
    changed = next(states)
    while changed.completed_jobs == first.completed_jobs or changed.total_jobs == first.total_jobs:
        changed = next(states)
    assert changed.last_updated.ToDatetime() > first.last_updated.ToDatetime()
    states.cancel()


@contextmanager
def server_sent_events(actors: Actors, path: str, actor: Actor) -> Iterator[Iterator[dict[str, Any]]]:
    """Yields the events of a stream as JSON; fails if none arrives within that time."""
    with actors.http.stream("GET", path, headers=actor.headers, timeout=PATIENCE_SECONDS) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield (json.loads(line.removeprefix("data:")) for line in response.iter_lines() if line.startswith("data:"))


def wait_until(holds: Callable[[], bool]) -> None:
    """Waits until the worker has made the condition true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
