"""Tests the mapping of clinical messages in both directions, with real services on a real database."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import patient_pb2, prescription_pb2, visit_pb2

from server.api.clinical.servicer import ClinicalServicer
from server.errors import ValidationFailed
from server.identity import Caller, set_caller
from tests.fixtures.clinical import Clinic

NO_CONTEXT: Any = None


def acting(clinic: Clinic, caller: Caller) -> ClinicalServicer:
    set_caller(caller)
    return clinic.servicer


def json(message: Message) -> dict[str, Any]:
    return MessageToDict(message)


async def test_a_patient_is_created_and_read_with_every_field(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    request = pb.CreatePatientRequest(
        email="zoe@example.org",
        full_name="Zoë Zahn",
        phone="+49 1111",
        date_of_birth="1990-02-28",
        gender=patient_pb2.GENDER_OTHER,
        blood_type="AB-",
        address="Here 1",
        emergency_contact="Peter",
        emergency_phone="+49 2222",
        insurance_provider="Acme",
        insurance_number="A-1",
        allergies=["Nuts"],
        existing_conditions=["Gout"],
    )
    created = (await servicer.CreatePatient(request, NO_CONTEXT)).patient
    answer = json(created)
    assert {name: answer[name] for name in json(request)} == json(request)
    assert set(answer) - set(json(request)) == {
        *("id", "referenceNumber", "version", "createdAt", "updatedAt", "emailStatus"),
        *("assurance", "identification", "allergyStatus"),
    }
    read = await servicer.GetPatient(pb.GetPatientRequest(patient_id=created.id), NO_CONTEXT)
    assert read.patient == created


async def test_patient_with_minimal_data_has_no_gender_field(clinic: Clinic) -> None:
    await clinic.execute("UPDATE patients SET gender = NULL, date_of_birth = NULL")
    servicer = acting(clinic, clinic.paula_caller)
    profile = (await servicer.GetProfile(pb.GetProfileRequest(), NO_CONTEXT)).patient
    assert not profile.HasField("gender")
    assert profile.date_of_birth == ""


async def test_a_date_that_does_not_exist_is_refused_by_its_json_name(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    patient_id = str(clinic.paula.id)
    attempts = [
        ("dateOfBirth", servicer.CreatePatient, pb.CreatePatientRequest(date_of_birth="2001-02-29")),
        (
            "dateOfBirth",
            servicer.UpdatePatient,
            pb.UpdatePatientRequest(patient_id=patient_id, date_of_birth="0000-01-01"),
        ),
        (
            "visitDate",
            servicer.CreateMedicalVisit,
            pb.CreateMedicalVisitRequest(
                patient_id=patient_id, visit_type=visit_pb2.VISIT_TYPE_EMERGENCY, visit_date="2001-13-01"
            ),
        ),
        ("from", servicer.ListMedicalVisits, pb.ListMedicalVisitsRequest(from_date="2001-04-31")),
        ("to", servicer.ListPrescriptions, pb.ListPrescriptionsRequest(to_date="2001-04-31")),
    ]
    for field, method, request in attempts:
        with pytest.raises(ValidationFailed) as refused:
            await method(request, NO_CONTEXT)  # type: ignore[operator]
        assert [violation.field for violation in refused.value.violations] == [field]


async def test_update_applies_present_fields_and_skips_empty_lists(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    patient_id = str(clinic.paula.id)
    first = pb.UpdatePatientRequest(
        patient_id=patient_id,
        full_name="Paula P",
        gender=patient_pb2.GENDER_MALE,
        date_of_birth="1981-01-01",
        blood_type="O+",
        allergies=["Nuts"],
        existing_conditions=["Gout"],
        version=1,
    )
    updated = (await servicer.UpdatePatient(first, NO_CONTEXT)).patient
    assert (updated.full_name, updated.gender, updated.date_of_birth) == ("Paula P", 2, "1981-01-01")
    second = pb.UpdatePatientRequest(patient_id=patient_id, clear=["bloodType"], allergies=[])
    again = (await servicer.UpdatePatient(second, NO_CONTEXT)).patient
    assert (again.blood_type, list(again.allergies), list(again.existing_conditions)) == ("", ["Nuts"], ["Gout"])
    assert (again.phone, again.version) == (clinic.paula.phone, 3)


async def test_patient_updates_profile_and_does_not_see_conditions(clinic: Clinic) -> None:
    await clinic.execute("UPDATE patients SET existing_conditions = '{canary}'")
    servicer = acting(clinic, clinic.paula_caller)
    request = pb.UpdateProfileRequest(insurance_provider="Acme", allergies=["Nuts"], clear=["phone"], version=2)
    patient = (await servicer.UpdateProfile(request, NO_CONTEXT)).patient
    assert (patient.insurance_provider, list(patient.allergies), patient.phone) == ("Acme", ["Nuts"], "")
    assert "canary" not in str(patient)
    assert (await servicer.GetProfile(pb.GetProfileRequest(), NO_CONTEXT)).patient == patient
    assert (await clinic.patients.get(clinic.paula.id)).existing_conditions == ("canary",)


async def test_a_list_of_patients_shows_enough_to_tell_them_apart(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    page = await servicer.ListPatients(pb.ListPatientsRequest(search="paula", page_size=1), NO_CONTEXT)
    assert json(page) == {
        "patients": [
            {
                "id": str(clinic.paula.id),
                "referenceNumber": clinic.paula.reference_number,
                "fullName": "Paula Patient",
                "dateOfBirth": "1980-05-17",
                "assurance": "PATIENT_ASSURANCE_IDENTIFIED",
            }
        ],
        "totalSize": 1,
    }


async def test_a_visit_is_recorded_and_listed_with_every_field(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    request = pb.CreateMedicalVisitRequest(
        patient_id=str(clinic.paula.id),
        visit_date="2026-01-02",
        visit_type=visit_pb2.VISIT_TYPE_FOLLOW_UP,
        chief_complaint="Cough",
        symptoms="dry",
        diagnosis="Bronchitis",
        treatment_notes="none",
        recommendations="rest",
        hospital_name="Field Hospital",
        vital_signs=visit_pb2.VitalSigns(
            blood_pressure="120/80", heart_rate=61, temperature=36.6, weight=70.5, height=171
        ),
    )
    visit = (await servicer.CreateMedicalVisit(request, NO_CONTEXT)).visit
    assert {name: json(visit)[name] for name in json(request)} == json(request)
    wanted = pb.ListMedicalVisitsRequest(patient_id=str(clinic.paula.id), from_date="2026-01-02", to_date="2026-01-02")
    page = await servicer.ListMedicalVisits(wanted, NO_CONTEXT)
    assert (list(page.visits), page.total_size) == ([visit], 1)


async def test_a_doctor_writes_reads_lists_and_cancels(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    item = pb.NewPrescriptionItem(
        medicine_name="Amoxicillin",
        dosage="500 mg",
        frequency="daily",
        quantity=20,
        instructions="with milk",
        route="oral",
        duration_days=7,
    )
    request = pb.CreatePrescriptionRequest(
        patient_id=str(clinic.paula.id), diagnosis="Flu", doctor_notes="canary", items=[item]
    )
    written = (await servicer.CreatePrescription(request, NO_CONTEXT)).prescription
    answer = json(written)
    assert answer["status"] == "PRESCRIPTION_STATUS_PENDING"
    exact = {"exactQuantity": "20", "exactDispensedQuantity": "0", "exactRemainingQuantity": "20"}
    open_item = {"remainingQuantity": 20, "quantityUnit": "QUANTITY_UNIT_PIECE", **exact}
    assert answer["items"] == [{"id": written.items[0].id, **json(item), **open_item}]
    assert (answer["patientName"], answer["doctorNotes"], written.HasField("fulfilled_at")) == (
        "Paula Patient",
        "canary",
        False,
    )
    one = pb.GetPrescriptionRequest(prescription_id=written.id)
    assert (await servicer.GetPrescription(one, NO_CONTEXT)).prescription == written
    wanted = pb.ListPrescriptionsRequest(
        status=[prescription_pb2.PRESCRIPTION_STATUS_PENDING], patient_id=str(clinic.paula.id)
    )
    assert list((await servicer.ListPrescriptions(wanted, NO_CONTEXT)).prescriptions) == [written]
    cancel = pb.CancelPrescriptionRequest(prescription_id=written.id, reason="wrong dose")
    cancelled = (await servicer.CancelPrescription(cancel, NO_CONTEXT)).prescription
    assert (cancelled.status, cancelled.status_reason) == (
        prescription_pb2.PRESCRIPTION_STATUS_CANCELLED,
        "wrong dose",
    )


async def test_patient_sees_prescriptions_without_doctors_notes(clinic: Clinic) -> None:
    written = await clinic.prescribe(status="'dispensed'", fulfilled_at="now()", doctor_notes="'canary'")
    servicer = acting(clinic, clinic.paula_caller)
    page = await servicer.ListMyPrescriptions(pb.ListMyPrescriptionsRequest(), NO_CONTEXT)
    [shown] = page.prescriptions
    assert (shown.id, shown.qr_code.is_used, shown.HasField("fulfilled_at")) == (str(written.id), True, True)
    assert "canary" not in str(page)


async def test_code_is_returned_as_text_as_data_url_and_as_bytes(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    servicer = acting(clinic, clinic.paula_caller)
    code = await servicer.GetQrCode(pb.GetQrCodeRequest(prescription_id=str(written.id)), NO_CONTEXT)
    assert code.qr_code.startswith("RX")
    assert code.qr_code_image.startswith("data:image/png;base64,")
    assert (code.qr_hash, code.scan_count, code.is_used) == (written.qr_code.qr_hash, 0, False)
    wanted = pb.GetQrCodeImageRequest(prescription_id=str(written.id))
    image = (await servicer.GetQrCodeImage(wanted, NO_CONTEXT)).image
    assert (image.content_type, image.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


async def test_reissued_or_emailed_code_is_returned_without_its_text(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    servicer = acting(clinic, clinic.paula_caller)
    reissue = pb.ReissueQrCodeRequest(prescription_id=str(written.id))
    reissued = (await servicer.ReissueQrCode(reissue, NO_CONTEXT)).qr_code
    assert reissued.qr_hash not in ("", written.qr_code.qr_hash)
    mail = pb.SendPrescriptionEmailRequest(prescription_id=str(written.id))
    sent = await servicer.SendPrescriptionEmail(mail, NO_CONTEXT)
    assert (sent.prescription_number, sent.qr_code) == (written.number, reissued)


async def test_an_absent_visit_is_not_asked_for(clinic: Clinic) -> None:
    servicer = acting(clinic, clinic.doctor)
    item = pb.NewPrescriptionItem(medicine_name="Amoxicillin", dosage="1", frequency="daily", quantity=1)
    request = pb.CreatePrescriptionRequest(patient_id=str(clinic.paula.id), diagnosis="Flu", items=[item])
    written = (await servicer.CreatePrescription(request, NO_CONTEXT)).prescription
    assert written.visit_id == ""
    assert not written.items[0].HasField("duration_days")
    assert (await servicer.ListMyPrescriptions(pb.ListMyPrescriptionsRequest(), NO_CONTEXT)).total_size == 0
    wanted = pb.ListPrescriptionsRequest(patient_id=str(uuid4()))
    assert (await servicer.ListPrescriptions(wanted, NO_CONTEXT)).total_size == 0
