"""Tests the rules of the identity of patients."""

from dataclasses import replace
from datetime import date

import pytest

from server.clinical.rules.identification import check_identified, date_of_birth_of, keeps_identification
from server.errors import PatientNotIdentified, ValidationFailed
from tests.fixtures.rendered_emails import PATIENT

TODAY = date(2026, 11, 30)
BORN = date(1980, 5, 17)


@pytest.mark.parametrize("identified", [True, False])
@pytest.mark.parametrize("required", [True, False])
def test_only_a_missing_required_identification_is_rejected(identified: bool, required: bool) -> None:
    if required and not identified:
        with pytest.raises(PatientNotIdentified):
            check_identified(identified, required=required)
    else:
        check_identified(identified, required=required)


@pytest.mark.parametrize(
    ("recorded", "on_document", "valid"),
    [
        (BORN, None, True),
        (BORN, BORN, True),
        (None, BORN, True),
        (None, None, False),
        (BORN, date(1981, 5, 17), False),
        (None, date(2026, 12, 1), False),
    ],
)
def test_date_of_birth_is_known_and_that_of_the_record(
    recorded: date | None, on_document: date | None, valid: bool
) -> None:
    patient = replace(PATIENT, date_of_birth=recorded)
    if valid:
        assert date_of_birth_of(patient, on_document, TODAY) == BORN
    else:
        with pytest.raises(ValidationFailed) as refused:
            date_of_birth_of(patient, on_document, TODAY)
        assert [violation.field for violation in refused.value.violations] == ["dateOfBirth"]


def test_only_a_new_date_of_birth_ends_the_identification() -> None:
    before = replace(PATIENT, date_of_birth=BORN)
    assert keeps_identification(before, replace(before, phone="+49 30 4711"))
    assert not keeps_identification(before, replace(before, date_of_birth=date(1981, 5, 17)))
