"""The limits of the calls, and the figures of the original Express system.

Sources: issue 13, "It must show"; the performance page, on a quiet machine. The original's figures are CPU microseconds
of node per request, without PostgreSQL, measured on a machine of the same class; they stand on the performance page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import Measured
from benchmarks.plan import Variant
from benchmarks.report.sections import Target

ISSUE: Final = "issue 13"
QUIET: Final = "quiet machine"

CHAIN_MICROSECONDS: Final = 120.0
OVER_F1: Final = 1.5
REST_OVER_GRPC: Final = 1.3
REST_P50_MILLISECONDS: Final = 0.3
EDGE_MICROSECONDS: Final = 350.0
"""Envoy's share of a REST call whose response has about 12 KB: a page of ten prescriptions."""
ORIGINAL_OVER_REST: Final = 3.0
ORIGINAL_OVER_GRPC: Final = 4.0

ORIGINAL: Final[Mapping[str, float]] = {
    "LookupPrescriptions": 4_723,
    "ScanQrCode": 39_915,
    "ListPrescriptions, 10": 4_290,
    "CreatePrescription": 51_262,
    "Login": 290_987,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one call; those of the quiet machine are ratio to F1, CPU and chain over F0."""

    quiet: tuple[float, float, float] | None = None
    cpu: float | None = None
    """CPU microseconds that the issue allows."""


LIMITS: Final[Mapping[str, Limits]] = {
    "GetCurrentUser": Limits(quiet=(1.45, 530, 140)),
    "LookupPrescriptions": Limits(quiet=(1.55, 920, 140)),
    "ScanQrCode": Limits(quiet=(1.5, 1_050, 150)),
    "CreatePrescription": Limits(quiet=(1.6, 1_450, 180), cpu=2_000),
    "ListPrescriptions, 20": Limits(cpu=1_200),
    "Login": Limits(cpu=25_000),
    "GetQrCodeImage, first": Limits(cpu=5_000),
}
UNLIMITED: Final = frozenset({"ListPrescriptions, 1", "ListPrescriptions, 100"})
"""Calls that are measured for comparison; nothing limits their ratio to F1."""
STATEMENTS: Final[Mapping[str, int]] = {
    "ScanQrCode": 4,
    "LookupPrescriptions": 4,
    "ValidatePrescription": 5,
    "DispensePrescription": 6,
    "CreatePrescription": 7,
}
"""The most statements of a call; other calls may run two."""


def targets_of(call: Measured) -> Iterator[Target]:
    """Yields the targets of a call with its figures."""
    limits = LIMITS.get(call.name, Limits())
    if call.has(Variant.F1):
        yield from _targets_over_baselines(call, limits)
    if limits.cpu is not None:
        yield Target(f"{call.name}, CPU", call.cpu(Variant.SERVER), limits.cpu, "µs", ISSUE)
    if call.has(Variant.REST):
        yield from _targets_of_rest(call)
    if call.name in ORIGINAL:
        yield from _targets_against_original(call, ORIGINAL[call.name])


def _targets_over_baselines(call: Measured, limits: Limits) -> Iterator[Target]:
    ratio, server = call.over(Variant.F1), call.cpu(Variant.SERVER)
    if call.name not in UNLIMITED:
        yield Target(f"{call.name} ÷ F1", ratio, OVER_F1, "", ISSUE)
    statements = STATEMENTS.get(call.name, 2)
    yield Target(f"{call.name}, statements", call.known.statement_count, statements, "", "performance page")
    chain = call.cpu(Variant.CHAIN) - call.cpu(Variant.F0) if call.has(Variant.CHAIN) else None
    if chain is not None:
        yield Target(f"{call.name}, chain over F0", chain, CHAIN_MICROSECONDS, "µs", ISSUE)
    if limits.quiet is not None:
        over_f1, cpu, over_f0 = limits.quiet
        yield Target(f"{call.name} ÷ F1", ratio, over_f1, "", QUIET)
        yield Target(f"{call.name}, CPU", server, cpu, "µs", QUIET)
        if chain is not None:
            yield Target(f"{call.name}, chain over F0", chain, over_f0, "µs", QUIET)


def _targets_of_rest(call: Measured) -> Iterator[Target]:
    if call.has(Variant.F1):
        ratio = call.cpu(Variant.REST) / call.cpu(Variant.SERVER)
        later = call.figure(Variant.REST, "p50") - call.figure(Variant.SERVER, "p50")
        yield Target(f"{call.name}, server CPU of REST ÷ gRPC", ratio, REST_OVER_GRPC, "", ISSUE)
        yield Target(f"{call.name}, p50 of REST - gRPC", later, REST_P50_MILLISECONDS, "ms", "performance page")
    if call.name == "ListPrescriptions, 10":
        edge = call.figure(Variant.REST, "edge")
        yield Target(f"{call.name}, CPU of Envoy", edge, EDGE_MICROSECONDS, "µs", ISSUE)


def _targets_against_original(call: Measured, original: float) -> Iterator[Target]:
    grpc = original / call.cpu(Variant.SERVER)
    yield Target(f"{call.name}, the original ÷ gRPC", grpc, ORIGINAL_OVER_GRPC, "", ISSUE, at_least=True)
    if call.has(Variant.REST):
        rest = original / (call.cpu(Variant.REST) + call.figure(Variant.REST, "edge"))
        yield Target(f"{call.name}, the original ÷ REST", rest, ORIGINAL_OVER_REST, "", ISSUE, at_least=True)
