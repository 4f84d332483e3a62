"""What Prometheus reads of this process: calls, rate limits, stores that failed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.metrics import MetricWrapperBase

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNKNOWN_METHOD: Final = "unknown"
"""The one name of all methods that do not exist: their names are chosen by callers."""

M = TypeVar("M", bound=MetricWrapperBase)


class _Children(Generic[M], dict[tuple[str, ...], M]):
    """A metric's children by the values of its labels, each looked up once: looking up costs more than counting."""

    def __init__(self, metric: M) -> None:
        self._metric = metric

    def __missing__(self, values: tuple[str, ...]) -> M:
        self[values] = child = self._metric.labels(*values)
        return child


class Metrics:
    """The counters of one process, since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._limits = Counter(
            "medconnect_rate_limits", "Tokens taken and refused.", ["limit", "outcome"], registry=self.registry
        )
        calls = Counter("medconnect_calls", "Calls by how they ended.", ["method", "reason"], registry=self.registry)
        seconds = Histogram(
            "medconnect_call_seconds",
            "How long calls took, streams excepted.",
            ["method"],
            buckets=SECONDS,
            registry=self.registry,
        )
        denials = Counter(
            "medconnect_anonymous_denials",
            "Calls refused for want of a valid token.",
            ["method"],
            registry=self.registry,
        )
        failures = Counter(
            "medconnect_rate_limit_store_failures", "Answers that a store owed.", ["store"], registry=self.registry
        )
        self._limit = _Children(self._limits)
        self._call = _Children(calls)
        self._seconds = _Children(seconds)
        self._denial = _Children(denials)
        self._failure = _Children(failures)

    def call_ended(self, method: str, reason: str) -> None:
        """A call ended: OK, or with the reason of its failure."""
        self._call[method, reason].inc()

    def call_took(self, method: str, seconds: float) -> None:
        """How long a unary call took."""
        self._seconds[method,].observe(seconds)

    def anonymous_denied(self, method: str) -> None:
        """Somebody without a valid token was refused."""
        self._denial[method,].inc()

    def limit_allowed(self, limit: str) -> None:
        """A call took a token out of a bucket of this limit."""
        self._limit[limit, "allowed"].inc()

    def limit_refused(self, limit: str) -> None:
        """A bucket of this limit refused a call."""
        self._limit[limit, "refused"].inc()

    def store_failed(self, store: str) -> None:
        """A store of rate limits did not answer."""
        self._failure[store,].inc()

    def limit_counts(self) -> Mapping[tuple[str, str], int]:
        """How often each limit was `allowed` and `refused` so far, by its name and this word."""
        return {
            (sample.labels["limit"], sample.labels["outcome"]): int(sample.value)
            for metric in self._limits.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

    @asynccontextmanager
    async def served(self, address: str) -> AsyncIterator[int]:
        """Answer Prometheus at `host:port` until the block is left; yields the port. Raises OSError if it is taken."""
        host, _, port = address.rpartition(":")
        server, thread = start_http_server(int(port), host.strip("[]"), self.registry)
        try:
            yield server.server_port
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()
