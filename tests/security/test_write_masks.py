"""Updates change the fields that they list and no others; clinical ones refuse a body that contains any other."""

from typing import Any

import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.proofs import control
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS

NOBODY = "0193d1c0-0000-7000-8000-000000000000"
UNLISTED = {
    "id": NOBODY,
    "userId": NOBODY,
    "patientId": NOBODY,
    "role": "admin",
    "status": "deactivated",
    "isActive": False,
    "verified": True,
    "emailConfirmed": False,
    "newEmail": "evil@example.org",
    "fullName": "Another Person",
    "referenceNumber": "PAT-20260101-00000000",
    "passwordHash": "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA",
    "password": "a fresh start, 2041",
    "licenseNumber": "MD-0",
    "existingConditions": ["None at all"],
    "createdAt": "2000-01-01T00:00:00Z",
    "updatedAt": "2000-01-01T00:00:00Z",
    "historyUntil": "2100-01-01T00:00:00Z",
}
STREET, NUMBER = "1 New Street", "+49 30 99"
UPDATES: dict[str, tuple[str, dict[str, str], Message]] = {
    "UpdateProfile": ("/patients/profile", {"address": STREET}, clinical.UpdateProfileRequest(address=STREET)),
    "UpdateCurrentUser": ("/auth/profile", {"phone": NUMBER}, auth.UpdateCurrentUserRequest(phone=NUMBER)),
    "UpdatePatient": (
        "/doctors/patients/{patient_id}",
        {"address": STREET},
        clinical.UpdatePatientRequest(address=STREET),
    ),
}
STRICT = {"UpdateProfile", "UpdatePatient"}
"""The updates of health data, which refuse unknown fields."""
LISTED_BY_DOCTORS = {"fullName", "existingConditions", "patientId"}
"""The fields that a doctor's update does list, or that its path names."""
CHANGES = {"updatedAt", "version"}
"""The fields that every change of a record changes."""


def seen(actors: Actors, actor: Actor) -> dict[str, Any]:
    """Returns the account as an admin sees it, and the record as a doctor does."""
    user = actors.rest("GET", f"/users/{actor.user_id}", actors.admin)[1]["data"]["user"]
    record = actors.rest("GET", f"/doctors/patients/{actor.patient_id}", actors.doctor)[1]["data"]["patient"]
    whole = {f"user.{name}": value for name, value in user.items()}
    return whole | {name: value for name, value in record.items() if name not in CHANGES}


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    assert before.keys() == after.keys()
    return {name.removeprefix("user."): after[name] for name in before if before[name] != after[name]}


@control("S36")
@pytest.mark.parametrize("name", UPDATES)
def test_rest_update_with_unlisted_fields_changes_none_of_them(actors: Actors, name: str) -> None:
    actor, (path, listed, _) = actors.new_patient(), UPDATES[name]
    by_doctor = "{" in path
    unlisted = {key: value for key, value in UNLISTED.items() if not by_doctor or key not in LISTED_BY_DOCTORS}
    before = seen(actors, actor)
    path, caller = path.format(patient_id=actor.patient_id), actors.doctor if by_doctor else actor
    status, body = actors.rest("PUT", path, caller, {**unlisted, **listed})
    assert (status, body["success"]) == ((400, False) if name in STRICT else (200, True))
    assert differing(before, seen(actors, actor)) == ({} if name in STRICT else listed)
    actors.sign_in(actor.email)


@control("S36")
@pytest.mark.parametrize("name", UPDATES)
def test_grpc_update_with_unknown_fields_changes_none_of_them(actors: Actors, name: str) -> None:
    actor, (_, listed, template) = actors.new_patient(), UPDATES[name]
    request, caller = type(template).FromString(template.SerializeToString()), actor
    if isinstance(request, clinical.UpdatePatientRequest):
        request.patient_id, caller = actor.patient_id, actors.doctor
    before = seen(actors, actor)
    known = {field.number for field in request.DESCRIPTOR.fields}
    unknown = [number for number in (*range(1, 60), 1000, 50001) if number not in known]
    extra = b"".join(text_field(number, b"admin") + varint(number << 3) + b"\x04" for number in unknown)
    answer = over_grpc(actors, RPCS[name], request.SerializeToString() + extra, caller)
    assert answer.reason == ("VALIDATION_FAILED" if name in STRICT else "")
    assert differing(before, seen(actors, actor)) == ({} if name in STRICT else listed)


def text_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    written = b""
    while value > 0x7F:
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])
