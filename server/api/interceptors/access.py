"""Enforces the method's `access` option before the body is parsed."""

from dataclasses import replace
from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.auth.services.factor_gate import FactorGate
from server.auth.services.revocation_cache import RevocationCache
from server.errors import OrganisationRequired, RoleNotAllowed, Unauthenticated
from server.identity import Caller, Role, set_caller

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
    """Checks token, session, role, that the account is active, pharmacy and second factor, in this order.

    A pharmacist acts for a pharmacy, which is responsible for what it dispenses. Methods for certain roles show or
    change personal data, so they require a confirmed email address.
    """

    def __init__(self, revocations: RevocationCache, gate: FactorGate) -> None:
        self._revocations = revocations
        self._gate = gate

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises the error that `check` raises, or proceeds."""
        await self.check(call)
        await proceed(call)

    async def check(self, call: Call) -> None:
        """Raises the error that forbids this call now, if there is one.

        That is Unauthenticated, RoleNotAllowed, EmailNotConfirmed, AccountNotVerified, OrganisationRequired,
        SecondFactorMissing or StepUpRequired.
        """
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
        if call.method.verified and call.caller.role is Role.PHARMACIST and call.caller.organisation_id is None:
            await self._require_organisation(call, call.caller)
        await self._gate.check(call.caller, for_roles=call.method.for_roles, step_up=call.method.step_up)

    async def _require_organisation(self, call: Call, caller: Caller) -> None:
        """Looks up the pharmacy of a caller whose token names none: it joined one after the token was issued."""
        organisation_id = await self._revocations.organisation_of(caller)
        if organisation_id is None:
            raise OrganisationRequired()
        call.caller = replace(caller, organisation_id=organisation_id)
        set_caller(call.caller)
