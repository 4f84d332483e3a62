"""Who calls, and whether he may."""

from server.errors.declared import DeclaredError, FailedPrecondition, FieldViolation, InvalidArgument, PermissionDenied
from server.errors.reasons import Code, Reason
from server.errors.requests import ValidationFailed


class Unauthenticated(DeclaredError):
    """No valid access token came with the call."""

    code = Code.UNAUTHENTICATED
    reason = Reason.UNAUTHENTICATED
    message = "Sign in first."


class InvalidCredentials(Unauthenticated):
    """E-mail and password do not open an account."""

    reason = Reason.INVALID_CREDENTIALS
    message = "E-mail or password is wrong."


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is unknown, used, expired or revoked."""

    reason = Reason.REFRESH_TOKEN_INVALID
    message = "Sign in again."


class RoleNotAllowed(PermissionDenied):
    """The caller's role may not call this method."""

    reason = Reason.ROLE_NOT_ALLOWED
    message = "Your role may not do this."


class AccountNotVerified(PermissionDenied):
    """An admin has not verified the caller's licence yet."""

    reason = Reason.ACCOUNT_NOT_VERIFIED
    message = "Your licence has not been verified yet."


class EmailNotConfirmed(PermissionDenied):
    """The code of the welcome mail has not come back yet."""

    reason = Reason.EMAIL_NOT_CONFIRMED
    message = "Enter the code that was mailed to you first."


class OtpRequired(PermissionDenied):
    """The medical history is not open to this session."""

    reason = Reason.OTP_REQUIRED
    message = "The medical history opens with a code that is mailed to you."

    def __init__(self) -> None:
        super().__init__(requires_otp="true")


class EmailTaken(DeclaredError):
    """An account with this e-mail exists."""

    code = Code.ALREADY_EXISTS
    reason = Reason.EMAIL_TAKEN
    message = "An account with this e-mail exists."


class PasswordBreached(ValidationFailed):
    """A new password is among those that are tried first everywhere."""

    reason = Reason.PASSWORD_BREACHED
    message = "This password is too common."


class PasswordContext(ValidationFailed):
    """A new password holds a word that is tried first here."""

    reason = Reason.PASSWORD_CONTEXT
    message = "This password holds a word that is easily guessed."


class PasswordWrong(InvalidArgument):
    """The present password is wrong."""

    reason = Reason.PASSWORD_WRONG
    message = "The current password is wrong."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("currentPassword", self.message)])


class OtpInvalid(InvalidArgument):
    """Wrong, used, too old, tried too often, or nobody's: one error for all."""

    reason = Reason.OTP_INVALID
    message = "The code is wrong or no longer valid."

    def __init__(self) -> None:
        super().__init__(violations=[FieldViolation("otpCode", self.message)])


class OwnAccount(FailedPrecondition):
    """The caller would close the account he acts with."""

    reason = Reason.OWN_ACCOUNT
    message = "Nobody can deactivate their own account."


class LastAdmin(FailedPrecondition):
    """No admin would be left."""

    reason = Reason.LAST_ADMIN
    message = "The last administrator cannot be deactivated."
