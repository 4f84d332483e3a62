"""AuthService as gRPC calls it."""

from typing import Any

import grpc
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.auth import mapping
from server.auth.account_service import AccountService
from server.auth.session_service import SessionService
from server.identity import current_caller
from server.wire import page_request, read_uuid

Context = grpc.aio.ServicerContext[Any, Any]


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Hands each call to the services, in their own terms."""

    def __init__(self, accounts: AccountService, sessions: SessionService) -> None:
        self._accounts = accounts
        self._sessions = sessions

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        opened, tokens = await self._accounts.register(mapping.application(request))
        return mapping.register_response(opened, tokens)

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.LoginResponse:
        signed_in = await self._sessions.login(request.email, request.password)
        return mapping.login_response(signed_in)

    async def RefreshToken(self, request: pb.RefreshTokenRequest, context: Context) -> pb.RefreshTokenResponse:
        signed_in = await self._sessions.refresh(request.refresh_token)
        return mapping.refresh_response(signed_in)

    async def Logout(self, request: pb.LogoutRequest, context: Context) -> pb.LogoutResponse:
        await self._sessions.logout(current_caller())
        return pb.LogoutResponse()

    async def GetCurrentUser(self, request: pb.GetCurrentUserRequest, context: Context) -> pb.GetCurrentUserResponse:
        user = await self._accounts.current_user(current_caller())
        return pb.GetCurrentUserResponse(user=mapping.user_message(user))

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        opened = await self._accounts.create_user(mapping.application(request))
        return mapping.create_user_response(opened)

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        page = await self._accounts.list_users(current_caller(), mapping.user_filter(request), page_request(request))
        return mapping.list_response(page)

    async def VerifyUser(self, request: pb.VerifyUserRequest, context: Context) -> pb.VerifyUserResponse:
        user = await self._accounts.verify(read_uuid(request.user_id))
        return pb.VerifyUserResponse(user=mapping.user_message(user))
