"""Charges every call to its rate limits before any other work."""

from math import ceil

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.auth.services.revocation_cache import RevocationCache
from server.clock import Clock
from server.errors import ValidationFailed
from server.rate_limits.bucket import Decision
from server.rate_limits.budgets import FORMS, REFUNDED, Budgets
from server.rate_limits.rate_limiter import RateLimiter, refusal


class RateLimit(Interceptor):
    """Takes a token from each bucket of the call; the strictest limit decides and is reported.

    revocations: a call with a token of a revoked session is charged like one without a token, not to its account.
    """

    def __init__(self, budgets: Budgets, limiter: RateLimiter, clock: Clock, revocations: RevocationCache) -> None:
        self._budgets = budgets
        self._limiter = limiter
        self._revocations = revocations
        self._clock = clock

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises RateLimitExceeded, or proceeds.

        A charge that only failures pay is refunded after a success, that of a form if its fields are refused. Charges
        and refunds by a use case are reported too, except for streams, whose headers have been sent by then.
        """
        group = call.method.limit_group
        ended = call.caller is not None and self._revocations.has_ended(call.caller)
        budgets = self._budgets.of(None if ended else call.caller, group, call.address)
        charge = await self._limiter.charge_call(budgets)
        strictest = charge.strictest
        if call.method.streaming or not strictest.allowed:
            self._report(call, strictest)
        if not strictest.allowed:
            raise refusal(strictest)
        try:
            await proceed(call)
            if group in REFUNDED:
                await self._limiter.refund(self._budgets.of_group(group, budgets))
        except ValidationFailed:
            if group in FORMS:
                await self._limiter.refund(self._budgets.of_group(group, budgets))
            raise
        finally:
            if not call.method.streaming:
                self._report(call, charge.strictest)

    def _report(self, call: Call, decision: Decision) -> None:
        reset = ceil(self._clock.now().timestamp() + decision.reset_after)
        call.headers["x-ratelimit-limit"] = str(decision.limit.tokens)
        call.headers["x-ratelimit-remaining"] = str(decision.remaining)
        call.headers["x-ratelimit-reset"] = str(reset)
