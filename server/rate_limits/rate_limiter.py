"""Charges a call to its budgets: when it begins, and again where a use case learns of more."""

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
    """What the call that runs now was charged, for its headers."""

    __slots__ = ("_budgets", "_decisions", "changed")

    def __init__(self, budgets: Sequence[Budget] = (), decisions: Sequence[Decision] = ()) -> None:
        self._budgets = budgets
        self._decisions = decisions
        self.changed = False
        """Whether anything was written since the call began."""

    @property
    def strictest(self) -> Decision:
        """What the headers report."""
        return strictest(self._decisions)

    @property
    def budgets(self) -> Sequence[Budget]:
        """What holds a token of this call."""
        return self._budgets

    def write(self, budgets: Sequence[Budget], decisions: Sequence[Decision]) -> None:
        """Begin anew with these."""
        self._budgets, self._decisions, self.changed = budgets, decisions, True

    def add_refusal(self, decisions: Sequence[Decision]) -> None:
        """Note who refused the call further in."""
        self._decisions, self.changed = [*self._decisions, *decisions], True

    def credit(self, budgets: Sequence[Budget]) -> None:
        """Note that these were given their token back."""
        charged = zip(self._budgets, self._decisions, strict=False)
        self._decisions = [given_back(decision) if budget in budgets else decision for budget, decision in charged]
        self.changed = True


_bill: ContextVar[Charge | None] = ContextVar("bill", default=None)


class RateLimiter:
    """Takes tokens out of the store and gives them back, writes the call's bill, counts for the metrics."""

    def __init__(self, store: BucketStore, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._monotonic = clock.monotonic
        self._metrics = metrics

    async def charge_call(self, budgets: Sequence[Budget]) -> Charge:
        """Charge a call that begins. What is charged and given back later is written on its bill too.

        Whether it may go on is for the caller to see on the bill. Raises Unavailable.
        """
        bill = Charge(budgets, await self._take(budgets))
        _bill.set(bill)
        return bill

    async def replace_charge(self, budgets: Sequence[Budget]) -> None:
        """Charge these, and give back what the call was charged at its beginning. Raises RateLimitExceeded."""
        bill = _bill.get() or Charge()
        await self._store.refund(bill.budgets)
        decisions = await self._take(budgets)
        bill.write(budgets, decisions)
        _refuse_if_empty(decisions)

    async def charge_also(self, budgets: Sequence[Budget]) -> None:
        """Charge these as well, and speak of it only when they refuse. Raises RateLimitExceeded."""
        decisions = await self._take(budgets)
        bill = _bill.get()
        if bill is not None and not all(decision.allowed for decision in decisions):
            bill.add_refusal(decisions)
        _refuse_if_empty(decisions)

    async def refund(self, budgets: Sequence[Budget]) -> None:
        """Give the token back that each of these was charged."""
        await self._store.refund(budgets)
        bill = _bill.get()
        if bill is not None:
            bill.credit(budgets)

    async def fullest(self, limits: Mapping[str, Limit], count: int) -> Sequence[Bucket]:
        """The buckets that are nearest to refusing, over all stores. Raises Unavailable."""
        return await self._store.fullest(limits, count, self._monotonic())

    async def _take(self, budgets: Sequence[Budget]) -> Sequence[Decision]:
        decisions = await self._store.take(budgets, self._monotonic())
        self._metrics.limits_judged(decisions)
        return decisions


def refusal(decision: Decision) -> RateLimitExceeded:
    """What to raise for a decision that does not allow the call."""
    return RateLimitExceeded(retry_after=max(1, ceil(decision.retry_after)), limit=decision.limit.name)


def _refuse_if_empty(decisions: Sequence[Decision]) -> None:
    worst = strictest(decisions)
    if not worst.allowed:
        raise refusal(worst)
