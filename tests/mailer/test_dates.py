"""Tests that every date in an email is next to its meaning: each meaning has its own date in these tests."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from server.clinical.entities import PrescriptionStatus
from server.mailer.rendering import EmailRenderer, TemplateData
from server.outbox.entities import EmailKind
from tests.fixtures.cells import cells
from tests.fixtures.rendered_emails import CODE, DISPENSE, FULL, PRESCRIPTION, contents_of

DATE: Final = re.compile(r"\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC")
WRITTEN: Final = datetime(2026, 1, 1, 8, 1, tzinfo=UTC)
PRESCRIPTION_ENDS: Final = datetime(2026, 2, 2, 8, 2, tzinfo=UTC)
CODE_ISSUED: Final = datetime(2026, 1, 3, 8, 3, tzinfo=UTC)
CODE_ENDS: Final = datetime(2026, 1, 10, 8, 4, tzinfo=UTC)
STATE_CHANGED: Final = datetime(2026, 1, 5, 8, 5, tzinfo=UTC)
DISPENSED_AT: Final = datetime(2026, 1, 6, 8, 6, tzinfo=UTC)
FULFILLED: Final = datetime(2026, 1, 7, 8, 7, tzinfo=UTC)
READ: Final = datetime(2026, 1, 8, 8, 8, tzinfo=UTC)
ASKED_FOR: Final = datetime(2026, 1, 9, 8, 9, tzinfo=UTC)
MAILED_CODE_ENDS: Final = datetime(2026, 1, 9, 8, 19, tzinfo=UTC)

ONE_TIME_CODE: Final = (("Valid until", MAILED_CODE_ENDS),)
WHEN_IT_CHANGED: Final = (("When", STATE_CHANGED),)
AFTER_A_PART: Final = (
    ("When", DISPENSED_AT),
    ("The prescription is valid until", PRESCRIPTION_ENDS),
    ("You can use the same QR code until", CODE_ENDS),
)
EXPECTED: Final[dict[EmailKind, tuple[tuple[str, datetime], ...]]] = {
    EmailKind.WELCOME: ONE_TIME_CODE,
    EmailKind.PRESCRIPTION: (("Valid until", PRESCRIPTION_ENDS), ("You can use it until", CODE_ENDS)),
    EmailKind.DISPENSED: AFTER_A_PART,
    EmailKind.REJECTED: WHEN_IT_CHANGED,
    EmailKind.CLOSED: WHEN_IT_CHANGED,
    EmailKind.CANCELLED: WHEN_IT_CHANGED,
    EmailKind.SUSPENDED: (),
    EmailKind.PASSWORD_RESET: ONE_TIME_CODE,
    EmailKind.PASSWORD_CHANGED: (("When", ASKED_FOR),),
    EmailKind.SECOND_FACTOR: (("When", ASKED_FOR),),
    EmailKind.NEW_SIGN_IN: (("When", ASKED_FOR),),
    EmailKind.STAFF_ACCOUNT: (("Created", ASKED_FOR),),
    EmailKind.HISTORY_CODE: ONE_TIME_CODE,
    EmailKind.EMAIL_CODE: ONE_TIME_CODE,
    EmailKind.EMAIL_CHANGE: (("Requested", ASKED_FOR),),
    EmailKind.ADDRESS_TAKEN: (("When", ASKED_FOR),),
    EmailKind.EMAIL_REPLACED: (("Changed", ASKED_FOR), ("Undo the change before", MAILED_CODE_ENDS)),
    EmailKind.EMAIL_DETACHMENT: (("Requested", ASKED_FOR),),
    EmailKind.PATIENT_READS: (("When", ASKED_FOR),),
    EmailKind.TEST: (),
}


def dated(kind: EmailKind) -> TemplateData:
    """Returns the data of an email of this kind, with its own date for each meaning."""
    contents = replace(
        contents_of(kind), changed_at=ASKED_FOR, code="042871", code_expires_at=MAILED_CODE_ENDS, code_works=True
    )
    if contents.dispense is not None:
        contents = replace(contents, dispense=replace(DISPENSE, occurred_at=DISPENSED_AT))
    if contents.prescription is None:
        return contents
    part = PrescriptionStatus.PARTIALLY_DISPENSED if kind is EmailKind.DISPENSED else contents.prescription.status
    prescription = replace(
        contents.prescription,
        status=part,
        created_at=WRITTEN,
        expires_at=PRESCRIPTION_ENDS,
        changed_at=STATE_CHANGED,
        fulfilled_at=FULFILLED,
        as_of=READ,
        qr_code=replace(CODE, issued_at=CODE_ISSUED, expires_at=CODE_ENDS),
    )
    return replace(contents, prescription=prescription)


def told(moment: datetime) -> str:
    return f"{moment:%-d %B %Y, %H:%M} UTC"


def bodies(kind: EmailKind, contents: TemplateData, writer: EmailRenderer = FULL) -> tuple[str, str]:
    """Returns each part as one line, without tags and colons."""
    rendered = writer.write(kind, contents)
    html = re.sub(r"<[^>]+>", " ", rendered.html)
    text, html = (" ".join(body.replace(":  ", " ").split()) for body in (rendered.text, html))
    return text, html


@cells("kind", EmailKind)
def test_each_date_is_next_to_its_meaning(kind: EmailKind) -> None:
    for body in bodies(kind, dated(kind)):
        assert DATE.findall(body) == [told(moment) for _, moment in EXPECTED[kind]]
        for words, moment in EXPECTED[kind]:
            assert f"{words} {told(moment)}" in body


@pytest.mark.parametrize("kind", [EmailKind.PRESCRIPTION, EmailKind.DISPENSED])
def test_code_ending_with_its_prescription_is_not_renewable(kind: EmailKind) -> None:
    contents = dated(kind)
    assert contents.prescription is not None
    ending = replace(contents.prescription, qr_code=replace(CODE, expires_at=PRESCRIPTION_ENDS.replace(microsecond=0)))
    for body in bodies(kind, replace(contents, prescription=ending)):
        assert body.count(told(PRESCRIPTION_ENDS)) == 1
        assert "get a new one" not in body


def test_dead_code_after_partial_dispense_is_not_scannable() -> None:
    for body in bodies(EmailKind.DISPENSED, replace(dated(EmailKind.DISPENSED), code_works=False)):
        assert DATE.findall(body) == [told(DISPENSED_AT), told(PRESCRIPTION_ENDS)]
        assert "Its QR code no longer works; get a new one in MedConnect." in body


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlin", "26 December 2026, 11:30 CET"),
        ("Asia/Dubai", "26 December 2026, 14:30 UTC+04"),
        ("America/Sao_Paulo", "26 December 2026, 07:30 UTC-03"),
    ],
)
def test_a_date_names_its_zone(zone: str, said: str) -> None:
    writer = EmailRenderer(zone=ZoneInfo(zone), frontend_url="https://med.example")
    contents = replace(contents_of(EmailKind.PRESCRIPTION), prescription=PRESCRIPTION)
    for body in bodies(EmailKind.PRESCRIPTION, contents, writer):
        assert f"Valid until {said}" in body
