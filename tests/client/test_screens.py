"""The terminal's screens, at 80 columns."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime

from medconnect_client._wire import read
from medconnect_client.errors import Failure, NotYetValid
from medconnect_client.models import (
    AllergiesAsked,
    AllergyStatus,
    LogEntry,
    PharmacyAction,
    PharmacyPrescription,
    PrescriptionStatus,
)
from medconnect_client.terminal import screens
from rich.console import Console, RenderableType

from tests.client.messages import PRESCRIPTION

BLOCK = "Week 1: 1 tablet\n2 tablets from week 2\n  after meals"
FOUND = read(PharmacyPrescription, PRESCRIPTION)


def shown(renderable: RenderableType) -> list[str]:
    """Returns the printed lines without borders and padding."""
    output = io.StringIO()
    Console(file=output, width=80).print(renderable)
    return [line.strip("│╭╮╰╯─\n").rstrip() for line in output.getvalue().splitlines()]


def column_of(lines: list[str], heading: str) -> list[str]:
    """Returns the cells of a table's last column."""
    start, column = next((row, line.index(heading)) for row, line in enumerate(lines) if heading in line)
    return [line[column:] for line in lines[start + 1 :]]


def test_an_empty_list_of_allergies_is_shown_as_not_recorded() -> None:
    assert " Allergies: not recorded" in shown(screens.prescription_panel(FOUND))
    allergic = replace(FOUND, patient_allergies=("Penicillin", "Latex"))
    assert " Allergies: Penicillin, Latex" in shown(screens.prescription_panel(allergic))


def test_later_validity_and_its_refusal_state_the_day() -> None:
    lines = shown(screens.prescription_panel(replace(FOUND, valid_from=date(2026, 12, 24))))
    assert any("valid from 2026-12-24 until" in line for line in lines)
    message = "The prescription is not valid yet. Pharmacies can dispense it from 24 December 2026."
    early = NotYetValid(Failure(message, "NOT_YET_VALID", {"validFrom": "2026-12-24"}))
    assert early.valid_from == date(2026, 12, 24)
    assert str(screens.failure(early)) == f"✗ {message}"


def test_no_known_allergies_name_the_day_and_the_doctor() -> None:
    asked = AllergiesAsked("Ana Costa", datetime(2026, 11, 29, 12, tzinfo=UTC))
    found = replace(FOUND, patient_allergy_status=AllergyStatus.NONE_KNOWN, patient_allergies_asked=asked)
    lines = shown(screens.prescription_panel(found))
    assert " Allergies: none known (asked 2026-11-29, Ana Costa)" in lines


def test_instructions_keep_their_lines_and_indents() -> None:
    item = replace(FOUND.items[0], frequency="daily", instructions=BLOCK)
    how = column_of(shown(screens.prescription_panel(replace(FOUND, items=(item,)))), "How to take it")
    assert how[:4] == ["daily", *BLOCK.split("\n")]


def test_notes_of_the_log_keep_their_lines_and_indents() -> None:
    moment = datetime(2026, 12, 1, 10, tzinfo=UTC)
    state = PrescriptionStatus.SCANNED
    entry = LogEntry("l1", PharmacyAction.VALIDATE, "Fay", "Corner", state, state, BLOCK, moment)
    assert column_of(shown(screens.log_table([entry])), "Notes")[:3] == BLOCK.split("\n")
