"""Calls about accounts: the caller's own, and for admins those of others."""

from collections.abc import AsyncIterator
from datetime import date

from medconnect.auth.v1 import auth_service_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._session import Session
from medconnect_client._tokens import Tokens
from medconnect_client._wire import filled, read
from medconnect_client.models import (
    AccountChanges,
    AccountDetails,
    AuditRecord,
    DeactivationReason,
    EndSessionsReason,
    JsonWebKey,
    LookAlikes,
    NewAccount,
    OpenSession,
    Role,
    User,
    UserStatus,
)


class AsyncAuth:
    """The Auth service; `sign_in` and `sign_out` are methods of the client."""

    def __init__(self, calls: Calls, session: Session) -> None:
        self._calls = calls
        self._session = session

    async def register(self, account: AccountDetails) -> NewAccount:
        """Registers an account and signs it in. Raises ValidationFailed, PasswordBreached, EmailTaken."""
        answer = await self._calls.unary(filled(pb.RegisterRequest, account), pb.RegisterResponse)
        self._session.begin(read(Tokens, answer))
        return read(NewAccount, answer)

    def sessions(self) -> AsyncIterator[OpenSession]:
        """Lists the caller's own sessions, newest first."""
        return self._calls.listed(pb.ListSessionsRequest(), pb.ListSessionsResponse, OpenSession)

    async def end_session(self, session_id: str, *, idempotency_key: str | None = None) -> None:
        """Ends one of the caller's own sessions. Raises NotFound."""
        request = pb.EndSessionRequest(session_id=session_id)
        await self._calls.unary(request, pb.EndSessionResponse, key=idempotency_key)

    async def end_other_sessions(self, *, idempotency_key: str | None = None) -> int:
        """Ends all of the caller's own sessions but the one of this client. Returns how many."""
        answer = await self._calls.unary(pb.EndOtherSessionsRequest(), pb.EndOtherSessionsResponse, key=idempotency_key)
        return answer.ended_sessions

    async def forgot_password(self, email: str, *, client_nonce: str = "") -> None:
        """Requests an email with a code for setting a new password; does nothing if there is no such account.

        client_nonce: a random text, such as `secrets.token_urlsafe()`; the code works only with it, so pass the same
        one to `reset_password`. Without one the code is bound to the client address of this program.
        """
        request = pb.ForgotPasswordRequest(email=email, client_nonce=client_nonce or None)
        await self._calls.unary(request, pb.ForgotPasswordResponse)

    async def reset_password(
        self, email: str, otp_code: str, new_password: str, *, client_nonce: str = "", second_factor_code: str = ""
    ) -> None:
        """Sets a new password with an emailed code and ends all sessions. Raises OtpInvalid, PasswordBreached.

        client_nonce: the one that `forgot_password` was called with. second_factor_code: a code of the authenticator
        app or a recovery code, if the account has a second factor. Raises SecondFactorInvalid, FailedPrecondition.
        """
        request = pb.ResetPasswordRequest(
            email=email,
            otp_code=otp_code,
            new_password=new_password,
            client_nonce=client_nonce or None,
            second_factor_code=second_factor_code or None,
        )
        await self._calls.unary(request, pb.ResetPasswordResponse)

    async def change_password(self, current_password: str, new_password: str) -> None:
        """Sets a new password and ends the other sessions. Raises PasswordWrong, PasswordBreached."""
        request = pb.ChangePasswordRequest(current_password=current_password, new_password=new_password)
        await self._calls.unary(request, pb.ChangePasswordResponse)

    async def key_set(self) -> tuple[JsonWebKey, ...]:
        """Gets the keys that verify access tokens; a token's `kid` names its key."""
        answer = await self._calls.unary(pb.GetKeySetRequest(), pb.GetKeySetResponse)
        return tuple(read(JsonWebKey, key) for key in answer.keys)

    async def current_user(self) -> User:
        """Gets the caller's own account."""
        answer = await self._calls.unary(pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse)
        return read(User, answer.user)

    async def update_current_user(self, changes: AccountChanges) -> User:
        """Updates the given fields of the caller's account; a new address waits for its code. Raises PasswordWrong.

        A doctor or pharmacist who changes the workplace is `UserStatus.UNVERIFIED` then: an admin must verify the
        account again, and its sessions end.
        """
        answer = await self._calls.unary(filled(pb.UpdateCurrentUserRequest, changes), pb.UpdateCurrentUserResponse)
        return read(User, answer.user)

    async def confirm_email(self, otp_code: str) -> User:
        """Confirms the new email address with the code that was sent to it. Raises OtpInvalid, EmailTaken."""
        answer = await self._calls.unary(pb.ConfirmEmailRequest(otp_code=otp_code), pb.ConfirmEmailResponse)
        return read(User, answer.user)

    async def undo_email_change(self, token: str) -> None:
        """Gives an account its former address back, with the token of the email about the change.

        Raises EmailTaken, and InvalidArgument for a token that is wrong, used or expired.
        """
        await self._calls.unary(pb.UndoEmailChangeRequest(token=token), pb.UndoEmailChangeResponse)

    async def create_user(self, account: AccountDetails, *, idempotency_key: str | None = None) -> NewAccount:
        """Creates a verified account for another person (admins). Raises ValidationFailed, EmailTaken, LicenseTaken."""
        request = filled(pb.CreateUserRequest, account)
        return read(NewAccount, await self._calls.unary(request, pb.CreateUserResponse, key=idempotency_key))

    def users(
        self, *, role: Role | None = None, status: UserStatus | None = None, search: str | None = None
    ) -> AsyncIterator[User]:
        """Lists accounts, newest first (admins).

        search: an email address; or beginnings of words of the name and the last digits of a phone number.
        """
        request = filled(pb.ListUsersRequest, role=role, status=status, search=search)
        return self._calls.listed(request, pb.ListUsersResponse, User)

    async def user(self, user_id: str) -> User:
        """Gets an account (admins). Raises NotFound."""
        answer = await self._calls.unary(pb.GetUserRequest(user_id=user_id), pb.GetUserResponse)
        return read(User, answer.user)

    async def look_alikes(self, user_id: str) -> LookAlikes | None:
        """Gets what could be taken for an account that waits for verification (admins); None if nothing looks the same.

        Raises NotFound.
        """
        answer = await self._calls.unary(pb.GetUserRequest(user_id=user_id), pb.GetUserResponse)
        return read(LookAlikes, answer.look_alikes) if answer.HasField("look_alikes") else None

    async def verify_user(
        self,
        user_id: str,
        *,
        license_issuer: str | None = None,
        idempotency_key: str | None = None,
    ) -> User:
        """Verifies the licence of a doctor or pharmacist and activates the account (admins).

        license_issuer: the authority that issued the licence, as the register names it; None: as the account states it.
        Raises NotFound, and LicenseTaken if another active account has the licence.
        """
        request = filled(pb.VerifyUserRequest, user_id=user_id, license_issuer=license_issuer)
        return read(User, (await self._calls.unary(request, pb.VerifyUserResponse, key=idempotency_key)).user)

    async def deactivate_user(
        self, user_id: str, reason: DeactivationReason | None = None, *, idempotency_key: str | None = None
    ) -> User:
        """Deactivates an account and ends its sessions at once (admins); without a reason, the person left.

        For a withdrawn licence or a stolen account, the open prescriptions of a doctor are suspended. Raises NotFound,
        FailedPrecondition.
        """
        request = filled(pb.DeactivateUserRequest, user_id=user_id, reason=reason)
        return read(User, (await self._calls.unary(request, pb.DeactivateUserResponse, key=idempotency_key)).user)

    async def reactivate_user(self, user_id: str, *, idempotency_key: str | None = None) -> User:
        """Reactivates a deactivated account (admins). Raises NotFound."""
        request = pb.ReactivateUserRequest(user_id=user_id)
        return read(User, (await self._calls.unary(request, pb.ReactivateUserResponse, key=idempotency_key)).user)

    def user_sessions(self, user_id: str) -> AsyncIterator[OpenSession]:
        """Lists the sessions of an account, newest first (admins). Raises NotFound."""
        request = pb.ListUserSessionsRequest(user_id=user_id)
        return self._calls.listed(request, pb.ListUserSessionsResponse, OpenSession)

    async def end_user_sessions(
        self, user_id: str, reason: EndSessionsReason, *, idempotency_key: str | None = None
    ) -> int:
        """Ends all sessions of an account, which can sign in again (admins). Returns how many. Raises NotFound."""
        request = filled(pb.EndUserSessionsRequest, user_id=user_id, reason=reason)
        answer = await self._calls.unary(request, pb.EndUserSessionsResponse, key=idempotency_key)
        return answer.ended_sessions

    def audit_records(
        self,
        *,
        actor_id: str | None = None,
        patient_id: str | None = None,
        role: Role | None = None,
        event: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
    ) -> AsyncIterator[AuditRecord]:
        """Lists audit records, newest first (admins).

        event, action, outcome: enum values of `audit.proto` in lower case, without their prefix; ValueError is raised
        for any other. from_date, to_date: calendar days in the hospital's time zone, both included.
        """
        request = filled(
            pb.ListAuditRecordsRequest,
            actor_id=actor_id,
            patient_id=patient_id,
            role=role,
            event=event,
            action=action,
            outcome=outcome,
            from_date=from_date,
            to_date=to_date,
        )
        return self._calls.listed(request, pb.ListAuditRecordsResponse, AuditRecord)
