"""Errors of prescriptions, QR codes and reference numbers."""

from datetime import date

from server.errors.declared import FailedPrecondition, FieldViolation, InvalidArgument
from server.errors.reasons import Reason


class QrCodeInvalid(InvalidArgument):
    """The text is not a QR code of this service, or is damaged: one error for every kind of damage."""

    reason = Reason.QR_CODE_INVALID
    message = "This is not a valid MedConnect QR code. If it is undamaged, check the keyboard setting of the scanner."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("qrCode", self.message)])


class ReferenceNumberInvalid(InvalidArgument):
    """The reference number has a wrong shape, date or check character."""

    reason = Reason.REFERENCE_NUMBER_INVALID
    message = "This is not a valid reference number."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("referenceNumber", self.message)])


class PrescriptionInState(FailedPrecondition):
    """The prescription's current `state` does not allow this."""

    reason = Reason.PRESCRIPTION_STATE
    message = "The prescription's state does not allow this."


class PrescriptionDispensed(FailedPrecondition):
    """The prescription has been dispensed in full. Metadata: `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_DISPENSED
    message = "The prescription has already been dispensed."


class PrescriptionRejected(FailedPrecondition):
    """A pharmacist has rejected the prescription. Metadata: `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_REJECTED
    message = "The prescription has been rejected."


class PrescriptionCancelled(FailedPrecondition):
    """The prescription's doctor has cancelled it. Metadata: `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_CANCELLED
    message = "The prescription has been cancelled by its doctor."


class PrescriptionExpired(FailedPrecondition):
    """The prescription has expired. Metadata: `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_EXPIRED
    message = "The prescription has expired."


class PrescriptionClosed(FailedPrecondition):
    """A pharmacist has closed the rest of the prescription. Metadata: `state`, `changed_at`."""

    reason = Reason.PRESCRIPTION_CLOSED
    message = "A pharmacy has closed the rest of the prescription."


class PrescriptionSuspended(FailedPrecondition):
    """Its doctor's licence was withdrawn or the account stolen. Metadata: `state`, `suspended_at`."""

    reason = Reason.PRESCRIPTION_SUSPENDED
    message = "The prescription is suspended and cannot be dispensed. The doctor's hospital can resume it."


class NotYetValid(FailedPrecondition):
    """The prescription cannot be dispensed before a later day. Metadata: `valid_from`."""

    reason = Reason.NOT_YET_VALID
    message = "The prescription is not valid yet."

    def __init__(self, valid_from: date) -> None:
        message = f"The prescription is not valid yet. Pharmacies can dispense it from {valid_from:%-d %B %Y}."
        super().__init__(message, valid_from=valid_from.isoformat())


class ClaimedByOther(FailedPrecondition):
    """Another pharmacy holds the claim. Metadata: `state`, `claim_expires_at`."""

    reason = Reason.CLAIMED_BY_OTHER
    message = "Another pharmacy is dispensing this prescription."


class ClaimLimitReached(FailedPrecondition):
    """The pharmacist has too many open claims, or has renewed this one too often. Metadata: `limit`, `maximum`."""

    reason = Reason.CLAIM_LIMIT_REACHED
    message = "Too many claims: dispense or release what you have claimed, or ask a colleague."


class PrescriptionClaimed(FailedPrecondition):
    """A pharmacy has claimed the prescription, so its doctor cannot cancel it.

    Metadata, for the doctor: `state`, `pharmacy_name`, `pharmacy_phone`, `claim_expires_at`.
    """

    reason = Reason.PRESCRIPTION_CLAIMED
    message = "A pharmacy is dispensing this prescription."


class QrCodeReplaced(FailedPrecondition):
    """A newer QR code was issued for the prescription."""

    reason = Reason.QR_CODE_REPLACED
    message = "A newer QR code was issued for this prescription."


class QrCodeExpired(FailedPrecondition):
    """The QR code has expired. Metadata: `expired_at`."""

    reason = Reason.QR_CODE_EXPIRED
    message = "This QR code has expired."


class PatientHasNoEmail(FailedPrecondition):
    """The patient has no email address."""

    reason = Reason.PATIENT_HAS_NO_EMAIL
    message = "The patient has no email address."
