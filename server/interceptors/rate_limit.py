"""Charges every call to its budgets before anything else is done for it."""

from math import ceil

from server.clock import Clock
from server.errors import RateLimitExceeded
from server.interceptors.base import Proceed
from server.interceptors.call import Call
from server.rate_limits.bucket import Decision, strictest
from server.rate_limits.budgets import Budgets
from server.rate_limits.store import BucketStore


class RateLimit:
    """Takes a token from each budget of the call; the strictest decides and is reported."""

    def __init__(self, budgets: Budgets, store: BucketStore, clock: Clock) -> None:
        self._budgets = budgets
        self._store = store
        self._clock = clock

    async def around(self, call: Call, proceed: Proceed) -> None:
        """Raise RateLimitExceeded, or let the call on; what only failures shall cost is given back after a success."""
        budgets = self._budgets.of(call.caller, call.method.limit_group, call.address)
        decision = strictest(await self._store.take(budgets, self._clock.monotonic()))
        self._report(call, decision)
        if not decision.allowed:
            raise RateLimitExceeded(retry_after=max(1, ceil(decision.retry_after)), limit=decision.limit.name)
        await proceed(call)
        returned = self._budgets.returned_on_success(call.method.limit_group, budgets)
        if returned:
            await self._store.refund(returned)

    def _report(self, call: Call, decision: Decision) -> None:
        reset = ceil(self._clock.now().timestamp() + decision.reset_after)
        call.headers["x-ratelimit-limit"] = str(decision.limit.tokens)
        call.headers["x-ratelimit-remaining"] = str(decision.remaining)
        call.headers["x-ratelimit-reset"] = str(reset)
