"""The Lua modules alone, with documents that no transcoder would send."""

import json
import random
from collections.abc import Iterator

import pytest

from tests.edge.bench import Bench, run_bench

COLOURS = {"COLOUR_RED": "red", "COLOUR_DARK_BLUE": "dark_blue"}
TEXTS = [
    "red",
    "COLOUR_RED",
    "dark_blue",
    "",
    'a"b',
    "\\",
    "\\\\",
    "{",
    "]",
    ",",
    ":",
    "\n",
    "\u0000",
    "ü",
    "漢",
    "😀",
    "\u2028",
]
KEYS = ["colour", "colours", "box", "boxes", "name", "co\\lour", 'bo"x', "", "😀"]


def random_value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(10 if depth else 6)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.choice([0, -1, 12.5, 1e300, -1.5e-7, 10**20])
    if kind < 6:
        return chance.choice(TEXTS)
    if kind == 6:
        return [random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(KEYS): random_value(chance, depth - 1) for _ in range(chance.randrange(5))}


def translated(value: object, message: bool, enum: bool, words: dict[str, str], in_list: bool = False) -> object:
    """Returns the expected translation, computed independently: box(es) hold a Box, colour(s) a Colour."""
    if isinstance(value, list):
        return value if in_list else [translated(each, message, enum, words, True) for each in value]
    if isinstance(value, dict) and message:
        return {
            key: translated(each, key in ("box", "boxes"), key in ("colour", "colours"), words)
            for key, each in value.items()
        }
    return words.get(value, value) if enum and isinstance(value, str) else value


def written(chance: random.Random, value: object) -> str:
    style = chance.choice([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")])
    return json.dumps(value, ensure_ascii=chance.random() < 0.5, separators=style)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with run_bench(tmp_path_factory.mktemp("bench")) as running:
        yield running


def test_random_documents_are_translated_only_where_needed(bench: Bench) -> None:
    chance = random.Random(20261123)
    documents = [{key: random_value(chance, 4) for key in chance.sample(KEYS, 5)} for _ in range(1500)]
    to_name = {word: name for name, word in COLOURS.items()}
    for task, words in (("shorten", COLOURS), ("lengthen", to_name)):
        answers = bench.ask(task, [written(chance, document) for document in documents])
        for document, answer in zip(documents, answers, strict=True):
            assert json.loads(answer) == translated(document, True, False, words)


def test_what_is_read_and_written_again_is_the_same(bench: Bench) -> None:
    chance = random.Random(7)
    texts = ["".join(chance.choices([*map(chr, range(256)), "漢", "😀", "\u2028"], k=20)) for _ in range(500)]
    answers = bench.ask("rewrite", [json.dumps(text, ensure_ascii=chance.random() < 0.5) for text in texts])
    assert [json.loads(answer) for answer in answers] == texts


def test_in_damaged_documents_at_most_words_change(bench: Bench) -> None:
    chance = random.Random(11)
    whole = written(chance, {"box": {"colour": "red", "boxes": [{"colours": ["red", "dark_blue"]}]}, "name": 'a"\\'})
    damaged = [whole[:cut] for cut in range(1, len(whole))]
    for _ in range(500):
        place = chance.randrange(len(whole))
        damaged.append(whole[:place] + chance.choice('{}[]",:\\ u0') + whole[place + 1 :])
    damaged = [" ".join(text.splitlines()) for text in damaged]
    answers = bench.ask("lengthen", damaged)
    assert [
        answer.replace("COLOUR_RED", "red").replace("COLOUR_DARK_BLUE", "dark_blue") for answer in answers
    ] == damaged
    cuts = len(whole) - 1
    assert answers[:cuts] == damaged[:cuts], "a cut document is no JSON and is left to the transcoder"


def test_deep_documents_are_left_alone(bench: Bench) -> None:
    deep = ["[" * 50_000, '{"box":' * 20_000, '{"colours":' + "[" * 50_000 + "]" * 50_000 + "}"]
    assert bench.ask("lengthen", deep) == deep
