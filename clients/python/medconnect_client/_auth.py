"""Accounts: one's own, and what admins do with those of others."""

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
    JsonWebKey,
    NewAccount,
    Role,
    User,
    UserStatus,
)


class AsyncAuth:
    """The Auth service; signing in and out are the client's own."""

    def __init__(self, calls: Calls, session: Session) -> None:
        self._calls = calls
        self._session = session

    async def register(self, account: AccountDetails) -> NewAccount:
        """Open an account for oneself, and be signed in. Raises ValidationFailed, PasswordBreached, EmailTaken."""
        answer = await self._calls.unary(filled(pb.RegisterRequest, account), pb.RegisterResponse)
        self._session.begin(read(Tokens, answer))
        return read(NewAccount, answer)

    async def forgot_password(self, email: str, *, client_nonce: str = "") -> None:
        """Have a code mailed with which a new password can be set, if there is such an account.

        client_nonce: binds the code to who knows it, such as `secrets.token_urlsafe()`; give `reset_password` the same.
        Without one the code belongs to the address that this program calls from.
        """
        request = pb.ForgotPasswordRequest(email=email, client_nonce=client_nonce or None)
        await self._calls.unary(request, pb.ForgotPasswordResponse)

    async def reset_password(self, email: str, otp_code: str, new_password: str, *, client_nonce: str = "") -> None:
        """Set a new password with a mailed code; all sessions end. Raises OtpInvalid, PasswordBreached.

        client_nonce: the one that the code was asked for with.
        """
        request = pb.ResetPasswordRequest(
            email=email, otp_code=otp_code, new_password=new_password, client_nonce=client_nonce or None
        )
        await self._calls.unary(request, pb.ResetPasswordResponse)

    async def change_password(self, current_password: str, new_password: str) -> None:
        """Set a new password; the other sessions end. Raises PasswordWrong, PasswordBreached."""
        request = pb.ChangePasswordRequest(current_password=current_password, new_password=new_password)
        await self._calls.unary(request, pb.ChangePasswordResponse)

    async def key_set(self) -> tuple[JsonWebKey, ...]:
        """The keys that verify access tokens; a token's `kid` names its own."""
        answer = await self._calls.unary(pb.GetKeySetRequest(), pb.GetKeySetResponse)
        return tuple(read(JsonWebKey, key) for key in answer.keys)

    async def current_user(self) -> User:
        """The caller's own account."""
        answer = await self._calls.unary(pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse)
        return read(User, answer.user)

    async def update_current_user(self, changes: AccountChanges) -> User:
        """Change what is given in one's own account; a new address waits for its code. Raises PasswordWrong."""
        answer = await self._calls.unary(filled(pb.UpdateCurrentUserRequest, changes), pb.UpdateCurrentUserResponse)
        return read(User, answer.user)

    async def confirm_email(self, otp_code: str) -> User:
        """Make the address that waits for its mailed code the account's own. Raises OtpInvalid, EmailTaken."""
        answer = await self._calls.unary(pb.ConfirmEmailRequest(otp_code=otp_code), pb.ConfirmEmailResponse)
        return read(User, answer.user)

    async def create_user(self, account: AccountDetails, *, idempotency_key: str | None = None) -> NewAccount:
        """Make an account for somebody else, verified at once (admins). Raises ValidationFailed, EmailTaken."""
        request = filled(pb.CreateUserRequest, account)
        return read(NewAccount, await self._calls.unary(request, pb.CreateUserResponse, key=idempotency_key))

    def users(
        self, *, role: Role | None = None, status: UserStatus | None = None, search: str | None = None
    ) -> AsyncIterator[User]:
        """Accounts, newest first (admins); search: an e-mail address, or words that begin words of the name."""
        request = filled(pb.ListUsersRequest, role=role, status=status, search=search)
        return self._calls.listed(request, pb.ListUsersResponse, User)

    async def user(self, user_id: str) -> User:
        """An account (admins). Raises NotFound."""
        answer = await self._calls.unary(pb.GetUserRequest(user_id=user_id), pb.GetUserResponse)
        return read(User, answer.user)

    async def verify_user(self, user_id: str, *, idempotency_key: str | None = None) -> User:
        """State that a licence was checked (admins). Raises NotFound."""
        request = pb.VerifyUserRequest(user_id=user_id)
        return read(User, (await self._calls.unary(request, pb.VerifyUserResponse, key=idempotency_key)).user)

    async def deactivate_user(self, user_id: str, *, idempotency_key: str | None = None) -> User:
        """Close an account; its sessions end at once (admins). Raises NotFound, FailedPrecondition."""
        request = pb.DeactivateUserRequest(user_id=user_id)
        return read(User, (await self._calls.unary(request, pb.DeactivateUserResponse, key=idempotency_key)).user)

    async def reactivate_user(self, user_id: str, *, idempotency_key: str | None = None) -> User:
        """Open a closed account again (admins). Raises NotFound."""
        request = pb.ReactivateUserRequest(user_id=user_id)
        return read(User, (await self._calls.unary(request, pb.ReactivateUserResponse, key=idempotency_key)).user)

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
        """The audit, newest first (admins); event, action and outcome are words of `audit.proto` in lower case.

        Days are the hospital's, both included. Raises ValueError for a word that there is not.
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
