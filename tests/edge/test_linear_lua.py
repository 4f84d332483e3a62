"""S82: every entry point of the Lua code takes time in proportion to its input, whatever its content."""

import math
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.edge.bench import Bench, run_bench
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

KIB: Final = (16, 32, 64)
TASKS: Final = ("judge", "query", "message", "path", "media_type", "status", "complaint")
"""The entry points whose bytes a client chooses."""
ROUNDS: Final = 12
NOISE_SECONDS: Final = 0.002
"""Shorter times may be noise and are not compared."""
MOST_GROWTH: Final = 3.0
"""The growth of the time at each doubling of the input; quadratic code has 4."""
MOST_SECONDS_PER_MIB: Final = 0.8


def repeated(piece: str) -> Callable[[int], bytes]:
    return lambda size: (piece * (size // len(piece) + 1)).encode()[:size]


def between(start: str, piece: str, end: str) -> Callable[[int], bytes]:
    return lambda size: f"{start}{piece * ((size - len(start) - len(end)) // len(piece))}{end}".encode()


def equal_at_their_ends(size: int) -> bytes:
    """Returns an object whose names differ only in positions that a sampling string hash skips."""
    members = (f'"{"a" * 24}{number:06d}{"a" * 24}":1' for number in range(size // 58))
    return ("{" + ",".join(members) + "}").encode()


HOSTILE: Final = {
    **{piece: repeated(piece) for piece in "a=&%+./_;,{}[]:\"\\' \t\n0-"},
    **{
        piece: repeated(piece) for piece in ("a=", "&a", "=&", "%4", "%41", "a&=", "a.b", "_a", "a_", "/api", "//", "é")
    },
    **{piece: repeated(piece) for piece in (" for type ", ": invalid value ", '\\"', "\\u0041")},
    "a long name": between("colour", "a", ""),
    "a long string": between('{"name":"', "a", '"}'),
    "a string of escapes": between('{"name":"', "\\u00e9", '"}'),
    "a string that does not end": between('{"name":"', "\\n", ""),
    "many members": between('{"name":1', ',"colour":"red"', "}"),
    "many elements": between('{"colours":["red"', ',"red"', "]}"),
    "many boxes": between('{"boxes":[{}', ',{"colour":"red"}', "]}"),
    "many lists in a list": between('{"colours":[[]', ",[[]]", "]}"),
    "much white space": between('{"name":', " ", "1}"),
    "many lines": between("{", "\n", "}x"),
    "a long number": between('{"name":1', "0", "}"),
    "a long fraction": between('{"name":0.', "1", "e}"),
    "deep objects": between("", '{"box":', ""),
    "deep lists": between('{"boxes":', "[", ""),
    "names with underscores": between('{"', "a_", '":1}'),
    "json, parameters": between("application/json;", " a=b;", ""),
    "json, blanks": between("application/json", " ", "x"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with run_bench(tmp_path_factory.mktemp("bench")) as running:
        yield running


def grows_linearly(bench: Bench, task: str, make: Callable[[int], bytes]) -> str:
    """Returns the fault in the times that a task takes for growing inputs of one kind; empty if there is none.

    Noise only adds time, so the best of several rounds counts; a fast enough largest input needs no more rounds.
    """
    documents = [make(kib * 1024) for kib in KIB]
    if bench.seconds(task, documents[-1]) <= NOISE_SECONDS:
        return ""
    best = [math.inf] * len(documents)
    for _ in range(ROUNDS):
        best = [min(time, bench.seconds(task, document)) for time, document in zip(best, documents, strict=True)]
        steep = best[-1] > NOISE_SECONDS and best[-1] > MOST_GROWTH ** (len(KIB) - 1) * best[0]
        slow = [time for time, kib in zip(best, KIB, strict=True) if time > within(MOST_SECONDS_PER_MIB * kib / 1024)]
        if not steep and not slow:
            return ""
    return f"{[f'{time * 1000:.1f} ms' for time in best]} for {KIB} KiB"


@control("S82")
@pytest.mark.parametrize("task", TASKS)
def test_every_lua_entry_point_is_linear_in_its_input(bench: Bench, task: str) -> None:
    kinds = {**HOSTILE, "names with one hash": equal_at_their_ends}
    faults = {kind: fault for kind, make in kinds.items() if (fault := grows_linearly(bench, task, make))}
    assert not faults
