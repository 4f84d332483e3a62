"""Who calls, and whether he may."""

from server.errors.declared import DeclaredError, PermissionDenied
from server.errors.reasons import Code, Reason


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


class EmailTaken(DeclaredError):
    """An account with this e-mail exists."""

    code = Code.ALREADY_EXISTS
    reason = Reason.EMAIL_TAKEN
    message = "An account with this e-mail exists."
