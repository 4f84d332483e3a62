"""Tests the mapping between messages and entities of accounts and sessions, in both directions."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import patient_pb2
from medconnect.options.v1 import access_pb2

from server.api.auth import mapping
from server.auth.entities import AccountChange, OpenedAccount, SignedIn, Tokens, UserFilter, UserStatus
from server.errors import ValidationFailed
from server.identity import Role
from server.pagination import Page
from server.patient_details import Gender, PatientDetails, PatientRecord
from tests.fixtures.cells import cells
from tests.fixtures.users import NO_DETAILS, a_user

MOMENT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
USER = a_user(
    id=UUID("01930000-0000-7000-8000-000000000001"),
    email="dora@example.org",
    new_email="dora@example.com",
    full_name="Dora Doctor",
    phone="+49 30 1234",
    status=UserStatus.UNVERIFIED,
    license_issuer="Board",
    specialization="surgery",
    hospital_name="Charité",
    pharmacy_name="Rose",
    pharmacy_address="Street 2",
    created_at=MOMENT,
)
MESSAGE = user_pb2.User(
    id="01930000-0000-7000-8000-000000000001",
    email="dora@example.org",
    full_name="Dora Doctor",
    phone="+49 30 1234",
    role=access_pb2.ROLE_DOCTOR,
    status=user_pb2.USER_STATUS_UNVERIFIED,
    license_number="L-1",
    license_issuer="Board",
    specialization="surgery",
    hospital_name="Charité",
    pharmacy_name="Rose",
    pharmacy_address="Street 2",
    email_confirmed=True,
    new_email="dora@example.com",
)
MESSAGE.created_at.FromJsonString("2026-11-22T10:30:00Z")
RECORD = PatientRecord(UUID("01930000-0000-7000-8000-000000000002"), "PAT-20261122-7K3M9QTD")
TOKENS = Tokens("access", "refresh", MOMENT, timedelta(minutes=29, seconds=59, milliseconds=900))


def test_account_maps_to_a_complete_message() -> None:
    assert mapping.user_message(USER) == MESSAGE


@cells("role", Role)
@cells("status", UserStatus)
def test_every_role_and_status_has_its_number(role: Role, status: UserStatus) -> None:
    message = mapping.user_message(replace(USER, role=role, status=status))
    assert access_pb2.Role.Name(message.role) == f"ROLE_{role.name}"
    assert user_pb2.UserStatus.Name(message.status) == f"USER_STATUS_{status.name}"


def test_register_without_role_makes_a_patient() -> None:
    request = pb.RegisterRequest(email="Ann@Example.org", password="correct horse", full_name="Ann Other")
    asked = mapping.application(request)
    assert (asked.role, asked.email, asked.password) == (Role.PATIENT, "Ann@Example.org", "correct horse")
    assert asked.patient == NO_DETAILS
    request.role = access_pb2.ROLE_PHARMACIST
    assert mapping.application(request).role is Role.PHARMACIST


def test_a_password_that_is_left_out_is_none() -> None:
    assert mapping.application(pb.CreateUserRequest(role=access_pb2.ROLE_ADMIN)).password is None


def test_an_application_is_read_whole() -> None:
    request = pb.CreateUserRequest(
        role=access_pb2.ROLE_DOCTOR,
        phone="1",
        license_number="2",
        license_issuer="Board",
        specialization="3",
        hospital_name="4",
        pharmacy_name="5",
        pharmacy_address="6",
        date_of_birth="1980-02-29",
        gender=patient_pb2.GENDER_FEMALE,
        blood_type="A+",
        address="7",
        emergency_contact="8",
        emergency_phone="9",
        insurance_provider="10",
        insurance_number="11",
        allergies=["12", "13"],
        existing_conditions=["14"],
    )
    asked = mapping.application(request)
    work = (asked.phone, asked.license_number, asked.specialization, asked.hospital_name)
    assert (*work, asked.license_issuer) == ("1", "2", "3", "4", "Board")
    assert (asked.pharmacy_name, asked.pharmacy_address) == ("5", "6")
    assert asked.patient == PatientDetails(
        date(1980, 2, 29), Gender.FEMALE, "A+", "7", "8", "9", "10", "11", ("12", "13"), ("14",)
    )


def test_a_day_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValidationFailed) as refused:
        mapping.patient_details(pb.RegisterRequest(date_of_birth="1981-02-29"))
    assert [violation.field for violation in refused.value.violations] == ["dateOfBirth"]


def test_change_contains_only_present_fields() -> None:
    assert mapping.account_change(pb.UpdateCurrentUserRequest()) == AccountChange()
    texts = {name: name for name in ("phone", "hospital_name", "pharmacy_name", "pharmacy_address", "email")}
    request = pb.UpdateCurrentUserRequest(**texts, current_password="secret", clear=["phone"])
    change = mapping.account_change(request)
    assert change == AccountChange(**texts, current_password="secret", clear=frozenset({"phone"}))
    assert "secret" not in repr(change)


def test_a_list_without_filter_takes_all() -> None:
    assert mapping.user_filter(pb.ListUsersRequest()) == UserFilter(None, None, None)


def test_a_lists_filter_is_read() -> None:
    request = pb.ListUsersRequest(role=access_pb2.ROLE_DOCTOR, status=user_pb2.USER_STATUS_DEACTIVATED, search="ann")
    assert mapping.user_filter(request) == UserFilter(Role.DOCTOR, UserStatus.DEACTIVATED, "ann")


def test_responses_have_account_record_and_tokens() -> None:
    opened, record = (
        OpenedAccount(USER, RECORD),
        user_pb2.PatientRecord(id=str(RECORD.id), reference_number="PAT-20261122-7K3M9QTD"),
    )
    registered = mapping.register_response(opened, TOKENS)
    assert (registered.user, registered.patient) == (MESSAGE, record)
    created = mapping.create_user_response(opened)
    assert (created.user, created.patient) == (MESSAGE, record)
    assert not mapping.create_user_response(OpenedAccount(USER, None)).HasField("patient")
    signed_in = SignedIn(USER, TOKENS)
    for answer in (registered, mapping.login_response(signed_in), mapping.refresh_response(signed_in)):
        assert answer.user == MESSAGE
        assert (answer.access_token, answer.refresh_token) == ("access", "refresh")
        assert answer.expires_at == MESSAGE.created_at


def test_a_page_of_accounts() -> None:
    response = mapping.list_response(Page((USER,), "next", 1000, True, str))
    assert list(response.users) == [MESSAGE]
    assert (response.next_page_token, response.total_size) == ("next", 1000)
    assert response.total_size_is_minimum
