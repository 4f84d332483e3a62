"""Tests that texts of several lines keep their lines and indents in both parts of an email."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from server.clinical.entities import Prescription
from server.clinical.quantities import QuantityUnit
from server.mailer.entities import DispensedMedicine, EmailDetail
from server.outbox.entities import EmailKind
from tests.fixtures.rendered_emails import AMOXICILLIN, DISPENSE, FULL, contents_of

BLOCK: Final = "Week 1: 1 tablet\r\n2 tablets from week 2\n\n  - after meals\n\tnot <b>with</b>  milk"
IN_HTML: Final = (
    "Week 1: 1 tablet<br>2 tablets from week 2<br><br>\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}- after meals<br>"
    + "\N{NO-BREAK SPACE}" * 4
    + "not &lt;b&gt;with&lt;/b&gt;\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}milk"
)


def with_instructions(prescription: Prescription) -> Prescription:
    return replace(prescription, items=(replace(AMOXICILLIN, instructions=BLOCK),))


def with_reason(prescription: Prescription) -> Prescription:
    return replace(prescription, status_reason=BLOCK)


def test_a_substitute_is_named_with_its_reason_in_both_parts() -> None:
    given = DispensedMedicine("Amoxicillin", Decimal(21), QuantityUnit.CAPSULE, "Amoxi-Gen <500>", BLOCK)
    contents = replace(contents_of(EmailKind.DISPENSED), dispense=replace(DISPENSE, lines=(given,)))
    rendered = FULL.write(EmailKind.DISPENSED, contents)
    assert "\n    Given: Amoxi-Gen <500> (instead of Amoxicillin): Week 1: 1 tablet\n    2 tablets" in rendered.text
    assert f"Given: Amoxi-Gen &lt;500&gt; (instead of Amoxicillin): {IN_HTML}</" in rendered.html
    private = FULL.write(EmailKind.DISPENSED, replace(contents, detail=EmailDetail.MINIMAL))
    assert "Amoxi-Gen" not in private.text + private.html


PLACES: Final[dict[EmailKind, tuple[Callable[[Prescription], Prescription], int]]] = {
    EmailKind.PRESCRIPTION: (with_instructions, 5),
    EmailKind.REJECTED: (with_reason, 17),
    EmailKind.CLOSED: (with_reason, 17),
    EmailKind.CANCELLED: (with_reason, 17),
}
"""The function that sets such a text, and how far its lines are indented, for each kind of email."""


@pytest.mark.parametrize("kind", PLACES)
def test_a_block_keeps_its_lines_and_indents(kind: EmailKind) -> None:
    change, columns = PLACES[kind]
    contents = contents_of(kind)
    assert contents.prescription is not None
    rendered = FULL.write(kind, replace(contents, prescription=change(contents.prescription)))
    others = ("2 tablets from week 2", "", "  - after meals", "    not <b>with</b>  milk")
    assert "\n".join(["Week 1: 1 tablet", *(f"{' ' * columns}{line}".rstrip() for line in others)]) in rendered.text
    assert f"{IN_HTML}</" in rendered.html
