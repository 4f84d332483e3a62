"""The gRPC servicer of AuthService."""

from typing import Any

import grpc
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.access_log.service import AuditService
from server.api.access_log import mapping as audit_mapping
from server.api.auth import mapping
from server.api.wire import page_request, read_uuid
from server.auth.services.accounts import AccountService
from server.auth.services.email_changes import EmailChangeService
from server.auth.services.open_sessions import OpenSessionService
from server.auth.services.passwords import PasswordService
from server.auth.services.profiles import ProfileService
from server.auth.services.sessions import SessionService
from server.auth.tokens.access_tokens import AccessTokens
from server.identity import current_address, current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Maps each call to the services and their results to responses."""

    def __init__(
        self,
        accounts: AccountService,
        sessions: SessionService,
        open_sessions: OpenSessionService,
        passwords: PasswordService,
        profiles: ProfileService,
        email_changes: EmailChangeService,
        access_tokens: AccessTokens,
        audit: AuditService,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._open_sessions = open_sessions
        self._passwords = passwords
        self._profiles = profiles
        self._email_changes = email_changes
        self._access_tokens = access_tokens
        self._audit = audit

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        opened, tokens = await self._accounts.register(mapping.application(request))
        return mapping.register_response(opened, tokens)

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.LoginResponse:
        signed_in = await self._sessions.login(request.email, request.password, current_address())
        return mapping.login_response(signed_in)

    async def RefreshToken(self, request: pb.RefreshTokenRequest, context: Context) -> pb.RefreshTokenResponse:
        signed_in = await self._sessions.refresh(request.refresh_token, attended=not request.unattended)
        return mapping.refresh_response(signed_in)

    async def Logout(self, request: pb.LogoutRequest, context: Context) -> pb.LogoutResponse:
        await self._sessions.logout(current_caller())
        return pb.LogoutResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        caller = current_caller()
        page = await self._open_sessions.list_own(caller, page_request(request))
        return mapping.sessions_response(page, caller.session_id)

    async def EndSession(self, request: pb.EndSessionRequest, context: Context) -> pb.EndSessionResponse:
        await self._open_sessions.end(current_caller(), read_uuid(request.session_id))
        return pb.EndSessionResponse()

    async def EndOtherSessions(
        self, request: pb.EndOtherSessionsRequest, context: Context
    ) -> pb.EndOtherSessionsResponse:
        return pb.EndOtherSessionsResponse(ended_sessions=await self._open_sessions.end_others(current_caller()))

    async def ForgotPassword(self, request: pb.ForgotPasswordRequest, context: Context) -> pb.ForgotPasswordResponse:
        await self._passwords.forgot(request.email, current_address(), request.client_nonce)
        return pb.ForgotPasswordResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Context) -> pb.ResetPasswordResponse:
        address, nonce, factor_code = current_address(), request.client_nonce, request.second_factor_code
        await self._passwords.reset(request.email, request.otp_code, request.new_password, address, nonce, factor_code)
        return pb.ResetPasswordResponse()

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> pb.ChangePasswordResponse:
        caller, address = current_caller(), current_address()
        await self._passwords.change(caller, request.current_password, request.new_password, address)
        return pb.ChangePasswordResponse()

    async def GetKeySet(self, request: pb.GetKeySetRequest, context: Context) -> pb.GetKeySetResponse:
        return mapping.key_set_response(self._access_tokens.published_keys())

    async def GetCurrentUser(self, request: pb.GetCurrentUserRequest, context: Context) -> pb.GetCurrentUserResponse:
        user = await self._accounts.current_user(current_caller())
        return pb.GetCurrentUserResponse(user=mapping.user_message(user))

    async def UpdateCurrentUser(
        self, request: pb.UpdateCurrentUserRequest, context: Context
    ) -> pb.UpdateCurrentUserResponse:
        user = await self._profiles.update(current_caller(), mapping.account_change(request), current_address())
        return pb.UpdateCurrentUserResponse(user=mapping.user_message(user))

    async def ConfirmEmail(self, request: pb.ConfirmEmailRequest, context: Context) -> pb.ConfirmEmailResponse:
        user = await self._profiles.confirm_email(current_caller(), request.otp_code)
        return pb.ConfirmEmailResponse(user=mapping.user_message(user))

    async def UndoEmailChange(self, request: pb.UndoEmailChangeRequest, context: Context) -> pb.UndoEmailChangeResponse:
        await self._email_changes.undo(request.token)
        return pb.UndoEmailChangeResponse()

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        opened = await self._accounts.create_user(mapping.application(request), current_caller().user_id)
        return mapping.create_user_response(opened)

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        page = await self._accounts.list_users(current_caller(), mapping.user_filter(request), page_request(request))
        return mapping.list_response(page)

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        user = await self._accounts.get(read_uuid(request.user_id))
        alike = mapping.look_alikes_message(await self._accounts.look_alikes(user))
        return pb.GetUserResponse(user=mapping.user_message(user), look_alikes=alike)

    async def VerifyUser(self, request: pb.VerifyUserRequest, context: Context) -> pb.VerifyUserResponse:
        user_id, verifier = read_uuid(request.user_id), current_caller().user_id
        user = await self._accounts.verify(user_id, verifier, request.license_issuer)
        return pb.VerifyUserResponse(user=mapping.user_message(user))

    async def DeactivateUser(self, request: pb.DeactivateUserRequest, context: Context) -> pb.DeactivateUserResponse:
        reason = mapping.deactivation_reason(request)
        user = await self._accounts.deactivate(current_caller(), read_uuid(request.user_id), reason)
        return pb.DeactivateUserResponse(user=mapping.user_message(user))

    async def ReactivateUser(self, request: pb.ReactivateUserRequest, context: Context) -> pb.ReactivateUserResponse:
        user = await self._accounts.reactivate(read_uuid(request.user_id))
        return pb.ReactivateUserResponse(user=mapping.user_message(user))

    async def ListUserSessions(
        self, request: pb.ListUserSessionsRequest, context: Context
    ) -> pb.ListUserSessionsResponse:
        caller, user_id = current_caller(), read_uuid(request.user_id)
        page = await self._open_sessions.list_of_account(caller, user_id, page_request(request))
        return mapping.user_sessions_response(page, caller.session_id)

    async def EndUserSessions(self, request: pb.EndUserSessionsRequest, context: Context) -> pb.EndUserSessionsResponse:
        reason = mapping.END_REASONS[request.reason]
        ended = await self._open_sessions.end_of_account(read_uuid(request.user_id), reason)
        return pb.EndUserSessionsResponse(ended_sessions=ended)

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, context: Context
    ) -> pb.ListAuditRecordsResponse:
        wanted = audit_mapping.audit_filter(request)
        page = await self._audit.list_records(current_caller(), wanted, page_request(request))
        return audit_mapping.records_response(page)
