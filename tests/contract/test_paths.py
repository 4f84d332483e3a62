"""Every RPC of the domain page is served at its path, and rejects calls without a token or fields."""

from typing import Final

from tests.contract.shapes import REQUEST_ID
from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells
from tests.rpc.methods import RPCS

PATHS: Final = {
    "Register": "POST /auth/register",
    "Login": "POST /auth/login",
    "RefreshToken": "POST /auth/refresh",
    "Logout": "POST /auth/logout",
    "ListSessions": "GET /auth/sessions",
    "EndSession": "POST /auth/sessions/{session_id}/end",
    "EndOtherSessions": "POST /auth/sessions/end-others",
    "ForgotPassword": "POST /auth/forgot-password",
    "ResetPassword": "POST /auth/reset-password",
    "ChangePassword": "PUT /auth/change-password",
    "GetCurrentUser": "GET /auth/profile",
    "UpdateCurrentUser": "PUT /auth/profile",
    "ConfirmEmail": "POST /auth/confirm-email",
    "UndoEmailChange": "POST /auth/undo-email-change",
    "CreateUser": "POST /users",
    "ListUsers": "GET /users",
    "GetUser": "GET /users/{user_id}",
    "VerifyUser": "PUT /users/{user_id}/verify",
    "DeactivateUser": "PUT /users/{user_id}/deactivate",
    "ReactivateUser": "PUT /users/{user_id}/reactivate",
    "ListUserSessions": "GET /users/{user_id}/sessions",
    "EndUserSessions": "POST /users/{user_id}/sessions/end",
    "CompleteSignIn": "POST /auth/login/complete",
    "GetSecondFactors": "GET /auth/second-factors",
    "EnrolTotp": "POST /auth/second-factors/totp",
    "ConfirmTotp": "POST /auth/second-factors/{factor_id}/confirm",
    "RemoveSecondFactor": "POST /auth/second-factors/{factor_id}/remove",
    "RenewRecoveryCodes": "POST /auth/second-factors/recovery-codes",
    "VerifySecondFactor": "POST /auth/second-factors/verify",
    "ResetSecondFactors": "POST /users/{user_id}/second-factors/reset",
    "CreateOrganisation": "POST /organisations",
    "ListOrganisations": "GET /organisations",
    "GetOrganisation": "GET /organisations/{organisation_id}",
    "UpdateOrganisation": "PUT /organisations/{organisation_id}",
    "CloseOrganisation": "POST /organisations/{organisation_id}/close",
    "ListMembers": "GET /organisations/{organisation_id}/members",
    "AddMember": "POST /organisations/{organisation_id}/members",
    "ChangeMemberRight": "PUT /organisations/{organisation_id}/members/{user_id}/right",
    "EndMembership": "POST /organisations/{organisation_id}/members/{user_id}/end",
    "ListMyMemberships": "GET /auth/memberships",
    "ChooseOrganisation": "POST /auth/memberships/{organisation_id}/choose",
    "ListAuditRecords": "GET /audit",
    "GetKeySet": "GET /auth/jwks",
    "ListPatients": "GET /doctors/patients",
    "CreatePatient": "POST /doctors/patients",
    "GetPatient": "GET /doctors/patients/{patient_id}",
    "UpdatePatient": "PUT /doctors/patients/{patient_id}",
    "IdentifyPatient": "POST /doctors/patients/{patient_id}/identification",
    "BindPatientEmail": "POST /doctors/patients/{patient_id}/email",
    "DetachPatientEmail": "POST /doctors/patients/{patient_id}/email/detach",
    "CreatePrescription": "POST /doctors/prescriptions",
    "ListPrescriptions": "GET /doctors/prescriptions",
    "GetPrescription": "GET /doctors/prescriptions/{prescription_id}",
    "ResumePrescription": "POST /doctors/prescriptions/{prescription_id}/resume",
    "CancelPrescription": "POST /doctors/prescriptions/{prescription_id}/cancel",
    "CreateMedicalVisit": "POST /doctors/medical-visits",
    "ListMedicalVisits": "GET /doctors/medical-visits",
    "GetProfile": "GET /patients/profile",
    "UpdateProfile": "PUT /patients/profile",
    "ListMyPrescriptions": "GET /patients/prescriptions",
    "RequestHistoryAccess": "POST /patients/medical-history/otp",
    "ConfirmHistoryAccess": "POST /patients/medical-history/confirm",
    "GetMedicalHistory": "GET /patients/medical-history",
    "GetPatientHistory": "GET /doctors/patients/{patient_id}/medical-history",
    "ListRecordVersions": "GET /doctors/patients/{patient_id}/versions",
    "ListMyRecordVersions": "GET /patients/profile/versions",
    "GetQrCode": "GET /qr-codes/{prescription_id}",
    "GetQrCodeImage": "GET /qr-codes/{prescription_id}/image",
    "ReissueQrCode": "POST /qr-codes/{prescription_id}/reissue",
    "SendPrescriptionEmail": "POST /qr-codes/email/{prescription_id}",
    "ListAccessLog": "GET /patients/access-log",
    "ScanQrCode": "POST /pharmacy/scan",
    "LookupPrescriptions": "POST /pharmacy/lookup",
    "ValidatePrescription": "POST /pharmacy/validate/{prescription_id}",
    "DispensePrescription": "POST /pharmacy/dispense/{prescription_id}",
    "RejectPrescription": "POST /pharmacy/reject/{prescription_id}",
    "ClosePrescription": "POST /pharmacy/close/{prescription_id}",
    "ReleasePrescription": "POST /pharmacy/release/{prescription_id}",
    "EndClaim": "POST /pharmacy/end-claim/{prescription_id}",
    "ListDispensingHistory": "GET /pharmacy/history",
    "ListPrescriptionLog": "GET /pharmacy/logs/{prescription_id}",
    "GetDispensingSummary": "GET /pharmacy/dispensing-summary/{prescription_id}",
    "GetEmailQueueStatus": "GET /events/email-queue/status",
    "WatchEmailQueueStatus": "GET /events/email-queue/status/stream",
    "WatchEmails": "GET /events/emails/stream",
    "ListEmails": "GET /events/emails",
    "RetryEmail": "POST /events/emails/{email_id}/retry",
    "ClearCompletedEmails": "POST /events/email-queue/clear-completed",
    "EmitTestEvent": "POST /events/test",
    "GetRateLimitUsage": "GET /events/rate-limits",
}
"""The domain page's table of paths."""
TAKES_STRANGERS: Final = {"Register": 400, "Login": 400, "RefreshToken": 400, "ForgotPassword": 400} | {
    "CompleteSignIn": 400,
    "ResetPassword": 400,
    "UndoEmailChange": 400,
    "GetKeySet": 200,
}
"""The status of a call without token and body; of every other method it is 401."""


def test_the_protos_have_the_contracts_methods_and_no_others() -> None:
    assert {name: f"{rpc.verb} {rpc.path}" for name, rpc in RPCS.items()} == PATHS


@cells("name", PATHS)
def test_every_method_is_served_at_its_path(actors: Actors, name: str) -> None:
    method, path = PATHS[name].split(" ")
    filled = path.replace("{", "").replace("}", "")
    answer = actors.http.request(method, filled, json=None if method == "GET" else {})
    assert answer.status_code == TAKES_STRANGERS.get(name, 401), answer.text
    assert answer.headers["x-request-id"] == REQUEST_ID
    assert answer.headers["x-ratelimit-limit"].isdecimal()
