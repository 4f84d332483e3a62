"""Errors of patient records and their email addresses."""

from server.errors.declared import FailedPrecondition, FieldViolation, InvalidArgument
from server.errors.reasons import Reason


class EmailBindingRequired(FailedPrecondition):
    """An update stated another email address than the record's. Metadata: `method`, the one that changes it."""

    reason = Reason.EMAIL_BINDING_REQUIRED
    message = "An update does not change the email address. Bind or detach the address instead."


class PatientHasEmail(FailedPrecondition):
    """The record has an account, so that no other address can be bound to it."""

    reason = Reason.PATIENT_HAS_EMAIL
    message = "The record has an email address already. Detach it first."


class PatientNotIdentified(FailedPrecondition):
    """No member of staff has identified the person of a record: another person may have registered with the name."""

    reason = Reason.PATIENT_NOT_IDENTIFIED
    message = "This person registered by themselves and has not been identified. Check an identity document first."


class EmailUndoInvalid(InvalidArgument):
    """The token that undoes a change of the address is unknown, used or expired: one error for all cases."""

    reason = Reason.EMAIL_UNDO_INVALID
    message = "This link is wrong, was used already, or is older than 72 hours."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("token", self.message)])
