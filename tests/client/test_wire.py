"""Models and messages have the same fields, and values keep their meaning between them."""

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import audit_record_pb2, organisation_pb2, second_factor_pb2, session_pb2, user_pb2
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import (
    access_log_pb2,
    allergies_pb2,
    email_detachment_pb2,
    history_pb2,
    identification_pb2,
    patient_pb2,
    prescription_pb2,
    quantity_pb2,
    record_version_pb2,
    visit_pb2,
)
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.events.v1 import email_pb2, rate_limit_pb2
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import dispensing_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from medconnect_client import models
from medconnect_client._wire import filled, read

from tests.fixtures.cells import cells

TOKENS = {"access_token", "refresh_token", "expires_at", "idle_seconds"}
PAIRS: list[tuple[type, type[Message], set[str]]] = [
    (models.User, user_pb2.User, set()),
    (models.LookAlikes, user_pb2.LookAlikes, set()),
    (models.PatientRecord, user_pb2.PatientRecord, set()),
    (models.NewAccount, auth.RegisterResponse, TOKENS),
    (models.NewAccount, auth.CreateUserResponse, set()),
    (models.AccountDetails, auth.RegisterRequest, set()),
    (models.AccountDetails, auth.CreateUserRequest, set()),
    (models.JsonWebKey, auth.JsonWebKey, set()),
    (models.PatientSummary, patient_pb2.PatientSummary, set()),
    (models.PatientProfile, patient_pb2.PatientProfile, set()),
    (models.Patient, patient_pb2.Patient, set()),
    (models.EmailDetachment, email_detachment_pb2.EmailDetachment, set()),
    (models.AllergiesAsked, allergies_pb2.AllergiesAsked, set()),
    (models.PatientIdentification, identification_pb2.PatientIdentification, set()),
    (models.NewPatient, clinical.CreatePatientRequest, set()),
    (models.PatientChanges, clinical.UpdatePatientRequest, {"patient_id"}),
    (models.ProfileChanges, clinical.UpdateProfileRequest, set()),
    (models.PrescriptionItem, prescription_pb2.PrescriptionItem, set()),
    (models.QrCodeInfo, prescription_pb2.QrCodeInfo, set()),
    (models.QrCode, clinical.GetQrCodeResponse, set()),
    (models.PatientPrescription, prescription_pb2.PatientPrescription, set()),
    (models.Prescription, prescription_pb2.Prescription, set()),
    (models.QueuedMail, clinical.SendPrescriptionEmailResponse, set()),
    (models.NewPrescriptionItem, clinical.NewPrescriptionItem, set()),
    (models.NewPrescription, clinical.CreatePrescriptionRequest, set()),
    (models.VitalSigns, visit_pb2.VitalSigns, set()),
    (models.MedicalVisit, visit_pb2.MedicalVisit, set()),
    (models.NewVisit, clinical.CreateMedicalVisitRequest, set()),
    (models.PharmacyPrescription, dispensing_pb2.PharmacyPrescription, set()),
    (models.FoundPrescription, dispensing_pb2.FoundPrescription, set()),
    (models.FoundPrescription, pharmacy.ScanQrCodeResponse, set()),
    (models.Validation, pharmacy.ValidatePrescriptionResponse, set()),
    (models.DispenseLine, pharmacy.DispenseLine, set()),
    (models.Dispensing, pharmacy.DispensePrescriptionResponse, set()),
    (models.EndedClaim, pharmacy.EndClaimResponse, set()),
    (models.DispensedLine, dispensing_pb2.DispensedLine, set()),
    (models.DispensingHistoryEntry, dispensing_pb2.DispensingHistoryEntry, set()),
    (models.LogEntry, dispensing_pb2.PrescriptionLogEntry, set()),
    (models.Receipt, pharmacy.GetDispensingSummaryResponse, set()),
    (models.AuditRecord, audit_record_pb2.AuditRecord, set()),
    (models.AccessLogEntry, access_log_pb2.AccessLogEntry, set()),
    (models.AccountChanges, auth.UpdateCurrentUserRequest, set()),
    (models.HistoryEntry, history_pb2.HistoryEntry, set()),
    (models.PatientHistoryEntry, history_pb2.PatientHistoryEntry, set()),
    (models.RecordVersion, record_version_pb2.RecordVersion, set()),
    (models.RateLimitUsage, events.GetRateLimitUsageResponse, set()),
    (models.RateLimit, rate_limit_pb2.RateLimit, set()),
    (models.RateLimitBucket, rate_limit_pb2.RateLimitBucket, set()),
    (models.EmailQueueStatus, events.GetEmailQueueStatusResponse, set()),
    (models.EmailQueueStatus, events.WatchEmailQueueStatusResponse, set()),
    (models.Email, email_pb2.Email, set()),
    (models.EmailChange, email_pb2.EmailChange, set()),
    (models.WatchedEmail, events.WatchEmailsResponse, set()),
    (models.OpenSession, session_pb2.Session, set()),
    (models.Organisation, organisation_pb2.Organisation, set()),
    (models.NewOrganisation, organisation_pb2.CreateOrganisationRequest, set()),
    (models.OrganisationChanges, organisation_pb2.UpdateOrganisationRequest, {"organisation_id"}),
    (models.Member, organisation_pb2.Member, set()),
    (models.Membership, organisation_pb2.Membership, set()),
    (models.SecondFactor, second_factor_pb2.SecondFactor, set()),
    (models.SecondFactors, second_factor_pb2.GetSecondFactorsResponse, set()),
    (models.NewTotp, second_factor_pb2.EnrolTotpResponse, set()),
    (models.ConfirmedTotp, second_factor_pb2.ConfirmTotpResponse, set()),
]
ENUMS: list[tuple[type[StrEnum], Any, str]] = [
    (models.Role, access_pb2.Role, "ROLE_"),
    (models.UserStatus, user_pb2.UserStatus, "USER_STATUS_"),
    (models.Gender, patient_pb2.Gender, "GENDER_"),
    (models.QuantityUnit, quantity_pb2.QuantityUnit, "QUANTITY_UNIT_"),
    (models.PatientEmailStatus, patient_pb2.PatientEmailStatus, "PATIENT_EMAIL_STATUS_"),
    (models.AllergyStatus, allergies_pb2.AllergyStatus, "ALLERGY_STATUS_"),
    (models.PatientAssurance, identification_pb2.PatientAssurance, "PATIENT_ASSURANCE_"),
    (models.IdentificationDocument, identification_pb2.IdentificationDocument, "IDENTIFICATION_DOCUMENT_"),
    (models.EmailDetachReason, email_detachment_pb2.EmailDetachReason, "EMAIL_DETACH_REASON_"),
    (models.PrescriptionStatus, prescription_pb2.PrescriptionStatus, "PRESCRIPTION_STATUS_"),
    (models.VisitType, visit_pb2.VisitType, "VISIT_TYPE_"),
    (models.PharmacyAction, dispensing_pb2.PharmacyAction, "PHARMACY_ACTION_"),
    (models.EmailStatus, email_pb2.EmailStatus, "EMAIL_STATUS_"),
    (models.OrganisationKind, organisation_pb2.OrganisationKind, "ORGANISATION_KIND_"),
    (models.MemberRight, organisation_pb2.MemberRight, "MEMBER_RIGHT_"),
    (models.SecondFactorKind, second_factor_pb2.SecondFactorKind, "SECOND_FACTOR_KIND_"),
    (models.DeactivationReason, user_pb2.DeactivationReason, "DEACTIVATION_REASON_"),
    (models.EndSessionsReason, session_pb2.EndSessionsReason, "END_SESSIONS_REASON_"),
]
ONLY_SENT = {models.EndSessionsReason, models.DeactivationReason}
"""Enums of requests alone, which need no member for a value that a newer server sends."""


@cells(("model", "message", "other"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_model_has_the_fields_of_its_message(model: Any, message: type[Message], other: set[str]) -> None:
    assert {field.name for field in fields(model)} | other == set(message.DESCRIPTOR.fields_by_name)


def test_result_of_a_lookup_has_the_fields_of_its_message() -> None:
    own = set(models.FoundPrescriptions.__annotations__)
    assert own | {"prescriptions"} == set(pharmacy.LookupPrescriptionsResponse.DESCRIPTOR.fields_by_name)


def test_every_model_is_compared() -> None:
    compared = (
        {"FoundPrescriptions"} | {model.__name__ for model, _, _ in PAIRS} | {kind.__name__ for kind, _, _ in ENUMS}
    )
    assert compared == set(models.__all__)


@pytest.mark.parametrize(("kind", "wire", "prefix"), ENUMS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_enum_has_the_words_of_its_wire_enum(kind: type[StrEnum], wire: Any, prefix: str) -> None:
    words = {name.removeprefix(prefix).lower() for name in wire.keys()}  # noqa: SIM118 - no mapping
    unknown = set() if kind in ONLY_SENT else {"unknown"}
    assert {str(member) for member in kind} == (words - {"unspecified"}) | unknown


def test_values_keep_their_meaning() -> None:
    line = dispensing_pb2.DispensedLine(item_id="i", quantity=3, unit_price="0.10", expiry_date="2031-12-31")
    line.dispensed_at.FromJsonString("2026-12-01T10:00:00Z")
    line.line_total = "0.30"
    found = read(models.DispensedLine, line)
    assert (found.unit_price * 3, found.line_total) == (Decimal("0.30"), Decimal("0.30"))
    assert found.expiry_date == date(2031, 12, 31)
    assert found.dispensed_at == datetime(2026, 12, 1, 10, tzinfo=UTC)


def test_what_is_not_given_is_none() -> None:
    record = read(models.PatientProfile, patient_pb2.PatientProfile(full_name="A"))
    assert (record.date_of_birth, record.gender, record.allergies) == (None, None, ())
    visit = read(models.MedicalVisit, visit_pb2.MedicalVisit(visit_date="2026-12-01"))
    assert visit.vital_signs is None
    entry = read(models.DispensingHistoryEntry, dispensing_pb2.DispensingHistoryEntry())
    assert entry.total_amount is None


def test_a_word_of_a_newer_server_is_unknown() -> None:
    entry = dispensing_pb2.DispensingHistoryEntry()
    entry.MergeFromString(b"\x10\x63")  # action = 99
    assert read(models.DispensingHistoryEntry, entry).action is models.PharmacyAction.UNKNOWN


def test_a_request_is_filled_with_what_is_given_only() -> None:
    item = models.NewPrescriptionItem(medicine_name="Doxycycline", dosage="1", frequency="daily", quantity=20)
    new = models.NewPrescription(patient_id="p", diagnosis="Cough", items=(item,))
    request = filled(clinical.CreatePrescriptionRequest, new)
    assert [field.name for field, _ in request.ListFields()] == ["patient_id", "diagnosis", "items"]
    assert request.items[0].quantity == 20
    assert not request.items[0].HasField("duration_days")


def test_money_and_days_become_text_without_loss() -> None:
    line = models.DispenseLine("i", 1, Decimal("1E+2"), "B", date(2031, 1, 2))
    message = filled(pharmacy.DispenseLine, line)
    assert (message.unit_price, message.expiry_date) == ("100", "2031-01-02")


def test_a_float_is_no_price() -> None:
    line = models.DispenseLine("i", 1, 4.2, "B", date(2031, 1, 2))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        filled(pharmacy.DispenseLine, line)


def test_enums_and_repeated_enums_are_sent_by_name() -> None:
    states = (models.PrescriptionStatus.PENDING, models.PrescriptionStatus.EXPIRED)
    request = filled(clinical.ListPrescriptionsRequest, status=states, from_date=date(2026, 1, 1))
    assert list(request.status) == [1, 8]
    assert request.from_date == "2026-01-01"


def test_words_that_have_no_enum_here_are_sent_and_read_by_name() -> None:
    request = filled(auth.ListAuditRecordsRequest, event="prescription_read", role=models.Role.DOCTOR)
    record = audit_record_pb2.AuditRecord(event=request.event)
    assert read(models.AuditRecord, record).event == "prescription_read"
    for word in ("prescription_eaten", "unspecified"):
        with pytest.raises(ValueError, match=word):
            filled(auth.ListAuditRecordsRequest, event=word)
