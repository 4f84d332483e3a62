"""The incidents that the alerts are tested with: how the metrics look, and which alerts must fire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NODE: Final = 'job="medconnect",instance="clinic:9091"'

HEALTHY: Final[Mapping[str, str]] = {
    f"up{{{NODE}}}": "1",
    f"medconnect_ready{{{NODE}}}": "1",
    f"medconnect_clock_skew_seconds{{{NODE}}}": "0.01",
    f'medconnect_calls_total{{{NODE},method="GetPatient",reason="OK"}}': "0+1500",
    f'medconnect_calls_total{{{NODE},method="GetPatient",reason="SERVER_BUSY"}}': "0",
    f'medconnect_call_seconds_bucket{{{NODE},method="GetPatient",le="0.05"}}': "0+1500",
    f'medconnect_call_seconds_bucket{{{NODE},method="GetPatient",le="5.0"}}': "0+1500",
    f'medconnect_call_seconds_bucket{{{NODE},method="GetPatient",le="+Inf"}}': "0+1500",
    f'medconnect_event_loop_lag_seconds_bucket{{{NODE},le="0.01"}}': "0+150",
    f'medconnect_event_loop_lag_seconds_bucket{{{NODE},le="2.5"}}': "0+150",
    f'medconnect_event_loop_lag_seconds_bucket{{{NODE},le="+Inf"}}': "0+150",
    f'medconnect_database_pool{{{NODE},pool="calls",what="waiting"}}': "0",
    f"medconnect_database_oldest_transaction_seconds{{{NODE}}}": "0",
    f"medconnect_database_xid_age{{{NODE}}}": "150000000",
    f"medconnect_many_patients_read{{{NODE}}}": "0",
    f"medconnect_feed_lag_seconds{{{NODE}}}": "0.4",
    f"medconnect_audit_seal_lag_seconds{{{NODE}}}": "0.4",
    f'medconnect_background_works{{{NODE},task="sealing"}}': "1",
    f'medconnect_background_works{{{NODE},task="events"}}': "1",
    f"medconnect_email_workers{{{NODE}}}": "1",
    f"medconnect_email_circuits_open{{{NODE}}}": "0",
    f"medconnect_emails_oldest_pending_seconds{{{NODE}}}": "0.2",
    f"medconnect_emails_failed{{{NODE}}}": "3",
    f"medconnect_edge_up{{{NODE}}}": "1",
    f'medconnect_edge_servers{{{NODE},cluster="server",what="known"}}': "2",
    f'medconnect_edge_servers{{{NODE},cluster="server",what="healthy"}}': "2",
    f"medconnect_backup_stopped{{{NODE}}}": "0",
    f"medconnect_backup_behind_bytes{{{NODE}}}": "200000",
    f"medconnect_base_backup_age_seconds{{{NODE}}}": "40000",
    f"process_open_fds{{{NODE}}}": "60",
    f"process_max_fds{{{NODE}}}": "1024",
    f"process_resident_memory_bytes{{{NODE}}}": "190000000",
}
"""The series of a healthy machine, each with its value, or with its start and growth every 15 seconds."""

Fault = tuple[str, str]
"""A series by its metric and its own labels, and its values."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident: how the series differ from HEALTHY, and every alert that fires 70 minutes later."""

    name: str
    faults: tuple[Fault, ...]
    alerts: frozenset[str]
    gone: tuple[str, ...] = field(default=())
    """Metrics that the dead process no longer serves."""


def _failures(kind: str, sqlstate: str = "") -> Fault:
    return f'medconnect_database_failures_total|kind="{kind}",sqlstate="{sqlstate}"', "0+300"


_NOT_READY: Final = ("medconnect_ready|", "0")
_NO_SERVER: Final = ('medconnect_edge_servers|cluster="server",what="healthy"', "0")
_DOWN: Final = (_NOT_READY, _NO_SERVER)
_DOWN_ALERTS: Final = frozenset({"NotReady", "EdgeWithoutServer", "ServerMissing"})

INCIDENTS: Final = (
    Incident("Nothing is wrong", (), frozenset()),
    Incident(
        "PostgreSQL has stopped",
        (*_DOWN, _failures("ConnectionRefusedError"), _failures("CannotConnectNowError", "57P03")),
        _DOWN_ALERTS | {"DatabaseGone"},
    ),
    Incident(
        "The database's disk is full", (*_DOWN, _failures("DiskFullError", "53100")), _DOWN_ALERTS | {"DatabaseFull"}
    ),
    Incident(
        "The database is read-only",
        (*_DOWN, _failures("ReadOnlySQLTransactionError", "25006")),
        _DOWN_ALERTS | {"DatabaseReadOnly"},
    ),
    Incident(
        "The service's role was revoked",
        (*_DOWN, _failures("InsufficientPrivilegeError", "42501")),
        _DOWN_ALERTS | {"DatabaseRefusesAccount"},
    ),
    Incident(
        "A transaction was left open, perhaps in another database",
        (
            ("medconnect_database_oldest_transaction_seconds|", "0+15"),
            ("medconnect_feed_lag_seconds|", "0+15"),
            ("medconnect_audit_seal_lag_seconds|", "0+15"),
        ),
        frozenset({"OldTransaction", "FeedBehind", "AuditNotSealed"}),
    ),
    Incident(
        "The mail server is away",
        (("medconnect_email_circuits_open|", "1"), ("medconnect_emails_oldest_pending_seconds|", "0+15")),
        frozenset({"MailServerAway", "EmailsLate"}),
    ),
    Incident(
        "The worker has died and nothing takes over",
        (
            ("medconnect_email_workers|", "0"),
            ("medconnect_emails_oldest_pending_seconds|", "0+15"),
            ('medconnect_background_works|task="sealing"', "0"),
            ("medconnect_audit_seal_lag_seconds|", "0+15"),
        ),
        frozenset({"NoEmailWorker", "EmailsLate", "BackgroundWorkDead", "AuditNotSealed"}),
    ),
    Incident(
        "Envoy has died",
        (("medconnect_edge_up|", "0"),),
        frozenset({"EdgeDown"}),
    ),
    Incident(
        "One of two serving processes has died",
        (('medconnect_edge_servers|cluster="server",what="healthy"', "1"),),
        frozenset({"ServerMissing"}),
    ),
    Incident(
        "The whole machine is off",
        (("up|", "0"),),
        frozenset({"ProcessDown"}),
        gone=("medconnect_", "process_"),
    ),
    Incident(
        "Ten times more calls arrive than can be served",
        (
            ('medconnect_calls_total|method="GetPatient",reason="SERVER_BUSY"', "0+15000"),
            ('medconnect_database_pool|pool="calls",what="waiting"', "4"),
        ),
        frozenset({"Overloaded", "PoolExhausted"}),
    ),
    Incident(
        "A session holds a lock that calls need",
        (_failures("LockNotAvailableError", "55P03"), ('medconnect_database_pool|pool="calls",what="waiting"', "9")),
        frozenset({"LocksHeld", "PoolExhausted"}),
    ),
    Incident(
        "The machine's clock runs 75 seconds ahead",
        (*_DOWN, ("medconnect_clock_skew_seconds|", "75")),
        _DOWN_ALERTS | {"ClockSkewed"},
    ),
    Incident(
        "The event loop is blocked",
        (
            ('medconnect_event_loop_lag_seconds_bucket|le="0.01"', "0"),
            ('medconnect_call_seconds_bucket|method="GetPatient",le="0.05"', "0"),
        ),
        frozenset({"EventLoopBlocked", "CallsSlow"}),
    ),
    Incident(
        "The backup disk is full",
        (("medconnect_backup_stopped|", "1"), ("medconnect_backup_behind_bytes|", "0+16000000")),
        frozenset({"BackupStopped", "BackupBehind"}),
    ),
    Incident(
        "The nightly backup no longer runs",
        (("medconnect_base_backup_age_seconds|", "95000+15"),),
        frozenset({"BackupOld"}),
    ),
    Incident(
        "Redis is away",
        (('medconnect_rate_limit_store_failures_total|store="redis"', "0+1500"),),
        frozenset({"LimitStoreAway"}),
    ),
    Incident(
        "Too many clients of PostgreSQL",
        (_failures("TooManyConnectionsError", "53300"),),
        frozenset({"DatabaseOutOfConnections"}),
    ),
    Incident("Statements are slow", (_failures("QueryCanceledError", "57014"),), frozenset({"StatementsTooSlow"})),
    Incident(
        "The place of the audit's heads is away",
        (("medconnect_audit_head_failures_total|", "0+1"),),
        frozenset({"AuditHeadsNotKept"}),
    ),
    Incident("The mail server refuses all emails", (("medconnect_emails_failed|", "3+1"),), frozenset({"EmailsFail"})),
    Incident(
        "A fault of the program",
        (('medconnect_calls_total|method="GetPatient",reason="KeyError"', "0+1"),),
        frozenset({"InternalErrors"}),
    ),
    Incident("A leak of file descriptors", (("process_open_fds|", "900"),), frozenset({"FilesRunOut"})),
    Incident("A leak of memory", (("process_resident_memory_bytes|", "900000000"),), frozenset({"MemoryGrows"})),
    Incident(
        "Transaction ids run out",
        (("medconnect_database_xid_age|", "1900000000"),),
        frozenset({"TransactionIdsRunOut"}),
    ),
    Incident(
        "An account reads the records of many patients",
        (("medconnect_many_patients_read|", "1"),),
        frozenset({"ManyPatientsRead"}),
    ),
    Incident(
        "Tokens are guessed",
        (('medconnect_anonymous_denials_total|method="GetPatient"', "0+150"),),
        frozenset({"TokensGuessed"}),
    ),
)


def series_of(incident: Incident) -> Mapping[str, str]:
    """Returns the series of an incident with their values."""
    series = {name: values for name, values in HEALTHY.items() if not name.startswith(incident.gone or ("?",))}
    for name, values in incident.faults:
        metric, _, labels = name.partition("|")
        series[f"{metric}{{{NODE}{',' if labels else ''}{labels}}}"] = values
    return series
