"""The renamed pharmacy: an account that was verified for one workplace acts for another one that it typed."""

from typing import Any

import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from medconnect_client import Client, models
from medconnect_client.errors import AccountNotVerified, Unauthenticated

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_address
from tests.fixtures.proofs import control
from tests.rpc.calls import FACES, Answer, over_grpc
from tests.rpc.methods import RPCS
from tests.rpc.signed_in_stage import dispense_line

pytestmark = control("S127")


def call(actors: Actors, name: str, request: Message, actor: Actor) -> Answer:
    return over_grpc(actors, RPCS[name], request, actor)


def change(actors: Actors, actor: Actor, **fields: Any) -> str:
    """Changes the actor's own account, and returns its status from then on."""
    answer = call(actors, "UpdateCurrentUser", auth.UpdateCurrentUserRequest(**fields), actor)
    assert answer.ok, answer
    return str(answer.body["user"]["status"])


def waiting(actors: Actors, role: str) -> list[str]:
    """Returns the accounts of a role that wait for an admin, newest first."""
    status, body = actors.rest("GET", f"/users?status=unverified&role={role}&pageSize=100", actors.admin)
    assert status == 200
    return [user["id"] for user in body["data"]["users"]]


def test_renamed_pharmacy_neither_keeps_a_claim_nor_acts(actors: Actors) -> None:
    street = new_address()
    rogue, colleague = actors.new_pharmacist(street), actors.new_pharmacist(street)
    written = actors.prescribe(actors.new_patient().patient_id, 10)
    actors.claim(written.id, rogue)
    lines = [dispense_line(written, 10)]
    steps = {
        "LookupPrescriptions": pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number),
        "ValidatePrescription": pharmacy.ValidatePrescriptionRequest(prescription_id=written.id),
        "DispensePrescription": pharmacy.DispensePrescriptionRequest(prescription_id=written.id, items=lines),
        "ListDispensingHistory": pharmacy.ListDispensingHistoryRequest(),
    }

    assert change(actors, rogue, pharmacy_name="Corner Pharmacy of the Hospital") == "unverified"

    again = actors.sign_in(rogue.email)
    for face in FACES.values():
        for name, request in steps.items():
            assert face(actors, RPCS[name], request, rogue).reason == "UNAUTHENTICATED"
            assert face(actors, RPCS[name], request, again).reason == "ACCOUNT_NOT_VERIFIED"
    assert rogue.user_id in waiting(actors, "pharmacist")
    log = pharmacy.ListPrescriptionLogRequest(prescription_id=written.id)
    last = call(actors, "ListPrescriptionLog", log, colleague).body["entries"][-1]
    assert (last["action"], last["notes"]) == ("end_claim", "the pharmacist changed the workplace")
    actors.claim(written.id, colleague)
    assert call(actors, "DispensePrescription", steps["DispensePrescription"], colleague).ok

    verify = auth.VerifyUserRequest(user_id=rogue.user_id)
    assert call(actors, "VerifyUser", verify, actors.new_admin()).ok
    moved = actors.sign_in(rogue.email)
    assert actors.organisation_of(moved) != actors.organisation_of(colleague)
    assert not call(actors, "ListDispensingHistory", steps["ListDispensingHistory"], moved).body["entries"]


def test_doctor_who_types_another_hospital_does_not_prescribe(actors: Actors) -> None:
    rogue, patient = actors.new_doctor("First Hospital"), actors.new_patient()
    actors.prescribe(patient.patient_id, 10, doctor=rogue)
    assert change(actors, rogue, hospital_name="Second Hospital") == "unverified"
    listed = clinical.ListPrescriptionsRequest()
    again = actors.sign_in(rogue.email)
    for face in FACES.values():
        assert face(actors, RPCS["ListPrescriptions"], listed, again).reason == "ACCOUNT_NOT_VERIFIED"
    assert rogue.user_id in waiting(actors, "doctor")


def test_audit_names_the_changed_fields_and_the_membership(actors: Actors) -> None:
    mover = actors.new_pharmacist()
    former = actors.organisation_of(mover)
    assert change(actors, mover, phone="+49 30 4711", pharmacy_name="Other Pharmacy") == "unverified"
    asked = auth.ListAuditRecordsRequest(actor_id=mover.user_id, page_size=100)
    records = call(actors, "ListAuditRecords", asked, actors.admin).body["entries"]
    found = {(record["event"], record.get("reason", "")) for record in records}
    assert {("account_updated", "phone, pharmacy_name"), ("membership_ended", former)} <= found


@pytest.mark.parametrize("field", ["phone", "spelling"])
def test_phone_and_spelling_change_no_verification(actors: Actors, field: str) -> None:
    pharmacist = actors.new_pharmacist(new_address())
    written = actors.prescribe(actors.new_patient().patient_id, 10)
    actors.claim(written.id, pharmacist)
    fields = {"phone": "+49 30 4711"} if field == "phone" else {"pharmacy_name": "CORNER pharmacy"}
    assert change(actors, pharmacist, **fields) == "active"
    renew = pharmacy.ValidatePrescriptionRequest(prescription_id=written.id)
    assert call(actors, "ValidatePrescription", renew, pharmacist).ok


def test_deactivated_account_does_not_wait_for_an_admin(actors: Actors) -> None:
    pharmacist = actors.new_pharmacist()
    change(actors, pharmacist, pharmacy_name="Other Pharmacy")
    actors.deactivate(pharmacist, user_pb2.DEACTIVATION_REASON_LEFT)
    assert pharmacist.user_id not in waiting(actors, "pharmacist")


def test_client_of_who_moves_signs_in_again_and_waits(actors: Actors) -> None:
    pharmacist = actors.new_pharmacist()
    with Client(actors.instance.grpc) as client:
        client.sign_in(pharmacist.email, PASSWORD)
        moved = client.auth.update_current_user(models.AccountChanges(pharmacy_name="Other Pharmacy"))
        assert moved.status is models.UserStatus.UNVERIFIED
        with pytest.raises(Unauthenticated):
            client.auth.current_user()
        client.sign_in(pharmacist.email, PASSWORD)
        with pytest.raises(AccountNotVerified):
            list(client.pharmacy.history())
