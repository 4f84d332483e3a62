"""Measures every call of the story against its baselines, over gRPC and REST."""

import math
from collections.abc import Collection, Iterator, Sequence

from benchmarks.load import IN_FLIGHT
from benchmarks.measuring import Measured, measure
from benchmarks.plan import EVERY, Call, Variant
from benchmarks.report.sections import Bar, Chart, Section, Table
from benchmarks.stage import callers, staged
from benchmarks.story import Story, size_for
from benchmarks.targets import OVER_F1, UNLIMITED, targets_of

MOST_OF_F1 = 2_500
"""More calls per second than F1 serves."""


async def run(seconds: float, rounds: int, seed: int, only: Collection[str] = ()) -> Section:
    """Measures the calls; seconds: the length of a round; only: the names of the calls, all if empty."""

    def choose(story: Story) -> Collection[Call]:
        return [call for call in story.calls() if not only or call.name.partition(",")[0] in only]

    size = size_for(seconds)
    repetitions = math.ceil(MOST_OF_F1 * seconds * (rounds + 1))
    async with (
        staged(size, seconds, seed, choose) as stage,
        callers(stage, EVERY, repetitions=repetitions) as servers,
        stage.database() as database,
    ):
        measured = [await measure(known, servers, database, seconds, rounds) for known in stage.calls]
    setting = (
        f"{rounds} rounds of {seconds:g} s per variant, in turn, with {IN_FLIGHT} calls in flight, on a hospital of"
        f" {size.patients:,} patients and {size.prescriptions:,} prescriptions."
    )
    return section(measured, setting)


def section(measured: Sequence[Measured], setting: str) -> Section:
    """Returns the section of these calls; `setting` describes how they were measured."""
    compared = [call for call in measured if call.has(Variant.F1)]
    notes = (
        "Figures are medians of CPU microseconds per call (user and system time). F0: a bare grpc.aio server that"
        " returns the same message. F1: F0 and the same statements with asyncpg, prepared, on connections from a plain"
        " list. Chain: the interceptors before F0. Server: the whole server over gRPC. REST: the same server behind"
        " Envoy, whose own time stands beside it. PostgreSQL: all its processes, for a call over gRPC. BEGIN and COMMIT"
        f" are not counted as statements. {setting}{_failures(measured)}"
    )
    tables = (
        Table(
            ("call", "statements", "F0", "F1", "chain", "server", "÷ F0", "÷ F1", "PostgreSQL"),
            list(map(_cpu_row, measured)),
            "CPU microseconds per call",
        ),
        Table(
            ("call", "gRPC", "REST", "Envoy", "calls/s", "p50 ms", "p99 ms", "REST p50 ms", "REST p99 ms"),
            list(map(_transport_row, measured)),
            "gRPC and REST",
        ),
    )
    targets = [target for call in measured for target in targets_of(call)]
    return Section("calls", "Calls", notes, tables, targets, list(_charts(compared, measured)))


def _failures(measured: Sequence[Measured]) -> str:
    failed = sum(call.failed for call in measured)
    return f" **{failed} calls failed**: the machine was too busy." if failed else ""


def _cpu_row(call: Measured) -> Sequence[str]:
    variants = (Variant.F0, Variant.F1, Variant.CHAIN, Variant.SERVER)
    cpu = [f"{call.cpu(variant):,.0f}" if call.has(variant) else "" for variant in variants]
    ratios = [f"{call.over(base):.2f}" if call.has(base) else "" for base in (Variant.F0, Variant.F1)]
    statements = str(call.known.statement_count)
    return (call.name, statements, *cpu, *ratios, f"{call.figure(Variant.SERVER, 'database'):,.0f}")


def _transport_row(call: Measured) -> Sequence[str]:
    grpc = [f"{call.figure(Variant.SERVER, name):{form}}" for name, form in (("rate", ",.0f"), *_LATENCIES)]
    if not call.has(Variant.REST):
        return (call.name, f"{call.cpu(Variant.SERVER):,.0f}", "", "", *grpc, "", "")
    edge = f"{call.figure(Variant.REST, 'edge'):,.0f}"
    rest = [f"{call.figure(Variant.REST, name):{form}}" for name, form in _LATENCIES]
    return (call.name, f"{call.cpu(Variant.SERVER):,.0f}", f"{call.cpu(Variant.REST):,.0f}", edge, *grpc, *rest)


_LATENCIES = (("p50", ".1f"), ("p99", ".1f"))


def _charts(compared: Sequence[Measured], measured: Sequence[Measured]) -> Iterator[Chart]:
    if compared:
        bars = [
            Bar(call.name, [call.over(Variant.F1)], None if call.name in UNLIMITED else OVER_F1) for call in compared
        ]
        yield Chart(
            "ratios", "Server CPU as a multiple of F1 (raw asyncpg below bare grpc.aio)", ("server ÷ F1",), bars
        )
        shares = [Bar(call.name, _shares(call)) for call in compared]
        parts = ("bare grpc.aio (F0)", "statements (F1 - F0)", "interceptors (chain - F0)", "everything else")
        yield Chart("shares", "What a call over gRPC costs: CPU microseconds of the server", parts, shares)
    rest = [call for call in measured if call.has(Variant.REST, Variant.F1)]
    if rest:
        both = [Bar(call.name, [call.cpu(Variant.REST), call.figure(Variant.REST, "edge")]) for call in rest]
        yield Chart("rest", "What a call over REST costs: CPU microseconds", ("server", "Envoy"), both)
    against = [target for call in measured for target in targets_of(call) if "the original" in target.question]
    if against:
        bars = [Bar(one.question.replace(", the original ÷", " by"), [one.measured], one.limit, at_least=True)
                for one in against]  # fmt: skip
        yield Chart("original", "How many times less CPU than the original Express system", ("times",), bars)


def _shares(call: Measured) -> Sequence[float]:
    """Returns the parts of a call's cost; a part that is smaller than the noise is 0."""
    base, statements = call.cpu(Variant.F0), max(0.0, call.cpu(Variant.F1) - call.cpu(Variant.F0))
    chain = max(0.0, call.cpu(Variant.CHAIN) - base) if call.has(Variant.CHAIN) else 0.0
    rest = max(0.0, call.cpu(Variant.SERVER) - base - statements - chain)
    return [base, statements, chain, rest]
