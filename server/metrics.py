"""The Prometheus metrics of this process: calls, rate limits, failed stores."""

from collections.abc import Mapping, Sequence, Set
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from server.metric_collectors import (
    SECONDS,
    AskedGauge,
    CallCounts,
    EdgeCounts,
    EdgeValues,
    LateGauge,
    LimitCounts,
    Occupied,
    PoolGauges,
)

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


BACKLOG: Final[Mapping[str, str]] = {
    "feed_lag_seconds": "Age of the oldest event without a position in the feed.",
    "feed_waiting": "Events without a position in the feed.",
    "audit_unsealed": "Audit records that are not sealed.",
    "emails_pending": "Emails that wait to be sent.",
    "emails_processing": "Emails that workers are sending.",
    "emails_failed": "Emails that could not be delivered, until they are purged.",
    "emails_oldest_pending_seconds": "Time since the oldest pending email was queued.",
    "email_workers": "Workers that have reported within half a minute.",
    "email_circuits_open": "Workers among them that cannot reach the mail server.",
    "many_patients_read": "Accounts that in the last hour read half as many patients as an hour allows.",
    "database_xid_age": "Transaction ids that the database has used since its last freeze.",
    "database_oldest_transaction_seconds": "Time for which the oldest open transaction has been observed.",
}
"""The gauges of what waits, by name: the same values in every process, because they are read from the database."""


class Metrics:
    """The counters of one process, since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._limits = LimitCounts()
        self.registry.register(self._limits)
        self._pools = PoolGauges()
        self.registry.register(self._pools)
        self._calls = CallCounts()
        self.registry.register(self._calls)
        self._edge = EdgeCounts()
        self.registry.register(self._edge)
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
        self._ready = self._late("ready", "1 while this process can serve calls, else 0.")
        self._skew = self._late("clock_skew_seconds", "How far this machine's clock is ahead of the database's.")
        self._backup_behind = self._late(
            "backup_behind_bytes", "Write-ahead log that is not in the backup folder yet, if there is one."
        )
        self._backup_stopped = self._late(
            "backup_stopped", "1 while the write-ahead log is not copied to the backup folder, else 0."
        )
        self.base_backup_age = AskedGauge(
            "medconnect_base_backup_age_seconds",
            "Age of the newest base backup in the backup folder, if there is one; infinite before the first.",
        )
        self.registry.register(self.base_backup_age)
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
        replays = Counter(
            "medconnect_replays",
            "Responses that were the stored ones of an earlier call with the same idempotency key.",
            ["method"],
            registry=self.registry,
        )
        self._replay = _Children(replays)
        self._loop_lag = Histogram(
            "medconnect_event_loop_lag_seconds",
            "How much later than planned a periodic task of the event loop ran.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._backlog = {
            name: Gauge(f"medconnect_{name}", meaning, registry=self.registry) for name, meaning in BACKLOG.items()
        }
        self._silence = _Children(silence)
        self._works = _Children(works)
        self._denial = _Children(denials)
        self._failure = _Children(failures)

    def _late(self, name: str, meaning: str) -> LateGauge:
        gauge = LateGauge(f"medconnect_{name}", meaning)
        self.registry.register(gauge)
        return gauge

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
        self._ready.value = ready

    def clock_compared(self, skew: float) -> None:
        """Sets how many seconds this machine's clock is ahead of the database's."""
        self._skew.value = skew

    def backup_seen(self, behind: int, stopped: bool) -> None:
        """Sets how many bytes the copy of the write-ahead log is behind, and whether it has stopped."""
        self._backup_behind.value, self._backup_stopped.value = behind, stopped

    def background_seen(self, silence: Mapping[str, float], dead: Set[str], lag: float) -> None:
        """Sets how long each background task has been silent, which are dead, and the seals' delay; in seconds."""
        self._lag.set(lag)
        for task, seconds in silence.items():
            self._silence[task,].set(seconds)
            self._works[task,].set(task not in dead)

    def backlog_seen(self, values: Mapping[str, float], oldest_transaction: float) -> None:
        """Sets the gauges of BACKLOG by name, and the age of the oldest open transaction in seconds."""
        for name, value in values.items():
            self._backlog[name].set(value)
        self._backlog["database_oldest_transaction_seconds"].set(oldest_transaction)

    def replayed(self, method: str) -> None:
        """Counts a stored response that was returned again."""
        self._replay[method,].inc()

    def loop_lagged(self, seconds: float) -> None:
        """Records how late the event loop ran a task."""
        self._loop_lag.observe(seconds)

    def edge_seen(self, values: EdgeValues | None) -> None:
        """Sets the edge's counters; None: Envoy did not answer."""
        self._edge.is_up = values is not None
        if values is not None:
            self._edge.values = values

    @property
    def limit_counts(self) -> LimitCounts:
        """Returns the counts of each limit since the process started."""
        return self._limits
