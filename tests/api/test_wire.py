"""Tests conversions of values between messages and entities."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from medconnect.clinical.v1 import clinical_service_pb2, patient_pb2
from medconnect.options.v1 import access_pb2

from server.api import wire
from server.errors import ValidationFailed
from server.identity import Role
from server.pagination import DEFAULT_PAGE_SIZE, Page, PageQuery


def test_a_moment_keeps_its_microseconds_in_any_zone() -> None:
    moment = datetime(2026, 12, 1, 10, 30, 0, 123456, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
    assert wire.timestamp(moment) == wire.timestamp(elsewhere)
    assert wire.timestamp(elsewhere).ToDatetime(tzinfo=UTC) == moment


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2100, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    ],
)
def test_timestamp_at_the_limits_equals_that_of_protobuf(moment: datetime) -> None:
    expected = Timestamp()
    expected.FromDatetime(moment.replace(tzinfo=None))
    assert wire.timestamp(moment) == expected


def test_a_day_goes_there_and_back() -> None:
    day = date(2024, 2, 29)
    assert wire.date_text(day) == "2024-02-29"
    assert wire.read_date("2024-02-29", "from") == day
    assert wire.date_text(None) == ""


@pytest.mark.parametrize("text", ["2023-02-29", "2026-13-01", "2026-00-10", "0000-01-01", "2026-04-31", "x"])
def test_a_day_that_does_not_exist_is_a_bad_field(text: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        wire.read_date(text, "dateOfBirth")
    assert [violation.field for violation in raised.value.violations] == ["dateOfBirth"]


def test_an_id_goes_there_and_back() -> None:
    assert wire.read_uuid("0193a0b0-0000-7000-8000-00000000abcd") == UUID(int=0x0193A0B000007000800000000000ABCD)


def test_enums_are_paired_by_name_in_both_directions() -> None:
    numbers, members = wire.enum_pair(access_pb2.Role, Role, "ROLE")
    assert numbers[Role.DOCTOR] == access_pb2.ROLE_DOCTOR
    assert {member: members[number] for member, number in numbers.items()} == {role: role for role in Role}
    assert 0 not in members


def test_enum_member_missing_in_proto_fails_the_mapping() -> None:
    class Shape(StrEnum):
        SQUARE = "square"

    with pytest.raises(ValueError, match="GENDER_SQUARE"):
        wire.enum_pair(patient_pb2.Gender, Shape, "GENDER")


def test_a_page_has_the_usual_size_unless_another_is_asked_for() -> None:
    request = clinical_service_pb2.ListPatientsRequest(page_token="t")
    assert wire.page_request(request).size == DEFAULT_PAGE_SIZE
    request.page_size = 7
    found = wire.page_request(request)
    assert (found.size, found.token) == (7, "t")


def test_a_page_fills_its_response() -> None:
    response = clinical_service_pb2.ListPatientsResponse()
    wire.fill_page(
        response, Page(items=(), next_page_token="next", total_size=1000, total_size_is_minimum=True, token_after=str)
    )
    assert (response.next_page_token, response.total_size, response.total_size_is_minimum) == ("next", 1000, True)


@pytest.mark.parametrize("character", ["x", "<", "\u6f22", '"', "\U0001f600"])
def test_page_is_cut_to_what_fits_into_a_message(character: str) -> None:
    sizes = (1, 4, 1, 8, 2, 1, 1, 2, 1, 1, 1)
    rows = [f"{n}{character * (wire.MOST_BYTES // 6 // size)}" for n, size in enumerate(sizes)]
    response = filled(rows, 11)
    shown = len(response.patients)
    names = [patient.full_name for patient in response.patients]
    assert 0 < shown <= 10
    assert (names, response.total_size) == (rows[:shown], 11)
    assert response.next_page_token == f"after {shown - 1}"
    assert len(json.dumps(names, ensure_ascii=False).replace("<", "\\u003c").encode()) <= wire.MOST_BYTES + 100
    assert filled(rows[:1], 1).next_page_token == ""
    assert len(filled(["<" * wire.MOST_BYTES, "x"], 2).patients) == 1


def filled(rows: list[str], found: int) -> clinical_service_pb2.ListPatientsResponse:
    query: PageQuery[str, int] = PageQuery(None, 10, lambda row: f"after {row[0]}")
    page = query.page(rows, found)
    response = clinical_service_pb2.ListPatientsResponse(
        patients=[patient_pb2.PatientSummary(full_name=row) for row in page.items]
    )
    wire.fill_page(response, page)
    return response
