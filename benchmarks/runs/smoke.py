"""Measures a few calls briefly and compares their ratios to the baselines with those of a committed file."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks.measuring import measure
from benchmarks.plan import Call, Variant
from benchmarks.stage import callers, staged
from benchmarks.story import Story, size_for

REFERENCE: Final = Path(__file__).parents[1] / "reference.json"
GROWTH: Final = 4 / 3
"""A ratio may be this multiple of its reference."""
BASELINES: Final = (Variant.F0, Variant.F1)
SMOKED: Final[Mapping[str, Collection[Variant]]] = {
    "GetCurrentUser": BASELINES,
    "LookupPrescriptions": (Variant.F1,),
    "ScanQrCode": (Variant.F1,),
    "CreatePrescription": (Variant.F1,),
}
"""The baselines that each call is compared with.

A call that sends much SQL is not compared with F0, which sends none: between two machines the ratio differed by half
for the same code. Tests count the statements of these calls.
"""
ATTEMPTS: Final = 4
"""Only a call whose ratios stay too high in all attempts fails: other programs disturb single ones."""
SECONDS: Final = 0.15
ROUNDS: Final = 5
SEED: Final = 1

Ratios = Mapping[str, Mapping[str, float]]
"""The server's CPU time as a multiple of each baseline's, by the name of the call."""


async def run(reference: Ratios) -> Ratios:
    """Returns the smallest ratios of each call, measured again without a reference or while too high for it."""

    def choose(story: Story) -> Collection[Call]:
        return [call for call in story.calls() if call.name in SMOKED]

    found: dict[str, dict[str, float]] = {}
    async with (
        staged(size_for(SECONDS), SECONDS, SEED, choose) as stage,
        callers(stage, (*BASELINES, Variant.SERVER)) as servers,
        stage.database() as database,
    ):
        for known in stage.calls:
            best = found.setdefault(known.call.name, {})
            for _ in range(ATTEMPTS):
                measured = await measure(known, servers, database, SECONDS, ROUNDS)
                for base in SMOKED[known.call.name]:
                    best[base] = round(min(measured.over(base), best.get(base, float("inf"))), 2)
                if reference and not list(grown({known.call.name: best}, reference)):
                    break
    return found


def grown(found: Ratios, reference: Ratios) -> Iterator[str]:
    """Yields a line for each ratio that has grown by more than a third over its reference."""
    for name, ratios in found.items():
        for base, ratio in ratios.items():
            known = reference.get(name, {}).get(base)
            if known is not None and ratio > known * GROWTH:
                yield f"{name}: {ratio:.2f} × {base}, more than a third above {known:.2f} of {REFERENCE.name}"


def read_reference() -> Ratios:
    """Returns the committed ratios."""
    reference: Ratios = json.loads(REFERENCE.read_text())
    return reference


def write_reference(found: Ratios) -> None:
    """Replaces the committed ratios."""
    REFERENCE.write_text(json.dumps(found, indent=1) + "\n")
