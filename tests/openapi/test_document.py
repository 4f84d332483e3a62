"""The document is valid and complete for the edge's responses; protos that it cannot describe are refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from protos.edge_tables import GENERATED
from protos.generate import commented_descriptors
from protos.openapi.contract import OpenApiError
from protos.openapi.document import build
from protos.openapi.errors import EDGE, HTTP_STATUS
from protos.openapi.example import read_examples
from tests.fixtures.cells import cells
from tests.openapi.documented import Document, read_document
from tests.rpc.calls import HTTP_STATUS as STATUS_OF_CODE
from tests.rpc.methods import RPCS, access_of

EDGE_LUA = Path(__file__).parents[2] / "server/edge"
EXAMPLES = read_examples()
Files = descriptor_pb2.FileDescriptorSet


@pytest.fixture(scope="module")
def document() -> Document:
    return read_document()


@pytest.fixture(scope="module")
def descriptors() -> bytes:
    return commented_descriptors()


def test_the_document_is_valid_openapi() -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # slow, and each process collects this module

    OpenAPIV31SpecValidator(json.loads((GENERATED / "openapi.json").read_text())).validate()


def test_every_method_is_an_operation_at_its_place(document: Document) -> None:
    places = {name: (operation.verb, operation.path) for name, operation in document.operations.items()}
    assert places.pop("Health") == ("GET", "/health")
    for name in ("ListPatients", "ListUsers"):  # search terms, which are personal data, may be sent in a body
        assert places.pop(f"{name}Post") == ("POST", f"/api/v1{RPCS[name].path}/search")
    assert places.keys() == RPCS.keys()
    for name, (verb, path) in places.items():
        assert verb == RPCS[name].verb
        assert re.sub(r"{\w+}", "*", path) == "/api/v1" + re.sub(r"{\w+}", "*", RPCS[name].path)


@cells("name", RPCS)
def test_operation_documents_its_access_and_idempotency(document: Document, name: str) -> None:
    described, access = document.operations[name].described, access_of(RPCS[name])
    assert (described.get("security") == []) == access.public
    assert ("401" in described["responses"]) == (
        not access.public or name in ("Login", "CompleteSignIn", "RefreshToken")
    )
    assert ("403" in described["responses"]) == bool(access.roles or access.step_up)
    keys = [one for one in described.get("parameters", ()) if document.resolved(one)["name"] == "idempotency-key"]
    assert bool(keys) == access.idempotent


@cells("name", RPCS)
def test_operation_documents_its_refresh_cookie(document: Document, name: str) -> None:
    described = document.operations[name].described
    taken = {document.resolved(one)["name"] for one in described.get("parameters", ())}
    success = described["responses"][str(document.operations[name].success)]
    sets_cookie = name in ("Register", "Login", "CompleteSignIn", "RefreshToken", "Logout")
    assert ("x-refresh-cookie" in taken) == ("set-cookie" in success["headers"]) == sets_cookie


def test_every_type_that_the_edge_writes_is_documented(document: Document) -> None:
    types = document.document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["type"]["enum"]
    replies, filter_ = (EDGE_LUA / "replies.lua").read_text(), (EDGE_LUA / "envelope.lua").read_text()
    own = {(found[2], int(found[1])) for found in re.finditer(r'\[(\d{3})\] = \{ "([A-Z_]+)"', replies)}
    refused = {(found[2], int(found[1])) for found in re.finditer(r'refuse\(handle, (\d{3}), "([A-Z_]+)"', filter_)}
    assert len(own) > 5
    assert len(refused) > 3
    for name, status in own | refused:
        assert name in types
        assert name not in EDGE or EDGE[name].status == status
    assert set(re.findall(r'"([A-Z_]{6,})"', replies)) <= set(types)


def test_the_statuses_of_codes_are_those_of_the_contract() -> None:
    for code, status in STATUS_OF_CODE.items():
        assert HTTP_STATUS.get(code.name, status) == status


def test_a_method_without_an_example_is_refused(descriptors: bytes) -> None:
    examples = {name: example for name, example in EXAMPLES.items() if name != "ScanQrCode"}
    with pytest.raises(OpenApiError, match="no example of ScanQrCode"):
        build(descriptors, examples)


def test_an_example_of_nothing_is_refused(descriptors: bytes) -> None:
    with pytest.raises(OpenApiError, match="ScanQrCodes, which no service has"):
        build(descriptors, {**EXAMPLES, "ScanQrCodes": EXAMPLES["ScanQrCode"]})


def method_of(files: Files, name: str) -> descriptor_pb2.MethodDescriptorProto:
    """Returns the method of this name in any service."""
    methods = (method for file in files.file for service in file.service for method in service.method)
    return next(method for method in methods if method.name == name)


def message_of(files: Files, name: str) -> descriptor_pb2.DescriptorProto:
    """Returns the message of this name in any file."""
    return next(message for file in files.file for message in file.message_type if message.name == name)


def with_a_misspelt_reason(files: Files) -> None:
    for file in files.file:
        for location in file.source_code_info.location:
            location.leading_comments = location.leading_comments.replace("QR_CODE_REPLACED", "QR_CODE_EXCHANGED")


def with_an_unknown_rule(files: Files) -> None:
    [field] = message_of(files, "ScanQrCodeRequest").field
    field.options.Extensions[validate_pb2.field].string.prefix = "MC1."


def with_an_undocumented_field(files: Files) -> None:
    for file in files.file:
        if file.name.startswith("medconnect/pharmacy"):
            del file.source_code_info.location[:]


def with_two_messages_of_one_name(files: Files) -> None:
    message_of(files, "PatientRecord").name = "Patient"
    for message in ("RegisterResponse", "CreateUserResponse"):
        [field] = [one for one in message_of(files, message).field if one.name == "patient"]
        field.type_name = ".medconnect.auth.v1.Patient"


def with_two_methods_at_one_place(files: Files) -> None:
    rule = method_of(files, "LookupPrescriptions").options.Extensions[annotations_pb2.http]
    rule.post = "/api/v1/pharmacy/scan"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (with_a_misspelt_reason, "names QR_CODE_EXCHANGED, which is not in error_reason.proto"),
        (with_an_unknown_rule, "cannot translate the rule prefix"),
        (with_an_undocumented_field, "has no comment"),
        (with_two_messages_of_one_name, "give it a name of its own"),
        (with_two_methods_at_one_place, "another method is POST /api/v1/pharmacy/scan already"),
    ],
)
def test_protos_that_openapi_cannot_describe_are_refused(
    descriptors: bytes, change: Callable[[Files], None], complaint: str
) -> None:
    files = Files.FromString(descriptors)
    change(files)
    with pytest.raises(OpenApiError, match=complaint):
        build(files.SerializeToString(), EXAMPLES)
