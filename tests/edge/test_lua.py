"""The JSON functions of the Lua filter, with texts that no transcoder would send."""

import json
import random
from collections.abc import Iterator

import pytest

from tests.edge.bench import Bench, run_bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with run_bench(tmp_path_factory.mktemp("bench")) as running:
        yield running


def test_what_is_read_and_written_again_is_the_same(bench: Bench) -> None:
    chance = random.Random(7)
    texts = ["".join(chance.choices([*map(chr, range(256)), "漢", "😀", "\u2028"], k=20)) for _ in range(500)]
    answers = bench.ask("rewrite", [json.dumps(text, ensure_ascii=chance.random() < 0.5) for text in texts])
    assert [json.loads(answer) for answer in answers] == texts
