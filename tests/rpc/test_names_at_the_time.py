"""Past acts are shown with the names of that time, even after those people are renamed."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import visit_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from sqlalchemy import text

from tests.fixtures.actors import Actor, Actors, new_address
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS, WRITES, json_of
from tests.rpc.signed_in_stage import Prescription, dispense_line

READINGS: Final = RPCS.keys() - {rpc.name for rpc in WRITES}
OF_TODAY: Final = frozenset(
    {
        *("GetCurrentUser", "GetUser", "ListUsers", "ListPatients", "GetPatient", "GetProfile", "GetKeySet"),
        *("GetEmailQueueStatus", "WatchEmailQueueStatus", "WatchEmails", "ListEmails", "GetRateLimitUsage"),
        *("ListSessions", "ListUserSessions", "GetSecondFactors"),
        *("ListOrganisations", "GetOrganisation", "ListMembers", "ListMyMemberships"),
    }
)
"""Readings of the current state, and of the email queue, which contains only addresses stored with the email."""
GROWING: Final = frozenset({"ListAccessLog", "ListAuditRecords"})
"""Readings that add an entry to these lists: only entries that existed before are compared."""
FORMER: Final = ("Paula Former", "Sam Staff", "MD-1", "Old Hospital", "Corner Pharmacy")
LATER: Final = "Renamed"
REASON: Final = "Not what was meant"


class Story:
    """The acts of two professionals for a patient, and their readings, each with a permitted reader."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors
        self.patient = actors.new_patient("Paula Former")
        self.doctor, street = actors.new_doctor("Old Hospital"), new_address()
        self.pharmacist, self.colleague = actors.new_pharmacist(street), actors.new_pharmacist(street)
        actors.open_history(self.patient)
        self._visit()
        record = clinical.UpdatePatientRequest(patient_id=self.patient.patient_id, blood_type="A+")
        self._call(actors.clinical, "UpdatePatient", record, self.doctor)
        self.dispensed, self.rejected, self.cancelled, self.open = (
            actors.prescribe(self.patient.patient_id, 10, doctor=self.doctor) for _ in range(4)
        )
        self._dispense()
        self._at_the_counter("ScanQrCode", qr_code=actors.qr_text(self.rejected.id, self.doctor))
        self._at_the_counter("RejectPrescription", prescription_id=self.rejected.id, reason=REASON)
        for request_type, prescription in (
            (clinical.CancelPrescriptionRequest, self.cancelled),
            (clinical.SendPrescriptionEmailRequest, self.open),
        ):
            more = {"reason": REASON} if prescription is self.cancelled else {}
            rpc = request_type.DESCRIPTOR.name.removesuffix("Request")
            self._call(actors.clinical, rpc, request_type(prescription_id=prescription.id, **more), self.doctor)

    def readings(self) -> Iterator[tuple[str, Message, Actor]]:
        """Returns every reading of the acts."""
        about: Any = {"patient_id": self.patient.patient_id, "page_size": 100}
        yield "ListAuditRecords", auth.ListAuditRecordsRequest(**about), self.actors.admin
        yield "ListMedicalVisits", clinical.ListMedicalVisitsRequest(**about), self.doctor
        yield "ListPrescriptions", clinical.ListPrescriptionsRequest(**about), self.doctor
        yield "GetPatientHistory", clinical.GetPatientHistoryRequest(**about), self.doctor
        yield "GetMedicalHistory", clinical.GetMedicalHistoryRequest(page_size=100), self.patient
        yield "ListRecordVersions", clinical.ListRecordVersionsRequest(**about), self.doctor
        yield "ListMyRecordVersions", clinical.ListMyRecordVersionsRequest(page_size=100), self.patient
        yield "ListMyPrescriptions", clinical.ListMyPrescriptionsRequest(page_size=100), self.patient
        yield "ListAccessLog", clinical.ListAccessLogRequest(page_size=100), self.patient
        yield "ListDispensingHistory", pharmacy.ListDispensingHistoryRequest(page_size=100), self.colleague
        for prescription in (self.dispensed, self.rejected, self.cancelled, self.open):
            yield from self._readings_of(prescription)

    def _readings_of(self, prescription: Prescription) -> Iterator[tuple[str, Message, Actor]]:
        own: Any = {"prescription_id": prescription.id}
        yield "GetPrescription", clinical.GetPrescriptionRequest(**own), self.doctor
        yield "GetQrCode", clinical.GetQrCodeRequest(**own), self.patient
        yield "GetQrCodeImage", clinical.GetQrCodeImageRequest(**own), self.patient
        yield "GetDispensingSummary", pharmacy.GetDispensingSummaryRequest(**own), self.patient
        if prescription in (self.dispensed, self.rejected):
            yield "ListPrescriptionLog", pharmacy.ListPrescriptionLogRequest(**own), self.colleague
        if prescription is self.dispensed:
            yield "GetDispensingSummary", pharmacy.GetDispensingSummaryRequest(**own), self.colleague

    def rename_everybody(self) -> None:
        """Changes all names of patient, doctor and pharmacist: by calls, or by SQL if no call does it yet."""
        actors = self.actors
        name = clinical.UpdatePatientRequest(patient_id=self.patient.patient_id, full_name="Renamed Patient")
        actors.clinical.UpdatePatient(name, metadata=self.doctor.metadata)
        hospital = auth.UpdateCurrentUserRequest(hospital_name="Renamed Hospital", phone="+49 30 4712")
        actors.auth.UpdateCurrentUser(hospital, metadata=self.doctor.metadata)
        shop = {"pharmacy_name": "Renamed Pharmacy", "pharmacy_address": "Renamed Street", "phone": "+49 30 4713"}
        actors.auth.UpdateCurrentUser(auth.UpdateCurrentUserRequest(**shop), metadata=self.pharmacist.metadata)
        actors.instance.run(self._rename_staff())
        for actor in (self.doctor, self.pharmacist):
            actors.auth.VerifyUser(auth.VerifyUserRequest(user_id=actor.user_id), metadata=actors.new_admin().metadata)
        self.doctor, self.pharmacist = actors.sign_in(self.doctor.email), actors.sign_in(self.pharmacist.email)

    async def _rename_staff(self) -> None:
        renamed = "full_name = 'Renamed Staff', license_number = 'Renamed-1', specialization = 'Renamed'"
        async with self.actors.instance.core.work.begin() as tx:
            for actor in (self.doctor, self.pharmacist):
                statement = text(f"UPDATE users SET {renamed} WHERE id = CAST(:id AS uuid)")  # noqa: S608 - a constant
                await tx.connection.execute(statement, {"id": actor.user_id})

    def _visit(self) -> None:
        visit = clinical.CreateMedicalVisitRequest(
            patient_id=self.patient.patient_id,
            visit_date="2026-01-05",
            visit_type=visit_pb2.VISIT_TYPE_CONSULTATION,
            chief_complaint="Cough at night",
        )
        self.actors.clinical.CreateMedicalVisit(visit, metadata=self.doctor.metadata)

    def _dispense(self) -> None:
        """Dispenses in two parts."""
        prescription = self.dispensed
        self._at_the_counter("ScanQrCode", qr_code=self.actors.qr_text(prescription.id, self.doctor))
        for quantity in (4, 6):
            self._at_the_counter("ValidatePrescription", prescription_id=prescription.id)
            lines = [dispense_line(prescription, quantity)]
            self._at_the_counter("DispensePrescription", prescription_id=prescription.id, items=lines)

    def _at_the_counter(self, rpc: str, **fields: Any) -> None:
        self._call(self.actors.pharmacy, rpc, getattr(pharmacy, f"{rpc}Request")(**fields), self.pharmacist)

    @staticmethod
    def _call(stub: Any, rpc: str, request: Message, actor: Actor) -> None:
        getattr(stub, rpc)(request, metadata=actor.metadata)


@pytest.fixture(scope="module")
def story(actors: Actors) -> Story:
    return Story(actors)


def read(story: Story) -> list[tuple[str, str, Any]]:
    """Returns the answer to each reading over gRPC and REST: bytes, except for lists that grow."""
    found = []
    for rpc, request, actor in story.readings():
        for face, call in FACES.items():
            answer = call(story.actors, RPCS[rpc], request, actor)
            assert answer.ok, (rpc, face, answer)
            found.append((rpc, face, by_id(answer.body) if rpc in GROWING else answer.raw))
    return found


def by_id(body: Any) -> dict[str, str]:
    """Returns the entries of a list by id, each as it is written."""
    return {entry["id"]: json.dumps(entry) for entry in body["entries"]}


def test_every_reading_is_known_to_be_of_the_past_or_of_today(story: Story) -> None:
    of_the_past = {rpc for rpc, _, _ in story.readings()}
    assert of_the_past | OF_TODAY == READINGS
    assert not of_the_past & OF_TODAY


def test_a_past_act_is_read_with_the_names_of_its_time(story: Story) -> None:
    before = read(story)
    story.rename_everybody()
    after = read(story)
    for (rpc, face, then), (_, _, now) in zip(before, after, strict=True):
        kept = {entry: now[entry] for entry in then} if rpc in GROWING else now
        assert kept == then, (rpc, face)
    shown = str(before)
    assert all(name in shown for name in (*FORMER[:2], *FORMER[3:]))  # only the counter shows the licence
    assert LATER not in shown


def test_what_happens_later_is_read_with_the_later_names(story: Story) -> None:
    actors = story.actors
    written = actors.prescribe(story.patient.patient_id, 10, doctor=story.doctor)
    scan = pharmacy.ScanQrCodeRequest(qr_code=actors.qr_text(written.id, story.doctor))
    seen = actors.pharmacy.ScanQrCode(scan, metadata=story.pharmacist.metadata).prescription
    assert (seen.patient_name, seen.doctor_name) == ("Renamed Patient", "Renamed Staff")
    assert seen.doctor_license_number == "Renamed-1"
    log = pharmacy.ListPrescriptionLogRequest(prescription_id=written.id)
    [entry] = actors.pharmacy.ListPrescriptionLog(log, metadata=story.pharmacist.metadata).entries
    assert (entry.pharmacist_name, entry.pharmacy_name) == ("Renamed Staff", "Renamed Pharmacy")
    accesses = clinical.ListAccessLogRequest(page_size=4)
    listed = actors.clinical.ListAccessLog(accesses, metadata=story.patient.metadata).entries
    assert {entry.actor_workplace for entry in listed} == {"Renamed Pharmacy", "Renamed Hospital"}


def test_open_prescription_keeps_the_names_of_its_creation(story: Story) -> None:
    scan = pharmacy.ScanQrCodeRequest(qr_code=story.actors.qr_text(story.open.id, story.doctor))
    seen = story.actors.pharmacy.ScanQrCode(scan, metadata=story.pharmacist.metadata).prescription
    assert (seen.patient_name, seen.doctor_name, seen.doctor_license_number) == FORMER[:3]
    assert json_of(seen)["patientAllergies"] == ["Penicillin"]
