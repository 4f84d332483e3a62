"""S48: forty calls of a day, ten of them refused, leave exactly forty records, without any health data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import visit_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from server.qr import signed_code
from tests.fixtures.actors import PASSWORD, Actor, Actors
from tests.fixtures.proofs import control
from tests.fixtures.records import Records
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS
from tests.rpc.signed_in_stage import Prescription, dispense_line

REASON: Final = "Not what was meant"
DIAGNOSIS: Final = "Fluenza"
NO_NUMBER: Final = "RX-20260101-00000000"
QR_TEXT: Final = rf"MC1\.|[{signed_code.LETTERS}]{{40}}"
WORDS: Final = ("Dayman", "Codeine", DIAGNOSIS, "Cough", "Day Street", REASON, "5550101", PASSWORD)
REFUSED: Final[Mapping[str, str]] = {
    "INVALID_CREDENTIALS": "failure",
    "PRESCRIPTION_DISPENSED": "failure",
    "QR_CODE_INVALID": "failure",
    "REFERENCE_NUMBER_INVALID": "failure",
    "RESOURCE_NOT_FOUND": "denied",
    "ROLE_NOT_ALLOWED": "denied",
}
CHANGED: Final = {"UpdatePatient": "address", "UpdateProfile": "phone"}
"""The field that each update changes, which the record of its success names."""
PURPOSES: Final = {"doctor": "TREAT", "pharmacist": "TREAT", "patient": "PATRQT", "admin": "HSYSADMIN", None: ""}


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and the expected record; `signs_in` is the account that a call without a token is about."""

    actor: Actor | None
    rpc: str
    request: Message
    event: str
    action: str
    about: tuple[Actor, ...] = ()
    reason: str = ""
    signs_in: Actor | None = None


class Day:
    """The people of a day, and the calls that they make."""

    def __init__(self, actors: Actors) -> None:
        self.patient, self.stranger = actors.new_patient("Paul Dayman"), actors.new_patient("Sonja Dayman")
        self.doctor, self.other_doctor = actors.new_doctor(), actors.new_doctor()
        self.pharmacist, self.other = actors.new_pharmacist(), actors.new_pharmacist()
        self.admin = actors.admin
        self.first, self.second, self.third = (
            actors.prescribe(self.patient.patient_id, doctor=self.doctor) for _ in range(3)
        )
        self.qr_text = actors.qr_text(self.first.id, self.doctor)

    def steps(self) -> list[Step]:
        """Returns all forty steps."""
        return [*self._by_the_doctor(), *self._by_the_patient(), *self._at_the_counter(), *self._refused()]

    def _by_the_doctor(self) -> list[Step]:
        doctor, mine = self.doctor, (self.patient,)
        patient_id = self.patient.patient_id
        item = clinical.NewPrescriptionItem(medicine_name="Codeine", dosage="15 mg", frequency="daily", quantity=5)
        visit = clinical.CreateMedicalVisitRequest(
            patient_id=patient_id,
            visit_date="2026-01-05",
            visit_type=visit_pb2.VISIT_TYPE_CONSULTATION,
            chief_complaint="Cough at night",
        )
        new = clinical.CreatePrescriptionRequest(patient_id=patient_id, diagnosis=DIAGNOSIS, items=[item])
        update = clinical.UpdatePatientRequest(patient_id=patient_id, address="1 Day Street")
        search, record = (
            clinical.ListPatientsRequest(search="dayman"),
            clinical.GetPatientRequest(patient_id=patient_id),
        )
        cancel = _named(clinical.CancelPrescriptionRequest, self.second, reason=REASON)
        both = (self.patient, self.stranger)
        first, second = self.first, self.second
        return [
            Step(doctor, "GetPatient", record, "patient_read", "read", mine),
            Step(doctor, "UpdatePatient", update, "patient_updated", "update", mine),
            Step(doctor, "ListPatients", search, "patients_listed", "read", both),
            Step(doctor, "CreateMedicalVisit", visit, "visit_created", "create", mine),
            Step(doctor, "ListMedicalVisits", clinical.ListMedicalVisitsRequest(), "visits_listed", "read", mine),
            Step(doctor, "CreatePrescription", new, "prescription_created", "create", mine),
            Step(
                doctor, "ListPrescriptions", clinical.ListPrescriptionsRequest(), "prescriptions_listed", "read", mine
            ),
            Step(doctor, "GetPrescription", self._read(first), "prescription_read", "read", mine),
            Step(doctor, "GetQrCode", _named(clinical.GetQrCodeRequest, first), "qr_code_read", "read", mine),
            Step(doctor, "GetQrCodeImage", _named(clinical.GetQrCodeImageRequest, first), "qr_code_read", "read", mine),
            Step(
                doctor,
                "SendPrescriptionEmail",
                _named(clinical.SendPrescriptionEmailRequest, first),
                "prescription_mailed",
                "execute",
                mine,
            ),
            Step(
                doctor,
                "ReissueQrCode",
                _named(clinical.ReissueQrCodeRequest, second),
                "qr_code_reissued",
                "update",
                mine,
            ),
            Step(doctor, "CancelPrescription", cancel, "prescription_cancelled", "update", mine),
        ]

    def _by_the_patient(self) -> list[Step]:
        patient, mine = self.patient, (self.patient,)
        phone = clinical.UpdateProfileRequest(phone="+49 30 5550101")
        mine_all = clinical.ListMyPrescriptionsRequest()
        return [
            Step(patient, "GetProfile", clinical.GetProfileRequest(), "patient_read", "read", mine),
            Step(patient, "UpdateProfile", phone, "patient_updated", "update", mine),
            Step(patient, "ListMyPrescriptions", mine_all, "prescriptions_listed", "read", mine),
            Step(patient, "ListAccessLog", clinical.ListAccessLogRequest(), "access_log_read", "read", mine),
        ]

    def _at_the_counter(self) -> list[Step]:
        him, mine, first, third = self.pharmacist, (self.patient,), self.first, self.third
        validate = _named(pharmacy.ValidatePrescriptionRequest, first)
        release = _named(pharmacy.ReleasePrescriptionRequest, first)
        dispense = _named(pharmacy.DispensePrescriptionRequest, first, items=[dispense_line(first, 10)])
        summary = _named(pharmacy.GetDispensingSummaryRequest, first)
        log, history = _named(pharmacy.ListPrescriptionLogRequest, first), pharmacy.ListDispensingHistoryRequest()
        look_up = pharmacy.LookupPrescriptionsRequest(reference_number=third.prescription_number)
        reject = _named(pharmacy.RejectPrescriptionRequest, third, reason=REASON)
        user = auth.GetUserRequest(user_id=self.doctor.user_id)
        return [
            Step(him, "ScanQrCode", self._scan(), "prescription_scanned", "execute", mine),
            Step(him, "ValidatePrescription", validate, "prescription_validated", "update", mine),
            Step(him, "ReleasePrescription", release, "prescription_released", "update", mine),
            Step(him, "ValidatePrescription", validate, "prescription_validated", "update", mine),
            Step(him, "DispensePrescription", dispense, "prescription_dispensed", "update", mine),
            Step(him, "GetDispensingSummary", summary, "receipt_read", "read", mine),
            Step(him, "ListPrescriptionLog", log, "prescription_log_read", "read", mine),
            Step(him, "ListDispensingHistory", history, "dispensing_history_read", "read", mine),
            Step(him, "LookupPrescriptions", look_up, "prescription_looked_up", "execute", mine),
            Step(him, "RejectPrescription", reject, "prescription_rejected", "update", mine),
            Step(None, "Login", self._sign_in(PASSWORD), "signed_in", "execute", signs_in=self.other),
            Step(self.admin, "ListUsers", auth.ListUsersRequest(), "accounts_listed", "read"),
            Step(self.admin, "GetUser", user, "account_read", "read"),
        ]

    def _refused(self) -> list[Step]:
        mine, first = (self.patient,), self.first
        record = clinical.GetPatientRequest(patient_id=self.patient.patient_id)
        log = _named(pharmacy.ListPrescriptionLogRequest, first)
        code = _named(clinical.GetQrCodeRequest, first)
        cancel = _named(clinical.CancelPrescriptionRequest, first, reason=REASON)
        no_code, no_number = pharmacy.ScanQrCodeRequest(qr_code="MC1.x"), pharmacy.LookupPrescriptionsRequest()
        no_number.reference_number = NO_NUMBER
        absent, role, over = "RESOURCE_NOT_FOUND", "ROLE_NOT_ALLOWED", "PRESCRIPTION_DISPENSED"
        return [
            Step(None, "Login", self._sign_in("x"), "signed_in", "execute", (), "INVALID_CREDENTIALS"),
            Step(self.stranger, "GetQrCode", code, "qr_code_read", "read", mine, absent),
            Step(self.other_doctor, "GetPrescription", self._read(first), "prescription_read", "read", mine, absent),
            Step(self.patient, "GetPatient", record, "patient_read", "read", mine, role),
            Step(self.admin, "GetPatient", record, "patient_read", "read", mine, role),
            Step(self.pharmacist, "ScanQrCode", self._scan(), "prescription_scanned", "execute", mine, over),
            Step(self.pharmacist, "ScanQrCode", no_code, "prescription_scanned", "execute", (), "QR_CODE_INVALID"),
            Step(self.other, "ListPrescriptionLog", log, "prescription_log_read", "read", mine, absent),
            Step(
                self.other,
                "LookupPrescriptions",
                no_number,
                "prescription_looked_up",
                "execute",
                (),
                "REFERENCE_NUMBER_INVALID",
            ),
            Step(self.doctor, "CancelPrescription", cancel, "prescription_cancelled", "update", mine, over),
        ]

    def _read(self, prescription: Prescription) -> Message:
        return _named(clinical.GetPrescriptionRequest, prescription)

    def _scan(self) -> Message:
        return pharmacy.ScanQrCodeRequest(qr_code=self.qr_text)

    def _sign_in(self, password: str) -> Message:
        return auth.LoginRequest(email=self.other.email, password=password)


def _named(request_type: Any, prescription: Prescription, **more: Any) -> Message:
    request: Message = request_type(prescription_id=prescription.id, **more)
    return request


@control("S48")
def test_forty_calls_leave_forty_records_without_health(actors: Actors) -> None:
    steps, records = Day(actors).steps(), Records(actors.instance)
    expected = []
    for number, step in enumerate(steps):
        face = ("grpc", "rest")[number % 2]
        answer = FACES[face](actors, RPCS[step.rpc], step.request, step.actor)
        assert (step.rpc, answer.reason) == (step.rpc, step.reason)
        expected.append(record_of(step, answer.headers["x-request-id"]))

    listed = actors.http.get("/audit", params={"pageSize": 100}, headers=actors.admin.headers).json()["data"]["entries"]
    written = records.rows()
    ids = {str(row["id"]) for row in written}
    assert len(steps) == len(expected) == 40
    assert sum(bool(step.reason) for step in steps) == 10
    assert [told(entry) for entry in reversed(listed) if entry["id"] in ids] == expected
    assert {entry["purpose"] == PURPOSES[entry.get("actorRole")] for entry in listed} == {True}
    assert [word for word in WORDS if word in repr(written)] == []
    assert re.findall(QR_TEXT, repr(written)) == []


def record_of(step: Step, request_id: str) -> tuple[Any, ...]:
    """Returns actor, method, object, kind, subject, outcome, reason and key of a stored record."""
    actor = step.actor or step.signs_in
    patients = sorted(patient.patient_id for patient in step.about)
    outcome = REFUSED[step.reason] if step.reason else "success"
    return (
        actor.user_id if actor else "",
        f"{RPCS[step.rpc].descriptor.containing_service.full_name}/{step.rpc}",
        step.event,
        step.action,
        patients,
        outcome,
        step.reason or CHANGED.get(step.rpc, ""),
        request_id,
    )


def told(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns the same fields of a record as the audit list shows them."""
    names = ("actorId", "rpc", "event", "action", "patientIds", "outcome", "reason", "requestId")
    return tuple(sorted(entry[name]) if name == "patientIds" else entry[name] for name in names)
