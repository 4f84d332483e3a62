"""Collectors of values that are counted as plain numbers, because every call counts, or read when Prometheus asks."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


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


class CallCounts(Collector):
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


class LateGauge(Collector):
    """A gauge without a value until it is first set: a process that never measures it must not report 0."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name = name
        self._meaning = meaning
        self.value: float | None = None

    def collect(self) -> Iterable[Metric]:
        """Returns the gauge."""
        family = GaugeMetricFamily(self._name, self._meaning)
        if self.value is not None:
            family.add_metric([], self.value)
        return [family]


class AskedGauge(Collector):
    """A gauge whose value is found out when Prometheus asks; without a value until `ask` is set."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name = name
        self._meaning = meaning
        self.ask: Callable[[], float] | None = None
        """Called in the thread that serves the metrics, so it may read files."""

    def collect(self) -> Iterable[Metric]:
        """Returns the gauge."""
        family = GaugeMetricFamily(self._name, self._meaning)
        if self.ask is not None:
            family.add_metric([], self.ask())
        return [family]


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


class PoolGauges(Collector):
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


EdgeValues = Mapping[str, Mapping[tuple[str, str], float]]
"""The values of the edge: by metric, then by the values of its labels."""


class EdgeCounts(Collector):
    """The edge's own counters, as they were last read from Envoy."""

    def __init__(self) -> None:
        self.values: EdgeValues = {}
        self.is_up: bool | None = None
        """False while Envoy does not answer; None in a process without an edge."""

    def collect(self) -> Iterable[Metric]:
        """Returns the counters; in a process without an edge they have no values."""
        up = GaugeMetricFamily("medconnect_edge_up", "1 while Envoy answers its process, else 0.")
        if self.is_up is not None:
            up.add_metric([], self.is_up)
        families = (
            CounterMetricFamily(
                "medconnect_edge_responses", "Envoy's responses by port and class of status.", labels=["port", "class"]
            ),
            CounterMetricFamily(
                "medconnect_edge_failures", "Calls that Envoy could not pass on.", labels=["cluster", "cause"]
            ),
            GaugeMetricFamily("medconnect_edge_connections", "Open connections of clients.", labels=["port", "what"]),
            GaugeMetricFamily(
                "medconnect_edge_servers", "Serving processes that Envoy knows.", labels=["cluster", "what"]
            ),
        )
        for family in families:
            for labels, value in self.values.get(family.name, {}).items():
                family.add_metric(labels, value)
        return [up, *families]
