"""Audit events, in the terms of FHIR AuditEvent and IHE BALP.

The names are those of `AuditEvent` in `medconnect/options/v1/audit.proto`, where each is described.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, Self

from server.identity import Role


class Action(StrEnum):
    """The kind of an event (FHIR audit-event-action)."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(IntEnum):
    """The outcome of an event (FHIR audit-event-outcome)."""

    SUCCESS = 0
    FAILURE = 4
    """Rejected for its content or the current state: a wrong code or password, a prescription in another state."""
    DENIED = 8
    """The caller is not permitted to do this, or may not see the object that they named."""
    FAULT = 12
    """An error of the service."""


class AuditEvent(StrEnum):
    """An event of the audit, with its action."""

    action: Action

    def __new__(cls, word: str, action: Action) -> Self:
        """Creates a member whose value is the name, with the action as an attribute."""
        event = str.__new__(cls, word)
        event._value_ = word
        event.action = action
        return event

    ACCOUNT_REGISTERED = "account_registered", Action.CREATE
    SIGNED_IN = "signed_in", Action.EXECUTE
    SIGNED_OUT = "signed_out", Action.EXECUTE
    REFRESH_TOKEN_REUSED = "refresh_token_reused", Action.EXECUTE
    PASSWORD_RESET_REQUESTED = "password_reset_requested", Action.EXECUTE
    PASSWORD_RESET = "password_reset", Action.UPDATE
    PASSWORD_CHANGED = "password_changed", Action.UPDATE
    ACCOUNT_CREATED = "account_created", Action.CREATE
    ACCOUNTS_LISTED = "accounts_listed", Action.READ
    ACCOUNT_READ = "account_read", Action.READ
    ACCOUNT_VERIFIED = "account_verified", Action.UPDATE
    ACCOUNT_DEACTIVATED = "account_deactivated", Action.UPDATE
    ACCOUNT_REACTIVATED = "account_reactivated", Action.UPDATE
    AUDIT_READ = "audit_read", Action.READ
    PATIENTS_LISTED = "patients_listed", Action.READ
    PATIENT_CREATED = "patient_created", Action.CREATE
    PATIENT_READ = "patient_read", Action.READ
    PATIENT_UPDATED = "patient_updated", Action.UPDATE
    VISIT_CREATED = "visit_created", Action.CREATE
    VISITS_LISTED = "visits_listed", Action.READ
    PRESCRIPTION_CREATED = "prescription_created", Action.CREATE
    PRESCRIPTIONS_LISTED = "prescriptions_listed", Action.READ
    PRESCRIPTION_READ = "prescription_read", Action.READ
    PRESCRIPTION_CANCELLED = "prescription_cancelled", Action.UPDATE
    QR_CODE_READ = "qr_code_read", Action.READ
    QR_CODE_REISSUED = "qr_code_reissued", Action.UPDATE
    PRESCRIPTION_MAILED = "prescription_mailed", Action.EXECUTE
    ACCESS_LOG_READ = "access_log_read", Action.READ
    PRESCRIPTION_SCANNED = "prescription_scanned", Action.EXECUTE
    PRESCRIPTION_LOOKED_UP = "prescription_looked_up", Action.EXECUTE
    PRESCRIPTION_VALIDATED = "prescription_validated", Action.UPDATE
    PRESCRIPTION_DISPENSED = "prescription_dispensed", Action.UPDATE
    PRESCRIPTION_REJECTED = "prescription_rejected", Action.UPDATE
    PRESCRIPTION_RELEASED = "prescription_released", Action.UPDATE
    DISPENSING_HISTORY_READ = "dispensing_history_read", Action.READ
    PRESCRIPTION_LOG_READ = "prescription_log_read", Action.READ
    RECEIPT_READ = "receipt_read", Action.READ
    ACCOUNT_UPDATED = "account_updated", Action.UPDATE
    EMAIL_CONFIRMED = "email_confirmed", Action.UPDATE
    HISTORY_ACCESS_REQUESTED = "history_access_requested", Action.EXECUTE
    HISTORY_OPENED = "history_opened", Action.EXECUTE
    HISTORY_READ = "history_read", Action.READ
    KEYS_CHANGED = "keys_changed", Action.UPDATE
    EMAIL_RETRIED = "email_retried", Action.UPDATE
    EMAILS_CLEARED = "emails_cleared", Action.DELETE
    TEST_EVENT_EMITTED = "test_event_emitted", Action.EXECUTE
    ACCESS_DENIED = "access_denied", Action.EXECUTE
    SESSION_ENDED = "session_ended", Action.EXECUTE
    OTHER_SESSIONS_ENDED = "other_sessions_ended", Action.EXECUTE
    ACCOUNT_SESSIONS_LISTED = "account_sessions_listed", Action.READ
    ACCOUNT_SESSIONS_ENDED = "account_sessions_ended", Action.UPDATE
    SECOND_FACTOR_ENROLMENT_STARTED = "second_factor_enrolment_started", Action.EXECUTE
    SECOND_FACTOR_ADDED = "second_factor_added", Action.UPDATE
    SECOND_FACTOR_REMOVED = "second_factor_removed", Action.UPDATE
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed", Action.UPDATE
    SECOND_FACTOR_VERIFIED = "second_factor_verified", Action.EXECUTE
    ACCOUNT_SECOND_FACTORS_RESET = "account_second_factors_reset", Action.UPDATE
    RECORD_VERSIONS_READ = "record_versions_read", Action.READ
    PATIENT_EMAIL_BOUND = "patient_email_bound", Action.UPDATE
    PATIENT_EMAIL_DETACHED = "patient_email_detached", Action.UPDATE
    PATIENT_EMAIL_DETACH_REQUESTED = "patient_email_detach_requested", Action.EXECUTE
    EMAIL_CHANGE_UNDONE = "email_change_undone", Action.UPDATE
    CLAIM_ENDED = "claim_ended", Action.UPDATE
    PRESCRIPTION_RESUMED = "prescription_resumed", Action.UPDATE
    PATIENT_IDENTIFIED = "patient_identified", Action.UPDATE
    ORGANISATION_CREATED = "organisation_created", Action.CREATE
    ORGANISATION_UPDATED = "organisation_updated", Action.UPDATE
    ORGANISATION_CLOSED = "organisation_closed", Action.UPDATE
    MEMBERS_LISTED = "members_listed", Action.READ
    MEMBER_ADDED = "member_added", Action.UPDATE
    MEMBER_RIGHT_CHANGED = "member_right_changed", Action.UPDATE
    MEMBERSHIP_ENDED = "membership_ended", Action.UPDATE
    ORGANISATION_CHOSEN = "organisation_chosen", Action.EXECUTE
    ORGANISATION_READ = "organisation_read", Action.READ
    PRESCRIPTION_CLOSED = "prescription_closed", Action.UPDATE


REPLAYED: Final = "idempotent-replayed"
"""The reason in the record of a repeated call that got its stored response."""

PURPOSES: Final[Mapping[Role, str]] = {
    Role.PATIENT: "PATRQT",
    Role.DOCTOR: "TREAT",
    Role.PHARMACIST: "TREAT",
    Role.ADMIN: "HSYSADMIN",
}
"""The purpose of use by role (HL7 v3 PurposeOfUse); the service has one purpose for each role."""
