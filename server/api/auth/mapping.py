"""Maps messages and entities of accounts and sessions to each other."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import second_factor_pb2, session_pb2, user_pb2
from medconnect.clinical.v1 import patient_pb2
from medconnect.options.v1 import access_pb2

from server.api.wire import enum_pair, fill_page, read_date, timestamp
from server.auth.entities import (
    AccountChange,
    Application,
    DeactivationReason,
    EndReason,
    LookAlikes,
    OpenedAccount,
    OpenSession,
    SignedIn,
    Tokens,
    User,
    UserFilter,
    UserStatus,
)
from server.auth.rules.accounts import CHANGEABLE
from server.auth.rules.devices import UNKNOWN_DEVICE
from server.auth.tokens.keys import PublishedKey
from server.identity import Role
from server.pagination import Page
from server.patient_details import Gender, PatientDetails, PatientRecord

ROLE_NUMBERS, ROLES = enum_pair(access_pb2.Role, Role, "ROLE")
STATUS_NUMBERS, STATUSES = enum_pair(user_pb2.UserStatus, UserStatus, "USER_STATUS")
_DEACTIVATION_REASONS: Final = enum_pair(user_pb2.DeactivationReason, DeactivationReason, "DEACTIVATION_REASON")[1]
END_REASONS: Final = enum_pair(session_pb2.EndSessionsReason, EndReason, "END_SESSIONS_REASON")[1]
_CHANGEABLE: Final = (*CHANGEABLE, "email")
_GENDERS: Final = enum_pair(patient_pb2.Gender, Gender, "GENDER")[1]


class PatientFields(Protocol):
    """A request with the fields of a new patient record."""

    date_of_birth: str
    blood_type: str
    address: str
    emergency_contact: str
    emergency_phone: str
    insurance_provider: str
    insurance_number: str

    @property
    def gender(self) -> int:
        """The number of the gender; 0 if the field was not given."""

    @property
    def allergies(self) -> Iterable[str]:
        """The allergies; empty if the field was not given."""

    @property
    def existing_conditions(self) -> Iterable[str]:
        """The existing conditions; empty if the field was not given."""


def patient_details(message: PatientFields) -> PatientDetails:
    """Returns the details of a new record. Raises ValidationFailed for a date that does not exist."""
    born = message.date_of_birth
    return PatientDetails(
        date_of_birth=read_date(born, "dateOfBirth") if born else None,
        gender=_GENDERS.get(message.gender),
        blood_type=message.blood_type,
        address=message.address,
        emergency_contact=message.emergency_contact,
        emergency_phone=message.emergency_phone,
        insurance_provider=message.insurance_provider,
        insurance_number=message.insurance_number,
        allergies=tuple(message.allergies),
        existing_conditions=tuple(message.existing_conditions),
    )


def application(request: pb.RegisterRequest | pb.CreateUserRequest) -> Application:
    """Returns the application for an account; the default role is patient. Raises ValidationFailed for a wrong date."""
    return Application(
        email=request.email,
        password=request.password or None,
        full_name=request.full_name,
        phone=request.phone,
        role=ROLES.get(request.role, Role.PATIENT),
        license_number=request.license_number,
        license_issuer=request.license_issuer,
        specialization=request.specialization,
        hospital_name=request.hospital_name,
        pharmacy_name=request.pharmacy_name,
        pharmacy_address=request.pharmacy_address,
        patient=patient_details(request),
    )


def account_change(request: pb.UpdateCurrentUserRequest) -> AccountChange:
    """Returns the changes that an account holder requests."""
    given = {name: getattr(request, name) for name in _CHANGEABLE if request.HasField(name)}
    return AccountChange(**given, current_password=request.current_password, clear=frozenset(request.clear))


def user_filter(request: pb.ListUsersRequest) -> UserFilter:
    """Returns the filter of a list of accounts."""
    return UserFilter(
        role=ROLES.get(request.role),
        status=STATUSES.get(request.status),
        search=request.search or None,
    )


def deactivation_reason(request: pb.DeactivateUserRequest) -> DeactivationReason:
    """Returns the reason for deactivating an account; clients of before give none and mean that the person left."""
    return _DEACTIVATION_REASONS.get(request.reason, DeactivationReason.LEFT)


def user_message(user: User) -> user_pb2.User:
    """Returns an account as its owner and admins see it."""
    return user_pb2.User(
        id=str(user.id),
        email=user.email,
        full_name=user.full_name,
        role=ROLE_NUMBERS[user.role],
        phone=user.phone,
        status=STATUS_NUMBERS[user.status],
        license_number=user.license_number,
        license_issuer=user.license_issuer or None,
        specialization=user.specialization,
        hospital_name=user.hospital_name,
        pharmacy_name=user.pharmacy_name,
        pharmacy_address=user.pharmacy_address,
        created_at=timestamp(user.created_at),
        email_confirmed=user.email_confirmed,
        new_email=user.new_email,
    )


def look_alikes_message(found: LookAlikes | None) -> user_pb2.LookAlikes | None:
    """Returns what looks the same as an account."""
    if found is None:
        return None
    return user_pb2.LookAlikes(accounts=map(user_message, found.accounts), workplaces=found.workplaces)


def session_message(session: OpenSession, current: UUID) -> session_pb2.Session:
    """Returns a session; current: the id of the session of the call."""
    return session_pb2.Session(
        id=str(session.id),
        device=session.device or UNKNOWN_DEVICE,
        address=session.address,
        created_at=timestamp(session.created_at),
        last_used_at=timestamp(session.last_used_at),
        expires_at=timestamp(session.expires_at),
        current=session.id == current,
    )


def sessions_response(page: Page[OpenSession], current: UUID) -> pb.ListSessionsResponse:
    """Returns the response with a page of the caller's sessions."""
    response = pb.ListSessionsResponse(sessions=(session_message(one, current) for one in page.items))
    fill_page(response, page)
    return response


def user_sessions_response(page: Page[OpenSession], current: UUID) -> pb.ListUserSessionsResponse:
    """Returns the response with a page of an account's sessions."""
    response = pb.ListUserSessionsResponse(sessions=(session_message(one, current) for one in page.items))
    fill_page(response, page)
    return response


def register_response(opened: OpenedAccount, tokens: Tokens) -> pb.RegisterResponse:
    """Returns the response with a new account, signed in."""
    return pb.RegisterResponse(
        user=user_message(opened.user),
        patient=_record(opened.patient),
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_at=timestamp(tokens.expires_at),
        idle_seconds=_whole_seconds(tokens.idle),
    )


def create_user_response(opened: OpenedAccount) -> pb.CreateUserResponse:
    """Returns the response with a new account."""
    return pb.CreateUserResponse(user=user_message(opened.user), patient=_record(opened.patient))


def login_response(signed_in: SignedIn) -> pb.LoginResponse:
    """Returns the response with an account and its tokens."""
    return pb.LoginResponse(
        user=user_message(signed_in.user),
        access_token=signed_in.tokens.access_token,
        refresh_token=signed_in.tokens.refresh_token,
        expires_at=timestamp(signed_in.tokens.expires_at),
        idle_seconds=_whole_seconds(signed_in.tokens.idle),
    )


def complete_sign_in_response(signed_in: SignedIn) -> second_factor_pb2.CompleteSignInResponse:
    """Returns the response with an account that has completed its sign-in, and its tokens."""
    return second_factor_pb2.CompleteSignInResponse(
        user=user_message(signed_in.user),
        access_token=signed_in.tokens.access_token,
        refresh_token=signed_in.tokens.refresh_token,
        expires_at=timestamp(signed_in.tokens.expires_at),
        idle_seconds=_whole_seconds(signed_in.tokens.idle),
    )


def refresh_response(signed_in: SignedIn) -> pb.RefreshTokenResponse:
    """Returns the response with an account and its next tokens."""
    return pb.RefreshTokenResponse(
        user=user_message(signed_in.user),
        access_token=signed_in.tokens.access_token,
        refresh_token=signed_in.tokens.refresh_token,
        expires_at=timestamp(signed_in.tokens.expires_at),
        idle_seconds=_whole_seconds(signed_in.tokens.idle),
    )


def list_response(page: Page[User]) -> pb.ListUsersResponse:
    """Returns the response with a page of accounts."""
    response = pb.ListUsersResponse(users=map(user_message, page.items))
    fill_page(response, page)
    return response


def key_set_response(keys: Iterable[PublishedKey]) -> pb.GetKeySetResponse:
    """Returns the keys as a JSON Web Key Set."""
    jwks = (pb.JsonWebKey(kty="OKP", crv="Ed25519", x=key.x, kid=key.key_id, use="sig", alg="EdDSA") for key in keys)
    return pb.GetKeySetResponse(keys=jwks)


def _whole_seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _record(record: PatientRecord | None) -> user_pb2.PatientRecord | None:
    if record is None:
        return None
    return user_pb2.PatientRecord(id=str(record.id), reference_number=record.reference_number)
