"""Charges a call to its budgets: when it starts, and again where a use case finds further budgets."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from math import ceil

from server.clock import Clock
from server.errors import RateLimitExceeded
from server.metrics import Metrics
from server.rate_limits.bucket import Decision, Limit, given_back, strictest
from server.rate_limits.budgets import Budget
from server.rate_limits.store import Bucket, BucketStore


class Charge:
    """The budgets and decisions of the current call, for its rate limit headers."""

    __slots__ = ("_budgets", "_decisions", "changed")

    def __init__(self, budgets: Sequence[Budget] = (), decisions: Sequence[Decision] = ()) -> None:
        self._budgets = budgets
        self._decisions = decisions
        self.changed = False
        """Whether the charge was changed since the call started."""

    @property
    def strictest(self) -> Decision:
        """The decision that the headers report."""
        return strictest(self._decisions)

    @property
    def budgets(self) -> Sequence[Budget]:
        """The budgets that were charged a token for this call."""
        return self._budgets

    def write(self, budgets: Sequence[Budget], decisions: Sequence[Decision]) -> None:
        """Replaces the budgets and decisions."""
        self._budgets, self._decisions, self.changed = budgets, decisions, True

    def add_refusal(self, decisions: Sequence[Decision]) -> None:
        """Adds the decisions of a later check that refused the call."""
        self._decisions, self.changed = [*self._decisions, *decisions], True

    def credit(self, budgets: Sequence[Budget]) -> None:
        """Marks the tokens of these budgets as given back."""
        charged = zip(self._budgets, self._decisions, strict=False)
        self._decisions = [given_back(decision) if budget in budgets else decision for budget, decision in charged]
        self.changed = True


_charge: ContextVar[Charge | None] = ContextVar("charge", default=None)


class RateLimiter:
    """Takes tokens from the store and gives them back, records the call's charge, and updates the metrics."""

    def __init__(self, store: BucketStore, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._monotonic = clock.monotonic
        self._metrics = metrics

    async def charge_call(self, budgets: Sequence[Budget]) -> Charge:
        """Charges a call that starts. Returns its charge, which also records later charges and refunds.

        The caller checks in the charge whether the call is allowed. Raises Unavailable.
        """
        charge = Charge(budgets, await self._take(budgets))
        _charge.set(charge)
        return charge

    async def replace_charge(self, budgets: Sequence[Budget]) -> None:
        """Charges these budgets and refunds what the call was charged at its start. Raises RateLimitExceeded."""
        charge = _charge.get() or Charge()
        await self._store.refund(charge.budgets)
        decisions = await self._take(budgets)
        charge.write(budgets, decisions)
        _refuse_if_empty(decisions)

    async def charge_also(self, budgets: Sequence[Budget]) -> None:
        """Charges these budgets too; the headers show them only if they refuse. Raises RateLimitExceeded."""
        decisions = await self._take(budgets)
        charge = _charge.get()
        if charge is not None and not all(decision.allowed for decision in decisions):
            charge.add_refusal(decisions)
        _refuse_if_empty(decisions)

    async def refund(self, budgets: Sequence[Budget]) -> None:
        """Gives back the token that each of these budgets was charged."""
        await self._store.refund(budgets)
        charge = _charge.get()
        if charge is not None:
            charge.credit(budgets)

    async def fullest(self, limits: Mapping[str, Limit], count: int) -> Sequence[Bucket]:
        """Returns the fullest buckets (nearest to refusing) of all stores. Raises Unavailable."""
        return await self._store.fullest(limits, count, self._monotonic())

    async def _take(self, budgets: Sequence[Budget]) -> Sequence[Decision]:
        decisions = await self._store.take(budgets, self._monotonic())
        self._metrics.limits_decided(decisions)
        return decisions


def refusal(decision: Decision) -> RateLimitExceeded:
    """Returns the error to raise for a decision that does not allow the call."""
    return RateLimitExceeded(retry_after=max(1, ceil(decision.retry_after)), limit=decision.limit.name)


def _refuse_if_empty(decisions: Sequence[Decision]) -> None:
    worst = strictest(decisions)
    if not worst.allowed:
        raise refusal(worst)
