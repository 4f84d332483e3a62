"""Errors of second factors."""

from server.errors.accounts import Unauthenticated
from server.errors.declared import FailedPrecondition, FieldViolation, InvalidArgument, PermissionDenied
from server.errors.reasons import Reason


class SecondFactorRequired(Unauthenticated):
    """The password is right, and the account has a second factor.

    Metadata: `challenge` and `expires_at`, for completing the sign-in; `kinds`, those of the account's factors.
    """

    reason = Reason.SECOND_FACTOR_REQUIRED
    message = "Enter the code of your authenticator app."


class SecondFactorInvalid(InvalidArgument):
    """The code of the second factor is missing, wrong or used; `field` is its field by its JSON name."""

    reason = Reason.SECOND_FACTOR_INVALID
    message = "The code is missing, wrong or was used before."

    def __init__(self, field: str = "code") -> None:
        super().__init__(violations=[FieldViolation(field, self.message)])


class ChallengeInvalid(Unauthenticated):
    """The challenge of a sign-in is unknown, used or expired."""

    reason = Reason.CHALLENGE_INVALID
    message = "This sign-in has expired. Sign in again."


class StepUpRequired(PermissionDenied):
    """The account has a second factor that was not verified recently in this session."""

    reason = Reason.STEP_UP_REQUIRED
    message = "Enter a code of your second factor first."


class SecondFactorMissing(PermissionDenied):
    """The account must have a second factor and has none."""

    reason = Reason.SECOND_FACTOR_MISSING
    message = "Add a second factor to your account first."


class LastSecondFactor(FailedPrecondition):
    """Removing this factor would leave none, and the account must have one."""

    reason = Reason.LAST_SECOND_FACTOR
    message = "Add another second factor first: your account must have one."


class SecondFactorLimit(FailedPrecondition):
    """The account has the maximum number of second factors."""

    reason = Reason.SECOND_FACTOR_LIMIT
    message = "Your account has as many second factors as it can have."


class PasswordResetNeedsAdmin(FailedPrecondition):
    """The account must have a second factor and has none, and no admin has allowed a new password."""

    reason = Reason.PASSWORD_RESET_NEEDS_ADMIN
    message = "Ask an administrator to allow a new password for your account."
