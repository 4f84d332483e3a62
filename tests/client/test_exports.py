"""Pins the public API: the names that users depend on change only deliberately."""

import inspect

import medconnect_client
from medconnect_client import _failure, errors, models

from tests.fixtures.cells import cells

FACE = """
AsyncClaim AsyncClient Claim Client Clock DispenseLine MedConnectError MemoryTokens Progress RetryPolicy Tls TokenStore
Tokens errors models packages
"""
MODELS = """
AllergiesAsked AllergyStatus IdentificationDocument PatientAssurance PatientIdentification
EmailDetachReason EmailDetachment Member MemberRight Membership NewOrganisation Organisation OrganisationChanges
OrganisationKind
AccessLogEntry AccountChanges AccountDetails AuditRecord ConfirmedTotp DeactivationReason
DispensedLine DispenseLine Dispensing DispensingHistoryEntry Email EmailChange EmailQueueStatus EmailStatus EndedClaim
EndSessionsReason FoundPrescription
FoundPrescriptions Gender HistoryEntry JsonWebKey LogEntry LookAlikes MedicalVisit NewAccount NewPatient NewPrescription
NewPrescriptionItem NewTotp NewVisit OpenSession Patient PatientChanges PatientEmailStatus PatientHistoryEntry
PatientPrescription PatientProfile PatientRecord PatientSummary PharmacyAction PharmacyPrescription Prescription
PrescriptionItem PrescriptionStatus ProfileChanges QrCode QrCodeInfo QuantityUnit QueuedMail RateLimit RateLimitBucket
RateLimitUsage Receipt RecordVersion Role SecondFactor SecondFactorKind SecondFactors User UserStatus Validation
VisitType VitalSigns WatchedEmail
"""
ERRORS = """
Aborted AccountNotVerified AlreadyExists ClaimedByOther DeadlineExceeded EmailExpired
EmailLimitExceeded EmailNotConfirmed EmailNotFailed EmailTaken FailedPrecondition Failure FieldViolation
IdempotencyKeyReused InternalError InvalidArgument InvalidCredentials LicenseTaken MedConnectError NotFound
NotYetValid OtpInvalid OtpRequired PasswordBreached PasswordContext PasswordWrong PatientHasNoEmail
PermissionDenied PrescriptionCancelled PrescriptionClaimed PrescriptionClosed PrescriptionDispensed PrescriptionExpired
PrescriptionRejected PrescriptionState QrCodeExpired QrCodeInvalid QrCodeReplaced
RateLimitExceeded RecipientDeactivated ReferenceNumberInvalid RefreshTokenInvalid RequestInProgress ResourceExhausted
RoleNotAllowed SecondFactorInvalid SecondFactorRequired SlowConsumer StepUpRequired
TooManyStreams Unauthenticated Unavailable ValidationFailed VersionConflict
"""
CLIENT = "auth clinical close complete_sign_in events organisations pharmacy second_factors sign_in sign_out signed_in"
SERVICES = {
    "auth": "audit_records change_password confirm_email create_user current_user deactivate_user end_other_sessions "
    "end_session end_user_sessions forgot_password key_set look_alikes reactivate_user register reset_password "
    "sessions undo_email_change update_current_user user user_sessions users verify_user",
    "second_factors": "confirm_totp current enrol_totp remove renew_recovery_codes reset verify",
    "organisations": "add_member change_right choose close create end_membership get list members own update",
    "clinical": "access_log bind_patient_email cancel_prescription confirm_history_access create_patient "
    "create_prescription create_visit detach_patient_email existing_conditions medical_history my_prescriptions "
    "identify_patient my_record_versions patient patient_history patients prescription prescriptions profile qr_code "
    "qr_code_image record_versions reissue_qr_code request_history_access resume_prescription send_prescription_email "
    "update_patient update_profile visits",
    "pharmacy": "claim close dispense end_claim history log lookup receipt reject release scan validate",
    "events": "clear_completed_emails email_queue emails emit_test_event rate_limit_usage retry_email "
    "watch_email_queue watch_emails",
}


def names(of: object) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


def own_classes(module: object) -> set[str]:
    found = inspect.getmembers(module, inspect.isclass)
    return {name for name, kind in found if kind.__module__ == getattr(module, "__name__", "")}


def test_exported_names_are_pinned() -> None:
    assert set(medconnect_client.__all__) == set(FACE.split())
    assert all(hasattr(medconnect_client, name) for name in medconnect_client.__all__)


def test_the_models_and_the_errors() -> None:
    assert set(models.__all__) == set(MODELS.split())
    assert own_classes(errors) | own_classes(_failure) == set(ERRORS.split())


async def test_the_client_and_its_services() -> None:
    client = medconnect_client.AsyncClient("127.0.0.1:1")
    assert names(client) == set(CLIENT.split())
    for service, methods in SERVICES.items():
        assert names(getattr(client, service)) == set(methods.split()), service
    await client.close()


@cells("name", [*FACE.split(), *(f"models.{n}" for n in MODELS.split())])
def test_every_public_name_is_documented(name: str) -> None:
    documented: object = medconnect_client
    for part in name.split("."):
        documented = getattr(documented, part)
    own = inspect.getdoc(documented)
    assert own
    assert not own.startswith(f"{name.rpartition('.')[2]}("), "a dataclass' signature is no documentation"
    for member in names(documented):
        value = getattr(documented, member)
        if inspect.isfunction(value) or isinstance(value, property):
            assert inspect.getdoc(value), f"{name}.{member}"
