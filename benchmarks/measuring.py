"""Measures calls against all variants in turn, so that every result is a ratio within one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import asyncpg

from benchmarks.load import Caller, Round
from benchmarks.plan import RehearsedCall, Variant
from benchmarks.rehearsal import restore

LEAST_WARM_UP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """The rounds of a call against its variants; figures are medians."""

    known: RehearsedCall
    rounds: Mapping[Variant, Sequence[Round]]

    @property
    def name(self) -> str:
        """The name of the call in the report."""
        return self.known.call.name

    def cpu(self, variant: Variant) -> float:
        """Returns the CPU microseconds of the server per call."""
        return self.figure(variant, "cpu")

    def figure(self, variant: Variant, name: str) -> float:
        """Returns the median of a figure of the rounds against a variant."""
        return float(median(getattr(round_, name) for round_ in self.rounds[variant]))

    def has(self, *variants: Variant) -> bool:
        """Returns whether the call was measured against all these variants."""
        return all(self.rounds.get(variant) for variant in variants)

    @property
    def failed(self) -> int:
        """The number of calls that failed, against all variants."""
        return sum(one.failed for rounds in self.rounds.values() for one in rounds)

    def over(self, baseline: Variant) -> float:
        """Returns the server's CPU time as a multiple of a baseline's, as the median of the rounds' ratios."""
        pairs = zip(self.rounds[Variant.SERVER], self.rounds[baseline], strict=True)
        return median(server.cpu / base.cpu for server, base in pairs)


async def measure(
    known: RehearsedCall, callers: Mapping[Variant, Caller], database: asyncpg.Pool, seconds: float, rounds: int
) -> Measured:
    """Warms every variant up, then measures them in turn, round by round, so that disturbances affect all of them."""
    call = known.call
    used = {variant: caller for variant, caller in callers.items() if variant in call.variants}
    measured: dict[Variant, list[Round]] = {variant: [] for variant in used}
    if call.first_time:
        return Measured(known, {variant: [await caller.round(call, seconds)] for variant, caller in used.items()})
    for caller in used.values():
        await restore(call, database)
        await caller.round(call, max(LEAST_WARM_UP_SECONDS, seconds / 2))
    for _ in range(rounds):
        for variant, caller in used.items():
            await restore(call, database)
            measured[variant].append(await caller.round(call, seconds))
    return Measured(known, measured)
