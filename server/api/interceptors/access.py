"""Refuses who may not call: by the access option that stands beside the method, before the body is parsed."""

from typing import Final

from server.api.interceptors.base import Next
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
"""Health and reflection: the only methods without an access option. Everyone may call them."""


class Access:
    """Checks token, session, role, and that the account may act yet, in this order.

    What only certain roles may call shows or changes what is somebody's: it is for accounts whose address is confirmed.
    """

    def __init__(self, revocations: RevocationCache) -> None:
        self._revocations = revocations

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raise Unauthenticated, RoleNotAllowed, EmailNotConfirmed or AccountNotVerified, or let the call on."""
        await self.check(call)
        await proceed(call)

    async def check(self, call: Call) -> None:
        """Raise what forbids this call now, if anything does."""
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
