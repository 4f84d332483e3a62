"""Errors of authentication, authorization and accounts."""

from uuid import UUID

from server.errors.declared import DeclaredError, FailedPrecondition, FieldViolation, InvalidArgument, PermissionDenied
from server.errors.reasons import Code, Reason
from server.errors.requests import ValidationFailed


class Unauthenticated(DeclaredError):
    """The call has no valid access token."""

    code = Code.UNAUTHENTICATED
    reason = Reason.UNAUTHENTICATED
    message = "Sign in first."


class InvalidCredentials(Unauthenticated):
    """The email address and password do not match an account."""

    reason = Reason.INVALID_CREDENTIALS
    message = "Email or password is wrong."


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is unknown, used, expired or revoked."""

    reason = Reason.REFRESH_TOKEN_INVALID
    message = "Sign in again."


class RoleNotAllowed(PermissionDenied):
    """The caller's role may not call this method."""

    reason = Reason.ROLE_NOT_ALLOWED
    message = "Your role may not do this."


class AccountNotVerified(PermissionDenied):
    """An admin has not verified the caller's licence and workplace yet."""

    reason = Reason.ACCOUNT_NOT_VERIFIED
    message = "Your licence and workplace have not been verified yet."


class SecondAdminRequired(PermissionDenied):
    """The caller created the account, and another active admin must verify it."""

    reason = Reason.SECOND_ADMIN_REQUIRED
    message = "You created this account. Another administrator must verify it."


class OrganisationRequired(PermissionDenied):
    """The caller's account is a member of no pharmacy."""

    reason = Reason.ORGANISATION_REQUIRED
    message = "Your account belongs to no pharmacy. Ask an administrator to add it."


class EmailNotConfirmed(PermissionDenied):
    """The caller has not entered the code from the welcome email yet."""

    reason = Reason.EMAIL_NOT_CONFIRMED
    message = "Enter the code that was emailed to you first."


class OtpRequired(PermissionDenied):
    """The medical history is not open to this session."""

    reason = Reason.OTP_REQUIRED
    message = "To open the medical history, enter the code that is emailed to you."

    def __init__(self) -> None:
        super().__init__(requires_otp="true")


class EmailTaken(DeclaredError):
    """An account with this email address exists already."""

    code = Code.ALREADY_EXISTS
    reason = Reason.EMAIL_TAKEN
    message = "An account with this email address exists already."


class LicenseTaken(DeclaredError):
    """Another active account has this licence; only admins get this error."""

    code = Code.ALREADY_EXISTS
    reason = Reason.LICENSE_TAKEN
    message = "Another active account has this licence."

    def __init__(self, holder: UUID | None) -> None:
        super().__init__(account_id=str(holder or ""))


class PasswordBreached(ValidationFailed):
    """The new password is in the list of common passwords."""

    reason = Reason.PASSWORD_BREACHED
    message = "This password is too common."


class PasswordContext(ValidationFailed):
    """The new password contains a word that is easy to guess for this account or service."""

    reason = Reason.PASSWORD_CONTEXT
    message = "This password contains a word that is easy to guess."


class PasswordWrong(InvalidArgument):
    """The current password is wrong."""

    reason = Reason.PASSWORD_WRONG
    message = "The current password is wrong."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("currentPassword", self.message)])


class OtpInvalid(InvalidArgument):
    """The code is wrong, used, expired or tried too often, or its account does not exist: one error for all cases."""

    reason = Reason.OTP_INVALID
    message = "The code is wrong or no longer valid."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("otpCode", self.message)])


class OwnAccount(FailedPrecondition):
    """Callers cannot deactivate their own account."""

    reason = Reason.OWN_ACCOUNT
    message = "You cannot deactivate your own account."


class LastAdmin(FailedPrecondition):
    """Deactivating this account would leave no active admin."""

    reason = Reason.LAST_ADMIN
    message = "The last administrator cannot be deactivated."


class OrganisationExists(DeclaredError):
    """An open organisation of this kind has the same name and address."""

    code = Code.ALREADY_EXISTS
    reason = Reason.ORGANISATION_EXISTS
    message = "There is an organisation with this name and address already."


class OrganisationClosed(FailedPrecondition):
    """The organisation was closed."""

    reason = Reason.ORGANISATION_CLOSED
    message = "The organisation was closed."
