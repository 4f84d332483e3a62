"""Enforces the method's `access` option before the body is parsed."""

from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.auth.services.revocation_cache import RevocationCache
from server.errors import RoleNotAllowed, Unauthenticated

OPEN_METHODS: Final = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""Health and reflection: the only methods without an access option. Every client may call them."""


class Access(Interceptor):
    """Checks token, session, role, and that the account is active, in this order.

    Methods for certain roles show or change personal data, so they require a confirmed email address.
    """

    def __init__(self, revocations: RevocationCache) -> None:
        self._revocations = revocations

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises Unauthenticated, RoleNotAllowed, EmailNotConfirmed or AccountNotVerified, or proceeds."""
        await self.check(call)
        await proceed(call)

    async def check(self, call: Call) -> None:
        """Raises the error that forbids this call now, if there is one."""
        if call.method.public:
            return
        if call.caller is None:
            raise Unauthenticated()
        allowed = call.caller.role in call.method.roles
        await self._revocations.check(
            call.caller,
            confirmed=allowed and call.method.for_roles,
            verified=allowed and call.method.verified,
        )
        if not allowed:
            raise RoleNotAllowed()
