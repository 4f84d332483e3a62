"""Routes each limit to its store: shared limits to PostgreSQL, the others to a cheaper store."""

from collections.abc import Mapping, Sequence, Set

import structlog

from server.errors import Unavailable
from server.metrics import Metrics
from server.rate_limits.bucket import Decision, Limit, take
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.store import Bucket, BucketStore, nearest_to_refusing

_log = structlog.get_logger()


class RoutingStore:
    """See BucketStore. The limits in `names` are stored in PostgreSQL and refuse if it fails; the others elsewhere.

    The others are checked first: a call that they refuse does not reach the database, and the buckets there are
    reported as full.
    """

    def __init__(self, strict: PostgresStore, others: BucketStore, names: Set[str], metrics: Metrics) -> None:
        self._strict = strict
        self._others = others
        self._names = names
        self._metrics = metrics

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. Raises Unavailable if strict limits cannot be evaluated; then nothing was taken."""
        strict, others = self._divide(requests)
        decisions = await self._others.take(others, now)
        if not strict:
            return decisions
        if not all(decision.allowed for decision in decisions):
            judged = [take(now, limit, now, cost=0) for limit, _ in strict]
        else:
            judged = await self._take_strict(strict, others, now)
        found = dict(zip([*strict, *others], [*judged, *decisions], strict=True))
        return [found[request] for request in requests]

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. If the database fails, the token is not given back, but the call succeeds."""
        strict, others = self._divide(requests)
        if others:
            await self._others.refund(others)
        if strict:
            try:
                await self._strict.refund(strict)
            except Unavailable:
                self._note_failure()

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Raises Unavailable without the database."""
        strict = {name: limit for name, limit in limits.items() if name in self._names}
        others = {name: limit for name, limit in limits.items() if name not in self._names}
        found = [*await self._strict.fullest(strict, count, now), *await self._others.fullest(others, count, now)]
        return nearest_to_refusing(found, count)

    async def _take_strict(
        self, strict: Sequence[tuple[Limit, str]], others: Sequence[tuple[Limit, str]], now: float
    ) -> list[Decision]:
        taken = False
        try:
            decisions = await self._strict.take(strict, now)
            taken = all(decision.allowed for decision in decisions)
        except Unavailable:
            self._note_failure()
            raise
        finally:
            if not taken:
                await self._others.refund(others)
        return decisions

    def _divide(
        self, requests: Sequence[tuple[Limit, str]]
    ) -> tuple[Sequence[tuple[Limit, str]], Sequence[tuple[Limit, str]]]:
        names = self._names
        strict = [request for request in requests if request[0].name in names]
        if not strict:
            return (), requests
        return strict, [request for request in requests if request[0].name not in names]

    def _note_failure(self) -> None:
        self._metrics.store_failed("postgresql")
        _log.warning("rate_limit_store_unavailable", store="postgresql")
