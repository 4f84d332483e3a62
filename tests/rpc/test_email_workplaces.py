"""The hospitals and pharmacies that emails about prescriptions name, with the phone numbers of their organisations."""

import pytest
from medconnect.auth.v1 import organisation_service_pb2 as organisations
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import Actor, Actors, new_address
from tests.fixtures.sender import Sender, body
from tests.rpc.signed_in_stage import dispense_line

HOSPITAL = "Hospital:      Phone Hospital, +49 341 5550100"
PHARMACY = "Pharmacy:      Corner Pharmacy, +49 341 5550123"


@pytest.fixture(scope="module")
def sender(actors: Actors) -> Sender:
    return Sender(actors.instance.home)


def set_phone(actors: Actors, member: Actor, phone: str) -> None:
    request = organisations.UpdateOrganisationRequest(organisation_id=actors.organisation_of(member), phone=phone)
    actors.organisations.UpdateOrganisation(request, metadata=actors.admin.metadata)


def test_emails_name_hospital_and_pharmacy_with_phone(actors: Actors, sender: Sender) -> None:
    doctor, pharmacist = actors.new_doctor("Phone Hospital"), actors.new_pharmacist(new_address())
    set_phone(actors, doctor, "+49 341 5550100")
    set_phone(actors, pharmacist, "+49 341 5550123")
    patient = actors.new_patient()
    actors.confirm_mailbox(patient.email)
    dispensed, rejected = (actors.prescribe(patient.patient_id, 10, doctor=doctor) for _ in range(2))
    for written in (dispensed, rejected):
        find = pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number)
        actors.pharmacy.LookupPrescriptions(find, metadata=pharmacist.metadata)
        claim = pharmacy.ValidatePrescriptionRequest(prescription_id=written.id)
        actors.pharmacy.ValidatePrescription(claim, metadata=pharmacist.metadata)
    lines = pharmacy.DispensePrescriptionRequest(prescription_id=dispensed.id, items=[dispense_line(dispensed, 10)])
    actors.pharmacy.DispensePrescription(lines, metadata=pharmacist.metadata)
    stop = pharmacy.RejectPrescriptionRequest(prescription_id=rejected.id, reason="Forged")
    actors.pharmacy.RejectPrescription(stop, metadata=pharmacist.metadata)

    def told(subject: str) -> str:
        return body(sender.wait(patient.email, subject), "plain")

    assert HOSPITAL in told(f"prescription {dispensed.prescription_number}")
    assert PHARMACY in told(f"dispensed for prescription {dispensed.prescription_number}")
    rejection = told(f"rejected prescription {rejected.prescription_number}")
    assert HOSPITAL in rejection
    assert PHARMACY in rejection
