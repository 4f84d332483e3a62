"""A valid request of every RPC, about PO and a prescription of PO."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import second_factor_pb2 as factors
from medconnect.auth.v1 import session_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import email_detachment_pb2, identification_pb2, patient_pb2, visit_pb2
from medconnect.clinical.v1 import patient_email_service_pb2 as patient_emails
from medconnect.clinical.v1 import patient_identity_service_pb2 as identity
from medconnect.clinical.v1 import suspension_service_pb2 as suspension
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.rpc.organisation_requests import ABOUT_ORGANISATIONS
from tests.rpc.signed_in_stage import PART, Prescription, SignedInStage, dispense_line

REASON: Final = "Not what was meant"
NO_CODE: Final = "000000"
NOBODYS: Final = "0193d1c0-0000-7000-8000-000000000000"
"""An id that no factor has."""


def request_for(
    stage: SignedInStage, rpc: str, prescription: Prescription | None, actor: Actor | None = None
) -> Message:
    """Returns a request of an RPC, about this prescription if it is about one, with a code if the actor needs one."""
    if rpc in _WITH_CODE:
        request_type, issue = _WITH_CODE[rpc]
        return request_type(otp_code=NO_CODE if actor is None else issue(stage.actors, actor))
    if prescription is None:
        return _ABOUT_PEOPLE[rpc](stage)
    return _ABOUT_PRESCRIPTIONS[rpc](stage, prescription)


def _named(request_type: Callable[..., Message], **more: Any) -> Callable[[SignedInStage, Prescription], Message]:
    return lambda _, prescription: request_type(prescription_id=prescription.id, **more)


def _plain(request_type: Callable[..., Message], **fields: Any) -> Callable[[SignedInStage], Message]:
    return lambda _: request_type(**fields)


def _create_patient(_: SignedInStage) -> Message:
    gender = patient_pb2.GENDER_FEMALE
    email = new_email()
    return clinical.CreatePatientRequest(email=email, full_name="Nora New", date_of_birth="1990-05-01", gender=gender)


def _create_visit(stage: SignedInStage) -> Message:
    return clinical.CreateMedicalVisitRequest(
        patient_id=stage["PO"].patient_id,
        visit_date="2026-01-06",
        visit_type=visit_pb2.VISIT_TYPE_FOLLOW_UP,
        chief_complaint="Still coughing",
    )


def _create_prescription(stage: SignedInStage, visit_id: str | None = None) -> Message:
    medicine = clinical.NewPrescriptionItem(medicine_name="Codeine", dosage="15 mg", frequency="at night", quantity=5)
    patient_id = stage["PO"].patient_id
    return clinical.CreatePrescriptionRequest(
        patient_id=patient_id, diagnosis="Cough", items=[medicine], visit_id=visit_id
    )


def _dispense(_: SignedInStage, prescription: Prescription) -> Message:
    lines = [dispense_line(prescription, PART)]
    return pharmacy.DispensePrescriptionRequest(prescription_id=prescription.id, items=lines)


def _list_history(stage: SignedInStage, prescription: Prescription) -> Message:
    """Makes the prescription the newest of HC's history, which is longer than a page."""
    stage.scan(prescription, stage["HC"])
    return pharmacy.ListDispensingHistoryRequest(page_size=100)


def _reset_password(stage: SignedInStage) -> Message:
    """Uses a new account, because an account is sent ten codes a day."""
    actor = stage.actors.new_patient()
    code = stage.actors.reset_code(actor)
    return auth.ResetPasswordRequest(email=actor.email, otp_code=code, new_password=PASSWORD)


def _complete_sign_in(stage: SignedInStage) -> Message:
    """Uses a new account, because no actor has a second factor."""
    actor = stage.actors.new_patient()
    challenge = stage.actors.challenge(actor)
    return factors.CompleteSignInRequest(challenge=challenge, code=stage.actors.recovery_code(actor))


def _verify_second_factor(*, otp_code: str) -> Message:
    return factors.VerifySecondFactorRequest(code=otp_code)


def _verify_user(stage: SignedInStage) -> Message:
    """Uses a new account, so that UP stays unverified."""
    return auth.VerifyUserRequest(user_id=stage.actors.new_unverified(access_pb2.ROLE_DOCTOR).user_id)


def _record(stage: SignedInStage, email: str | None = None) -> str:
    """Returns the id of a new record, with the email address if one is given."""
    request = clinical.CreatePatientRequest(
        email=email, full_name="Nora New", date_of_birth="1990-05-01", gender=patient_pb2.GENDER_FEMALE
    )
    return stage.actors.clinical.CreatePatient(request, metadata=stage["DO"].metadata).patient.id


_ABOUT_PEOPLE: Final[Mapping[str, Callable[[SignedInStage], Message]]] = {
    "Register": lambda _: auth.RegisterRequest(email=new_email(), password=PASSWORD, full_name="Nils New"),
    "Login": lambda stage: auth.LoginRequest(email=stage.lodger.email, password=PASSWORD),
    "RefreshToken": lambda stage: auth.RefreshTokenRequest(refresh_token=stage.another_session(stage.lodger)[1]),
    "Logout": _plain(auth.LogoutRequest),
    "ListSessions": _plain(auth.ListSessionsRequest),
    "EndSession": lambda stage: auth.EndSessionRequest(
        session_id=stage.actors.session_id(stage.another_session(stage["PO"])[0])
    ),
    "EndOtherSessions": _plain(auth.EndOtherSessionsRequest),
    "GetCurrentUser": _plain(auth.GetCurrentUserRequest),
    "UpdateCurrentUser": _plain(auth.UpdateCurrentUserRequest, phone="+49 30 4711"),
    "ForgotPassword": lambda stage: auth.ForgotPasswordRequest(email=stage.lodger.email),
    "ResetPassword": _reset_password,
    "UndoEmailChange": lambda stage: auth.UndoEmailChangeRequest(token=stage.actors.undo_token()),
    "ChangePassword": _plain(auth.ChangePasswordRequest, current_password=PASSWORD, new_password=PASSWORD),
    "GetKeySet": _plain(auth.GetKeySetRequest),
    "GetUser": lambda stage: auth.GetUserRequest(user_id=stage["PO"].user_id),
    "DeactivateUser": lambda stage: auth.DeactivateUserRequest(user_id=stage.actors.new_patient().user_id),
    "ReactivateUser": lambda stage: auth.ReactivateUserRequest(user_id=stage.actors.new_patient().user_id),
    "CreateUser": lambda _: auth.CreateUserRequest(
        email=new_email(), full_name="Nick New", role=access_pb2.ROLE_DOCTOR, license_number="MD-9"
    ),
    "ListUsers": _plain(auth.ListUsersRequest),
    "VerifyUser": _verify_user,
    "ListUserSessions": lambda stage: auth.ListUserSessionsRequest(user_id=stage["PO"].user_id),
    "EndUserSessions": lambda stage: auth.EndUserSessionsRequest(
        user_id=stage.actors.new_patient().user_id, reason=session_pb2.END_SESSIONS_REASON_DEVICE_LOST
    ),
    "CompleteSignIn": _complete_sign_in,
    "GetSecondFactors": _plain(factors.GetSecondFactorsRequest),
    "EnrolTotp": _plain(factors.EnrolTotpRequest, current_password=PASSWORD, label="Phone"),
    "ConfirmTotp": _plain(factors.ConfirmTotpRequest, factor_id=NOBODYS, code=NO_CODE),
    "RemoveSecondFactor": _plain(factors.RemoveSecondFactorRequest, factor_id=NOBODYS),
    "RenewRecoveryCodes": _plain(factors.RenewRecoveryCodesRequest),
    "ResetSecondFactors": lambda stage: factors.ResetSecondFactorsRequest(user_id=stage.actors.new_patient().user_id),
    **ABOUT_ORGANISATIONS,
    "ListAuditRecords": _plain(auth.ListAuditRecordsRequest),
    "ListPatients": lambda stage: clinical.ListPatientsRequest(search=stage.reference_number),
    "CreatePatient": _create_patient,
    "GetPatient": lambda stage: clinical.GetPatientRequest(patient_id=stage["PO"].patient_id),
    "UpdatePatient": lambda stage: clinical.UpdatePatientRequest(
        patient_id=stage["PO"].patient_id, address="1 New Street"
    ),
    "IdentifyPatient": lambda stage: identity.IdentifyPatientRequest(
        patient_id=_record(stage), document=identification_pb2.IDENTIFICATION_DOCUMENT_PASSPORT
    ),
    "BindPatientEmail": lambda stage: patient_emails.BindPatientEmailRequest(
        patient_id=_record(stage), email=new_email()
    ),
    "DetachPatientEmail": lambda stage: patient_emails.DetachPatientEmailRequest(
        patient_id=_record(stage, email=new_email()), reason=email_detachment_pb2.EMAIL_DETACH_REASON_WRONG_ADDRESS
    ),
    "CreatePrescription": _create_prescription,
    "CreateMedicalVisit": _create_visit,
    "GetProfile": _plain(clinical.GetProfileRequest),
    "UpdateProfile": _plain(clinical.UpdateProfileRequest, address="2 New Street"),
    "RequestHistoryAccess": _plain(clinical.RequestHistoryAccessRequest),
    "GetMedicalHistory": _plain(clinical.GetMedicalHistoryRequest),
    "ListMyRecordVersions": _plain(clinical.ListMyRecordVersionsRequest),
    "GetEmailQueueStatus": _plain(events.GetEmailQueueStatusRequest),
    "WatchEmailQueueStatus": _plain(events.WatchEmailQueueStatusRequest),
    "WatchEmails": _plain(events.WatchEmailsRequest),
    "ListEmails": _plain(events.ListEmailsRequest),
    "RetryEmail": lambda stage: events.RetryEmailRequest(email_id=stage.actors.failed_mail()),
    "ClearCompletedEmails": _plain(events.ClearCompletedEmailsRequest),
    "EmitTestEvent": _plain(events.EmitTestEventRequest, event_type="prescription.created", data={"ward": "3"}),
    "GetRateLimitUsage": _plain(events.GetRateLimitUsageRequest),
}

_WITH_CODE: Final[Mapping[str, tuple[Callable[..., Message], Callable[[Actors, Actor], str]]]] = {
    "ConfirmEmail": (auth.ConfirmEmailRequest, Actors.confirmation_code),
    "VerifySecondFactor": (_verify_second_factor, Actors.recovery_code),
    "ConfirmHistoryAccess": (clinical.ConfirmHistoryAccessRequest, Actors.history_code),
}

_ABOUT_PRESCRIPTIONS: Final[Mapping[str, Callable[[SignedInStage, Prescription], Message]]] = {
    "CreatePrescription": lambda stage, _: _create_prescription(stage, visit_id=stage.visit_id),
    "ListPrescriptions": lambda stage, _: clinical.ListPrescriptionsRequest(
        patient_id=stage["PO"].patient_id, page_size=100
    ),
    "ListMedicalVisits": lambda stage, _: clinical.ListMedicalVisitsRequest(
        patient_id=stage["PO"].patient_id, page_size=100
    ),
    "ListMyPrescriptions": lambda *_: clinical.ListMyPrescriptionsRequest(page_size=100),
    "GetMedicalHistory": lambda *_: clinical.GetMedicalHistoryRequest(page_size=100),
    "GetPatientHistory": lambda stage, _: clinical.GetPatientHistoryRequest(
        patient_id=stage["PO"].patient_id, page_size=100
    ),
    "ListRecordVersions": lambda stage, _: clinical.ListRecordVersionsRequest(patient_id=stage["PO"].patient_id),
    "ListMyRecordVersions": lambda *_: clinical.ListMyRecordVersionsRequest(page_size=100),
    "ListAccessLog": lambda *_: clinical.ListAccessLogRequest(page_size=100),
    "GetPrescription": _named(clinical.GetPrescriptionRequest),
    "ResumePrescription": _named(suspension.ResumePrescriptionRequest),
    "CancelPrescription": _named(clinical.CancelPrescriptionRequest, reason=REASON),
    "GetQrCode": _named(clinical.GetQrCodeRequest),
    "GetQrCodeImage": _named(clinical.GetQrCodeImageRequest),
    "ReissueQrCode": _named(clinical.ReissueQrCodeRequest),
    "SendPrescriptionEmail": _named(clinical.SendPrescriptionEmailRequest),
    "ScanQrCode": lambda stage, prescription: pharmacy.ScanQrCodeRequest(qr_code=stage.qr_text(prescription)),
    "LookupPrescriptions": lambda _, prescription: pharmacy.LookupPrescriptionsRequest(
        reference_number=prescription.prescription_number
    ),
    "ValidatePrescription": _named(pharmacy.ValidatePrescriptionRequest),
    "DispensePrescription": _dispense,
    "RejectPrescription": _named(pharmacy.RejectPrescriptionRequest, reason=REASON),
    "ClosePrescription": _named(pharmacy.ClosePrescriptionRequest, reason=REASON),
    "ReleasePrescription": _named(pharmacy.ReleasePrescriptionRequest),
    "EndClaim": _named(pharmacy.EndClaimRequest),
    "ListDispensingHistory": _list_history,
    "ListPrescriptionLog": _named(pharmacy.ListPrescriptionLogRequest),
    "GetDispensingSummary": _named(pharmacy.GetDispensingSummaryRequest),
}
