"""The Prometheus metrics of this process: calls, rate limits, failed stores."""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from itertools import accumulate
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, start_http_server
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNKNOWN_METHOD: Final = "unknown"
"""The one label of all methods that do not exist, because callers choose their names."""

M = TypeVar("M", bound=MetricWrapperBase)


class _Children(Generic[M], dict[tuple[str, ...], M]):
    """A metric's children by the values of its labels, each looked up once: a lookup costs more than counting."""

    def __init__(self, metric: M) -> None:
        self._metric = metric

    def __missing__(self, values: tuple[str, ...]) -> M:
        self[values] = child = self._metric.labels(*values)
        return child


class Named(Protocol):
    """An object with a name."""

    @property
    def name(self) -> str:
        """The name, used as a label."""
        ...


class Decision(Protocol):
    """A limit's decision, as far as it is counted."""

    @property
    def limit(self) -> Named:
        """The limit whose bucket was charged."""
        ...

    @property
    def allowed(self) -> bool:
        """True if the limit allowed the call."""
        ...


class LimitCounts(Collector):
    """How often each limit allowed and refused calls, by name; plain numbers, because every call counts twice."""

    def __init__(self) -> None:
        self.allowed: dict[str, int] = defaultdict(int)
        self.refused: dict[str, int] = defaultdict(int)

    def collect(self) -> Iterable[Metric]:
        """Returns the counts as Prometheus metrics."""
        family = CounterMetricFamily("medconnect_rate_limits", "Tokens taken and refused.", labels=["limit", "outcome"])
        for outcome, counts in (("allowed", self.allowed), ("refused", self.refused)):
            for name, count in list(counts.items()):
                family.add_metric([name, outcome], count)
        return [family]


class _CallCounts(Collector):
    """How calls ended and how long they took; plain numbers, because every call is counted in both."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], int] = defaultdict(int)
        self._took: dict[str, list[float]] = defaultdict(lambda: [0.0] * (len(SECONDS) + 2))
        """By method: the calls up to each of SECONDS, those that took longer, and the sum of all their seconds."""

    def ended(self, method: str, reason: str) -> None:
        """Counts a call that ended."""
        self._ended[method, reason] += 1

    def took(self, method: str, seconds: float) -> None:
        """Counts a call by its duration."""
        counts = self._took[method]
        counts[bisect_left(SECONDS, seconds)] += 1
        counts[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        """Returns the counts as Prometheus metrics."""
        calls = CounterMetricFamily("medconnect_calls", "Calls by outcome.", labels=["method", "reason"])
        for labels, count in list(self._ended.items()):
            calls.add_metric(labels, count)
        seconds = HistogramMetricFamily("medconnect_call_seconds", "Duration of unary calls.", labels=["method"])
        bounds = [*map(str, SECONDS), "+Inf"]
        for method, (*counts, total) in list(self._took.items()):
            seconds.add_metric([method], list(zip(bounds, accumulate(counts), strict=True)), total)
        return [calls, seconds]


class Occupied(Protocol):
    """A pool of connections, as far as it is measured."""

    @property
    def size(self) -> int:
        """The most connections at a time."""
        ...

    @property
    def used(self) -> int:
        """The connections in use."""
        ...

    @property
    def waiting(self) -> int:
        """The calls that wait for a connection."""
        ...


class _PoolGauges(Collector):
    """How full each pool is, read when Prometheus asks."""

    def __init__(self) -> None:
        self.pools: dict[str, Occupied] = {}

    def collect(self) -> Iterable[Metric]:
        """Returns the gauges of all pools."""
        family = GaugeMetricFamily(
            "medconnect_database_pool",
            "Connections of each pool, and calls that wait for one.",
            labels=["pool", "what"],
        )
        for name, pool in self.pools.items():
            for what, count in (("size", pool.size), ("used", pool.used), ("waiting", pool.waiting)):
                family.add_metric([name, what], count)
        return [family]


class Metrics:
    """The counters of one process, since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._limits = LimitCounts()
        self.registry.register(self._limits)
        self._pools = _PoolGauges()
        self.registry.register(self._pools)
        self._calls = _CallCounts()
        self.registry.register(self._calls)
        denials = Counter(
            "medconnect_anonymous_denials",
            "Calls refused because they had no valid token.",
            ["method"],
            registry=self.registry,
        )
        failures = Counter(
            "medconnect_rate_limit_store_failures",
            "Calls to a rate limit store that failed.",
            ["store"],
            registry=self.registry,
        )
        self._head_failures = Counter(
            "medconnect_audit_head_failures",
            "Audit heads that could not be written to their sink.",
            registry=self.registry,
        )
        self._lag = Gauge(
            "medconnect_audit_seal_lag_seconds", "Age of the oldest unsealed audit record.", registry=self.registry
        )
        database_failures = Counter(
            "medconnect_database_failures",
            "Failures of the database by the driver's class and SQLSTATE.",
            ["kind", "sqlstate"],
            registry=self.registry,
        )
        self._database_failure = _Children(database_failures)
        self._ready = Gauge("medconnect_ready", "1 while this process can serve calls, else 0.", registry=self.registry)
        silence = Gauge(
            "medconnect_background_silence_seconds",
            "Time since background work last succeeded in any process.",
            ["task"],
            registry=self.registry,
        )
        works = Gauge(
            "medconnect_background_works",
            "1 while background work succeeds often enough, else 0.",
            ["task"],
            registry=self.registry,
        )
        self._silence = _Children(silence)
        self._works = _Children(works)
        self._denial = _Children(denials)
        self._failure = _Children(failures)

    def call_ended(self, method: str, reason: str) -> None:
        """Counts a call that ended: OK, or with the reason of its failure."""
        self._calls.ended(method, reason)

    def call_took(self, method: str, seconds: float) -> None:
        """Records how long a unary call took."""
        self._calls.took(method, seconds)

    def anonymous_denied(self, method: str) -> None:
        """Counts a refused call without a valid token."""
        self._denial[method,].inc()

    def limits_decided(self, decisions: Sequence[Decision]) -> None:
        """Counts a call that took a token from each bucket, or from none because some bucket refused it."""
        refusals = [decision for decision in decisions if not decision.allowed]
        counts = self._limits.refused if refusals else self._limits.allowed
        for decision in refusals or decisions:
            counts[decision.limit.name] += 1

    def store_failed(self, store: str) -> None:
        """Counts a rate limit store that did not answer."""
        self._failure[store,].inc()

    def head_not_kept(self) -> None:
        """Counts a head of the audit that could not be written to its sink."""
        self._head_failures.inc()

    def measure_pool(self, name: str, pool: Occupied) -> None:
        """Measures a pool of connections from now on."""
        self._pools.pools[name] = pool

    def database_failed(self, kind: str, sqlstate: str) -> None:
        """Counts a failure of the database."""
        self._database_failure[kind, sqlstate].inc()

    def readiness_checked(self, ready: bool) -> None:
        """Sets whether this process can serve calls."""
        self._ready.set(ready)

    def background_seen(self, silence: Mapping[str, float], dead: Set[str], lag: float) -> None:
        """Sets how long each background task has been silent, which are dead, and the seals' delay; in seconds."""
        self._lag.set(lag)
        for task, seconds in silence.items():
            self._silence[task,].set(seconds)
            self._works[task,].set(task not in dead)

    @property
    def limit_counts(self) -> LimitCounts:
        """Returns the counts of each limit since the process started."""
        return self._limits

    @asynccontextmanager
    async def served(self, address: str) -> AsyncIterator[int]:
        """Serves metrics at `host:port` until the block is left; yields the port. Raises OSError if it is taken."""
        host, _, port = address.rpartition(":")
        server, thread = start_http_server(int(port), host.strip("[]"), self.registry)
        try:
            yield server.server_port
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()
