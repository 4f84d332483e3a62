"""Compares the access options of the protos with the contract's list, so that none changes by accident."""

from collections.abc import Mapping

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from medconnect.options.v1 import access_pb2, audit_pb2

from server.api.interceptors.access import OPEN_METHODS
from server.api.interceptors.contract import AccessUndeclared, Method, read_methods, unknown_method
from server.audit.events import AuditEvent
from server.identity import Role
from server.runtime.server import SERVICES
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control

PUBLIC = {
    "Register",
    "UndoEmailChange",
    "Login",
    "CompleteSignIn",
    "RefreshToken",
    "ForgotPassword",
    "ResetPassword",
    "GetKeySet",
}
OWN_SESSIONS = {"ListSessions", "EndSession", "EndOtherSessions", "ListMyMemberships", "ChooseOrganisation"}
OWN_FACTORS = {
    *("GetSecondFactors", "EnrolTotp", "ConfirmTotp", "RemoveSecondFactor", "RenewRecoveryCodes"),
    "VerifySecondFactor",
}
SIGNED_IN = (
    {"Logout", "GetCurrentUser", "UpdateCurrentUser", "ConfirmEmail", "ChangePassword"} | OWN_SESSIONS | OWN_FACTORS
)
BOTH_ENDS_OF_A_CODE = {"GetQrCode", "GetQrCodeImage", "ReissueQrCode", "SendPrescriptionEmail"}
OF_PATIENTS = {
    "GetProfile",
    "UpdateProfile",
    "ListMyPrescriptions",
    "ListMyRecordVersions",
    "ListAccessLog",
    "RequestHistoryAccess",
    "ConfirmHistoryAccess",
    "GetMedicalHistory",
}
OF_ADMINISTRATORS = {"GetOrganisation", "ListMembers", "AddMember", "ChangeMemberRight", "EndMembership"}
"""Methods about an organisation, for its administrators too."""
ABOUT_CODES = {"RequestHistoryAccess", "ConfirmHistoryAccess"}

METHODS = read_methods(SERVICES)


def expected_roles(method: Method) -> set[Role]:
    service = method.path.split(".")[1]
    if method.name in SIGNED_IN:
        return set(Role)
    if method.name in BOTH_ENDS_OF_A_CODE:
        return {Role.DOCTOR, Role.PATIENT}
    if method.name in OF_PATIENTS:
        return {Role.PATIENT}
    if method.name in OF_ADMINISTRATORS:
        return {Role.ADMIN, Role.DOCTOR, Role.PHARMACIST}
    if method.name in ("GetDispensingSummary", "EndClaim"):
        return {Role.PHARMACIST, Role.PATIENT}
    return {{"auth": Role.ADMIN, "clinical": Role.DOCTOR, "pharmacy": Role.PHARMACIST, "events": Role.ADMIN}[service]}


def descriptors() -> list[MethodDescriptor]:
    pool = descriptor_pool.Default()
    return [method for name in SERVICES for method in pool.FindServiceByName(name).methods]


def by_name(method: MethodDescriptor) -> str:
    return str(method.name)


each_method = cells("method", METHODS.values(), ids=lambda method: method.name)


class TestEachMethod:
    @each_method
    def test_access_matches_the_contract(self, method: Method) -> None:
        assert method.public == (method.name in PUBLIC)
        if not method.public:
            assert method.roles == expected_roles(method)

    @each_method
    def test_of_clinical_and_pharmacy_wants_a_verified_licence(self, method: Method) -> None:
        of_professionals = method.path.split(".")[1] in ("clinical", "pharmacy") or method.name in OF_ADMINISTRATORS
        assert method.verified == of_professionals

    @each_method
    def test_clinical_and_pharmacy_methods_are_limited_to_roles(self, method: Method) -> None:
        assert method.for_roles == (not method.public and method.name not in SIGNED_IN)
        assert method.for_roles or method.path.split(".")[1] == "auth"

    @each_method
    def test_writes_without_secret_responses_take_idempotency_key(self, method: Method) -> None:
        reads = method.name.startswith(("Get", "List", "Watch"))
        holds_secrets = method.public or method.name in (SIGNED_IN - OWN_SESSIONS) | ABOUT_CODES
        assert method.idempotent == (not reads and not holds_secrets)

    @each_method
    def test_success_message_is_set_unless_response_is_bare(self, method: Method) -> None:
        assert bool(method.message) != (method.streaming or method.name == "GetKeySet")

    @each_method
    def test_creating_methods_return_201(self, method: Method) -> None:
        creates = method.name == "Register" or method.name.startswith("Create")
        assert method.http_status == (201 if creates else 200)


@cells(
    ("group", "names"),
    [
        ("login", {"Login", "CompleteSignIn"}),
        ("registration", {"Register"}),
        ("forgot_password", {"ForgotPassword"}),
        ("password_reset", {"ResetPassword", "UndoEmailChange"}),
        ("refresh", {"RefreshToken"}),
        ("prescription_creation", {"CreatePrescription"}),
        ("scan", {"ScanQrCode", "LookupPrescriptions"}),
        (
            "pharmacy",
            {
                *("ValidatePrescription", "DispensePrescription", "RejectPrescription", "ReleasePrescription"),
                *("ClosePrescription", "EndClaim"),
            },
        ),
        ("email", {"SendPrescriptionEmail"}),
        ("otp", {"RequestHistoryAccess"}),
        ("medical_history", {"ConfirmHistoryAccess", "GetMedicalHistory", "GetPatientHistory"}),
        (
            "events",
            {
                "GetEmailQueueStatus",
                "WatchEmailQueueStatus",
                "WatchEmails",
                "ListEmails",
                "RetryEmail",
                "ClearCompletedEmails",
                "EmitTestEvent",
                "GetRateLimitUsage",
            },
        ),
    ],
)
def test_a_limit_group_has_the_methods_of_the_contract(group: str, names: set[str]) -> None:
    assert {method.name for method in METHODS.values() if method.limit_group == group} == names


@cells("descriptor", descriptors(), ids=by_name)
def test_each_method_has_one_http_rule_under_api_v1(descriptor: MethodDescriptor) -> None:
    options = descriptor.GetOptions()
    assert options.HasExtension(annotations_pb2.http), f"{descriptor.full_name} cannot be reached over REST"
    rule = options.Extensions[annotations_pb2.http]
    assert getattr(rule, rule.WhichOneof("pattern")).startswith("/api/v1/")


def test_no_two_methods_have_the_same_route() -> None:
    rules = [descriptor.GetOptions().Extensions[annotations_pb2.http] for descriptor in descriptors()]
    routes = [(rule.WhichOneof("pattern"), getattr(rule, rule.WhichOneof("pattern"))) for rule in rules]
    assert len(set(routes)) == len(routes) == len(METHODS)


def test_only_health_and_reflection_are_open() -> None:
    assert {path.split("/")[1] for path in OPEN_METHODS} == {health.SERVICE_NAME, reflection.SERVICE_NAME}
    assert not OPEN_METHODS & METHODS.keys()


def test_an_unknown_method_is_closed() -> None:
    method = unknown_method("/x.Y/Z")
    assert (method.public, method.idempotent, method.request_type, method.name) == (False, False, None, "Z")


def a_service(name: str, option: access_pb2.Access | None) -> str:
    """Adds a service with one method to the pool and returns its full name."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="probe", syntax="proto3")
    file.message_type.add(name=f"{name}Message")
    method = file.service.add(name=name).method.add(name="Do")
    method.input_type = method.output_type = f".probe.{name}Message"
    if option is not None:
        method.options.Extensions[access_pb2.access].CopyFrom(option)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return f"probe.{name}"


UNCLEAR: Mapping[str, access_pb2.Access | None] = {
    "Without": None,
    "Empty": access_pb2.Access(message="x"),
    "PublicAndRoles": access_pb2.Access(public=True, roles=[access_pb2.ROLE_ADMIN]),
    "PublicAndSignedIn": access_pb2.Access(public=True, signed_in=True),
    "SignedInAndRoles": access_pb2.Access(signed_in=True, roles=[access_pb2.ROLE_ADMIN]),
    "NothingOfTheAudit": access_pb2.Access(public=True),
    "AuditedAndNot": access_pb2.Access(public=True, audit=audit_pb2.AUDIT_EVENT_SIGNED_IN, unaudited="x"),
}


@control("S30")
@pytest.mark.parametrize("name", UNCLEAR)
def test_method_without_access_and_audit_stops_start(
    name: str,
) -> None:
    with pytest.raises(AccessUndeclared, match=rf"probe\.{name}\.Do"):
        read_methods([a_service(name, UNCLEAR[name])])


def test_a_method_that_does_is_read() -> None:
    option = access_pb2.Access(
        roles=[access_pb2.ROLE_DOCTOR],
        verified=True,
        limit_group=access_pb2.LIMIT_GROUP_OTP,
        audit=audit_pb2.AUDIT_EVENT_PATIENT_READ,
    )
    [method] = read_methods([a_service("Clear", option)]).values()
    assert (method.path, method.roles, method.verified) == ("/probe.Clear/Do", frozenset({Role.DOCTOR}), True)
    assert (method.audit, method.subject_field) == (AuditEvent.PATIENT_READ, "")
    assert (method.limit_group, method.http_status, method.streaming) == ("otp", 200, False)
