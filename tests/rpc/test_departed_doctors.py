"""Tests the prescriptions that a departed doctor leaves: suspended ones, and those that stay valid."""

from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import prescription_pb2
from medconnect.clinical.v1 import suspension_service_pb2 as suspension
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import Actor, Actors
from tests.rpc.calls import FACES, Answer, over_grpc
from tests.rpc.methods import RPCS
from tests.rpc.signed_in_stage import dispense_line


def call(actors: Actors, name: str, request: Message, actor: Actor) -> Answer:
    return over_grpc(actors, RPCS[name], request, actor)


def dispense(written: prescription_pb2.Prescription) -> pharmacy.DispensePrescriptionRequest:
    return pharmacy.DispensePrescriptionRequest(prescription_id=written.id, items=[dispense_line(written, 10)])


def test_rogue_prescription_is_not_dispensed_until_resumed(actors: Actors) -> None:
    rogue, colleague = actors.new_doctor("Rogue Hospital"), actors.new_doctor("Rogue Hospital")
    patient = actors.new_patient()
    written = actors.prescribe(patient.patient_id, 10, doctor=rogue)
    qr_text = actors.qr_text(written.id, rogue)
    actors.claim(written.id, actors.pharmacist, rogue)

    actors.deactivate(rogue, user_pb2.DEACTIVATION_REASON_ACCOUNT_STOLEN)

    attempts = {
        "ScanQrCode": pharmacy.ScanQrCodeRequest(qr_code=qr_text),
        "LookupPrescriptions": pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number),
        "ValidatePrescription": pharmacy.ValidatePrescriptionRequest(prescription_id=written.id),
        "DispensePrescription": dispense(written),
    }
    for face in FACES.values():
        for name, request in attempts.items():
            assert face(actors, RPCS[name], request, actors.pharmacist).reason == "PRESCRIPTION_SUSPENDED"
    [shown] = call(actors, "ListMyPrescriptions", clinical.ListMyPrescriptionsRequest(), patient).body["prescriptions"]
    assert shown["suspendedAt"]

    resume = suspension.ResumePrescriptionRequest(prescription_id=written.id)
    actors.auth.ReactivateUser(auth.ReactivateUserRequest(user_id=rogue.user_id), metadata=actors.admin.metadata)
    for stranger in (actors.new_doctor("Other Hospital"), actors.doctor, actors.sign_in(rogue.email)):
        assert call(actors, "ResumePrescription", resume, stranger).reason == "RESOURCE_NOT_FOUND"
    assert call(actors, "ResumePrescription", resume, colleague).ok

    actors.deactivate(rogue, user_pb2.DEACTIVATION_REASON_LICENCE_WITHDRAWN)  # what was checked is not suspended again
    actors.claim(written.id, actors.pharmacist, patient)
    assert call(actors, "DispensePrescription", dispense(written), actors.pharmacist).ok


def test_prescription_of_doctor_who_left_runs_on_until_cancelled(actors: Actors) -> None:
    former, colleague = actors.new_doctor("Old Hospital"), actors.new_doctor("Old Hospital")
    written = actors.prescribe(actors.new_patient().patient_id, 10, doctor=former)
    cancel = clinical.CancelPrescriptionRequest(prescription_id=written.id, reason="Replaced by another medicine")
    assert call(actors, "CancelPrescription", cancel, colleague).reason == "RESOURCE_NOT_FOUND"  # still active

    actors.deactivate(former)

    lookup = pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number)
    [found] = call(actors, "LookupPrescriptions", lookup, actors.pharmacist).body["prescriptions"]
    assert (found["canDispense"], found["prescription"]["prescriberInactive"]) == (True, True)
    assert (
        call(actors, "CancelPrescription", cancel, actors.new_doctor("Other Hospital")).reason == "RESOURCE_NOT_FOUND"
    )
    cancelled = call(actors, "CancelPrescription", cancel, colleague).body["prescription"]
    assert (cancelled["status"], cancelled["doctorNotes"]) == ("cancelled", "")
