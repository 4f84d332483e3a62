"""Formats the measurements as Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from benchmarks.load import Round
from benchmarks.plan import RehearsedCall


class Variant(StrEnum):
    """The measured servers: the two baselines, the interceptors alone, and the whole server."""

    F0 = "F0"
    F1 = "F1"
    CHAIN = "chain"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Measured:
    """The rounds of a call against every variant; figures are medians."""

    known: RehearsedCall
    rounds: Mapping[Variant, Sequence[Round]]

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.known.call.name

    def cpu(self, variant: Variant) -> float:
        """Returns the CPU microseconds per call."""
        return self.figure(variant, lambda round_: round_.cpu)

    def figure(self, variant: Variant, of: Callable[[Round], float]) -> float:
        """Returns the median of a figure over the rounds against a variant."""
        return median(map(of, self.rounds[variant]))

    @property
    def over_f1(self) -> float:
        """The server's CPU time as a multiple of that of F1."""
        return self.cpu(Variant.SERVER) / self.cpu(Variant.F1)

    @property
    def chain_over_f0(self) -> float:
        """CPU microseconds that the chain of interceptors adds to a bare server."""
        return self.cpu(Variant.CHAIN) - self.cpu(Variant.F0)


@dataclass(frozen=True, slots=True)
class Target:
    """The limits of a call."""

    over_f1: float
    cpu: float | None = None
    """Microseconds."""


TARGETS: Mapping[str, Target] = {
    "GetCurrentUser": Target(over_f1=1.6),
    "LookupPrescriptions": Target(over_f1=1.6),
    "ScanQrCode": Target(over_f1=1.6),
    "CreatePrescription": Target(over_f1=1.8, cpu=2000),
}
CHAIN_TARGET = 120.0
"""Microseconds that the whole chain may add to a call."""


def report(measured: Sequence[Measured], setting: str) -> str:
    """Returns a table of the figures and one of the targets; `setting` describes how they were measured."""
    figures = _table(
        (
            "call",
            "statements",
            "F0 µs",
            "F1 µs",
            "chain µs",
            "server µs",
            "÷ F0",
            "÷ F1",
            "calls/s",
            "p50 ms",
            "p99 ms",
        ),
        map(_figures, measured),
    )
    targets = _table(("target", "measured", "limit", ""), (line for call in measured for line in _answers(call)))
    notes = (
        "CPU microseconds of the server process per call; PostgreSQL and the client are other processes.\nF0: a bare"
        " grpc.aio server with the same messages. F1: F0 and the same statements with asyncpg.\nChain: the server's"
        " interceptors before F0. BEGIN and COMMIT are not counted.\nCalls per second and latencies are the server's."
    )
    return (
        "\n\n".join(("# The server against its baselines", f"{notes}\n\n{setting}", figures, "## Targets", targets))
        + "\n"
    )


def _figures(call: Measured) -> tuple[str, ...]:
    server = call.cpu(Variant.SERVER)
    return (
        call.name,
        str(call.known.statement_count),
        *(f"{call.cpu(variant):,.0f}" for variant in Variant),
        f"{server / call.cpu(Variant.F0):.2f}",
        f"{call.over_f1:.2f}",
        f"{call.figure(Variant.SERVER, lambda round_: round_.rate):,.0f}",
        f"{call.figure(Variant.SERVER, lambda round_: round_.p50):.1f}",
        f"{call.figure(Variant.SERVER, lambda round_: round_.p99):.1f}",
    )


def _answers(call: Measured) -> Iterable[tuple[str, ...]]:
    target = TARGETS[call.name]
    yield (f"{call.name} ÷ F1", f"{call.over_f1:.2f}", f"≤ {target.over_f1:.1f}", _met(call.over_f1 <= target.over_f1))
    if target.cpu is not None:
        server = call.cpu(Variant.SERVER)
        yield (f"{call.name}, CPU", f"{server:,.0f} µs", f"≤ {target.cpu:,.0f} µs", _met(server <= target.cpu))
    added = call.chain_over_f0
    yield (f"{call.name}, chain over F0", f"{added:,.0f} µs", f"≤ {CHAIN_TARGET:.0f} µs", _met(added <= CHAIN_TARGET))


def _met(holds: bool) -> str:
    return "met" if holds else "**not met**"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
