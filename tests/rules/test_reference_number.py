"""Tests reference numbers: canonical form, tolerated spellings, and detected mistakes."""

import itertools
import random
import re
from collections.abc import Callable, Sequence
from datetime import date

import pytest

from server.clinical.rules.reference_number import (
    ReferenceKind,
    ReferenceNumber,
    check_character,
    new_patient_reference,
    new_prescription_number,
    normalize,
)
from server.errors import ReferenceNumberInvalid
from server.typed_number import CROCKFORD
from tests.fixtures.cells import cells
from tests.fixtures.typed_numbers import WRITINGS

DAY = date(2026, 11, 22)
NUMBER = "RX-20261122-7K3M9QTG"


CHARACTERS = CROCKFORD + "ILOU" + "-. _\u00e9\uff11\u0663\0"


def swap_neighbours(number: str, chance: random.Random) -> str:
    """Swaps two neighbours, but for 0 and Z, which the check character does not tell apart."""
    at = chance.randrange(len(number) - 1)
    pair = number[at : at + 2]
    return number if pair in ("0Z", "Z0") else number[:at] + pair[::-1] + number[at + 2 :]


def replace_one(number: str, chance: random.Random) -> str:
    at = chance.randrange(len(number))
    return number[:at] + chance.choice(CHARACTERS) + number[at + 1 :]


def insert_one(number: str, chance: random.Random) -> str:
    at = chance.randrange(len(number) + 1)
    return number[:at] + chance.choice(CHARACTERS) + number[at:]


def drop_one(number: str, chance: random.Random) -> str:
    at = chance.randrange(len(number))
    return number[:at] + number[at + 1 :]


DAMAGES: Sequence[Callable[[str, random.Random], str]] = (
    lambda number, _: number,
    swap_neighbours,
    replace_one,
    insert_one,
    drop_one,
    lambda number, chance: number[: chance.randrange(len(number))],
    lambda number, _: number + number,
)


def valid(text: str) -> bool:
    try:
        normalize(text)
    except ReferenceNumberInvalid:
        return False
    return True


def swap(body: str, pair: str) -> str:
    """Returns the body with this pair of neighbours swapped."""
    return body.replace(pair, pair[::-1], 1)


def test_new_prescription_number_has_contract_form_and_parses() -> None:
    number = new_prescription_number(DAY)
    assert re.fullmatch(r"RX-20261122-[0-9A-HJKMNP-TV-Z]{8}", number)
    assert normalize(number) == ReferenceNumber(ReferenceKind.PRESCRIPTION, number)


def test_new_patient_reference_has_contract_form_and_parses() -> None:
    number = new_patient_reference(date(987, 1, 2))
    assert re.fullmatch(r"PAT-09870102-[0-9A-HJKMNP-TV-Z]{8}", number)
    assert normalize(number) == ReferenceNumber(ReferenceKind.PATIENT, number)


def test_numbers_of_one_day_are_random_in_every_character() -> None:
    numbers = {new_prescription_number(DAY) for _ in range(1_000)}
    assert len(numbers) == 1_000
    for position in range(-8, 0):
        assert {number[position] for number in numbers} == set(CROCKFORD)


def test_the_check_character_does_not_drift() -> None:
    assert valid(NUMBER)


@pytest.mark.parametrize(
    "typed",
    [
        "PAT-20261110-10ABC0A0",
        "pat-20261110-10abc0a0",
        "  PAT-20261110-10ABC0A0\n",
        "PAT-2O26IIIO-IOABCOAO",
        "Pat-2o26lllo-loabcoao",
    ],
)
def test_case_spaces_and_lookalikes_do_not_matter(typed: str) -> None:
    assert normalize(typed) == ReferenceNumber(ReferenceKind.PATIENT, "PAT-20261110-10ABC0A0")


def test_every_wrong_character_is_caught() -> None:
    prefix = len("RX-")
    for index in range(prefix, len(NUMBER)):
        wrong = [NUMBER[:index] + other + NUMBER[index + 1 :] for other in CROCKFORD if other != NUMBER[index]]
        assert [number for number in wrong if valid(number)] == []


def test_every_swap_of_neighbours_is_caught_except_0_with_z() -> None:
    missed = {
        first + second
        for first, second in itertools.permutations(CROCKFORD, 2)
        for body in (f"{first}{second}00000", f"0{first}{second}0000")
        if valid(f"RX-20261122-{swap(body, first + second)}{check_character('20261122' + body)}")
    }
    assert missed == {"0Z", "Z0"}


def test_a_swap_with_the_check_character_is_caught() -> None:
    assert not valid(NUMBER[:-2] + NUMBER[-1] + NUMBER[-2])


def test_a_swap_in_the_day_is_caught() -> None:
    assert not valid(NUMBER.replace("20261122", "20261212"))


@pytest.mark.parametrize("day", ["20260229", "20261301", "20260100", "00000101", "20260431"])
def test_invalid_day_is_rejected_with_any_check_character(day: str) -> None:
    assert not valid(f"RX-{day}-7K3M9QT{check_character(day + '7K3M9QT')}")


@cells("prefix", ["R", "X", "RXX", "PA", "PT", "P4T", "PAI", "", "REX"])
def test_an_unknown_prefix_is_refused(prefix: str) -> None:
    assert not valid(NUMBER.replace("RX", prefix))


@cells(
    "typed",
    [
        "",
        " ",
        "RX",
        NUMBER[:-1],
        NUMBER + "0",
        NUMBER.replace("7K", "7U"),
        NUMBER.replace("7K", "7K\0"),
        NUMBER.replace("RX", "ʀx"),
        NUMBER.replace("-7", "-²"),
        NUMBER.replace("RX", "Ⅹ"),
        NUMBER.replace("RX", "RX\u0301"),
        NUMBER.replace("-7", "-☃"),
        NUMBER * 500,
    ],
    ids=lambda typed: ascii(typed)[:28],
)
def test_anything_of_another_shape_is_refused(typed: str) -> None:
    assert not valid(typed)


@cells("writing", WRITINGS)
def test_number_is_read_however_it_is_written(writing: str) -> None:
    for number in (NUMBER, "PAT-20261110-10ABC0A0"):
        assert normalize(WRITINGS[writing](number)).text == number


def test_damaged_writing_is_never_read_as_another_number() -> None:
    chance = random.Random(16)
    writings = list(WRITINGS.values())
    read = 0
    for _ in range(1_000):
        number = chance.choice((new_prescription_number, new_patient_reference))(DAY)
        for damage in DAMAGES:
            written = damage(number, chance)
            for writing in chance.sample(writings, 3):
                written = writing(written)
            try:
                assert normalize(written).text == number, ascii(written)
            except ReferenceNumberInvalid:
                continue
            read += 1
    assert read >= 1_000  # every number without damage


def test_lookalike_made_by_unicode_upper_case_is_rejected() -> None:
    number = "PAT-20261110-10ABC0A0"
    assert valid(number.replace("-1", "-i"))
    assert not valid(number.replace("-1", "-ı"))
