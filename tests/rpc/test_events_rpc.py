"""Admins read and repair the email queue, over gRPC and REST."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import pytest
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2
from medconnect.events.v1 import email_pb2
from medconnect.events.v1 import events_service_pb2 as events
from sqlalchemy import text

from tests.fixtures.actors import Actors
from tests.fixtures.sender import PATIENCE_SECONDS, Sender, body
from tests.rpc.test_mail_flow import sender, server_sent_events

__all__ = ["sender"]
SENT: Final = ["pending", "processing", "completed"]
SHOWN: Final = {"id", "kind", "recipient", "status", "attempts", "error", "createdAt", "finishedAt"}


def record_patient(actors: Actors, email: str) -> None:
    """Records a patient who gets a welcome email."""
    request = clinical.CreatePatientRequest(
        email=email, full_name="Wanda Watched", date_of_birth="1990-02-28", gender=patient_pb2.GENDER_FEMALE
    )
    actors.clinical.CreatePatient(request, metadata=actors.doctor.metadata)


def unmistakable() -> tuple[str, str]:
    """Returns an address, and its masked form: no other address has its domain."""
    domain = f"{uuid4().hex[:12]}.example"
    return f"wanda@{domain}", f"w***@{domain}"


@contextmanager
def watched(actors: Actors, **request: Any) -> Iterator[Any]:
    """Returns the messages of WatchEmails over gRPC."""
    stream = actors.events.WatchEmails(
        events.WatchEmailsRequest(**request), metadata=actors.admin.metadata, timeout=PATIENCE_SECONDS
    )
    try:
        yield stream
    finally:
        stream.cancel()


def changes_of(messages: Iterator[Any], recipient: str, count: int) -> list[Any]:
    """Returns the first changes of the emails to that masked address."""
    found: list[Any] = []
    while len(found) < count:
        message = next(messages)
        if message.HasField("email") and message.email.recipient == recipient:
            found.append(message)
    return found


def test_email_changes_are_streamed_and_streams_resume(actors: Actors) -> None:
    email, shown = unmistakable()
    with watched(actors) as stream:
        begun = time.monotonic()
        start = next(stream)
        assert time.monotonic() - begun < 3
        assert not start.HasField("email")
        record_patient(actors, email)
        seen = changes_of(stream, shown, 3)
    names = [email_pb2.EmailStatus.Name(message.email.status) for message in seen]
    assert names == [f"EMAIL_STATUS_{word.upper()}" for word in SENT]
    assert [message.email.attempts for message in seen] == [0, 0, 1]
    with watched(actors, after_sequence=seen[0].sequence) as resumed:
        assert changes_of(resumed, shown, 2) == seen[1:]


def test_a_browser_resumes_with_the_sequence_in_the_query(actors: Actors) -> None:
    email, shown = unmistakable()
    with server_sent_events(actors, "/events/emails/stream", actors.admin) as stream:
        start = next(stream)
        assert start.keys() == {"sequence"}
    record_patient(actors, email)
    seen = over_sse(actors, int(start["sequence"]), shown, 3)
    assert [message["email"]["status"] for message in seen] == SENT
    assert {message["email"]["kind"] for message in seen} == {"welcome"}
    assert over_sse(actors, int(seen[1]["sequence"]), shown, 1) == seen[2:]


def over_sse(actors: Actors, after: int, recipient: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with server_sent_events(actors, f"/events/emails/stream?afterSequence={after}", actors.admin) as stream:
        while len(found) < count:
            message = next(stream)
            if message.get("email", {}).get("recipient") == recipient:
                found.append(message)
    return found


def test_listed_email_shows_state_without_address_or_body(actors: Actors) -> None:
    email, shown = unmistakable()
    record_patient(actors, email)
    end = time.monotonic() + PATIENCE_SECONDS
    while not (mails := listed(actors, "completed", shown)):
        assert time.monotonic() < end
        time.sleep(0.05)
    (mail,) = mails
    assert mail.keys() == SHOWN
    assert (mail["kind"], mail["status"], mail["attempts"], mail["error"]) == ("welcome", "completed", 1, "")
    status, answer = actors.rest("GET", "/events/emails?pageSize=100", actors.admin)
    assert status == 200
    assert answer["message"] == "Emails retrieved successfully"
    told = json.dumps(answer["data"])
    for private in (email, "wanda", "Wanda", "Welcome"):
        assert private not in told


def listed(actors: Actors, status: str, recipient: str) -> list[dict[str, Any]]:
    _, answer = actors.rest("GET", f"/events/emails?status={status}&pageSize=100", actors.admin)
    return [mail for mail in answer["data"]["emails"] if mail["recipient"] == recipient]


def test_a_failed_mail_is_put_back_once_and_then_sent(actors: Actors) -> None:
    email_id = actors.failed_mail()
    path = f"/events/emails/{email_id}/retry"
    status, answer = actors.rest("POST", path, actors.admin, {})
    assert status == 200
    mail = answer["data"]["email"]
    assert (mail["id"], mail["status"], mail["attempts"], mail["error"]) == (email_id, "pending", 0, "")
    status, refused = actors.rest("POST", path, actors.admin, {})
    assert (status, refused["error"]["type"]) == (400, "EMAIL_NOT_FAILED")
    with watched(actors, after_sequence=0) as stream:
        while (change := next(stream).email).id != email_id or change.status != email_pb2.EMAIL_STATUS_COMPLETED:
            pass


def test_a_mail_whose_code_is_gone_is_not_put_back(actors: Actors) -> None:
    email_id = actors.failed_mail()
    expire = f"UPDATE emails SET expires_at = now() WHERE id = '{email_id}'"  # noqa: S608 - an id of ours
    actors.instance.run(execute(actors, expire))
    status, refused = actors.rest("POST", f"/events/emails/{email_id}/retry", actors.admin, {})
    assert (status, refused["error"]["type"]) == (400, "EMAIL_EXPIRED")


def test_clearing_forgets_what_was_sent_and_nothing_else(actors: Actors) -> None:
    email, shown = unmistakable()
    failed = actors.failed_mail()
    record_patient(actors, email)
    end = time.monotonic() + PATIENCE_SECONDS
    while not listed(actors, "completed", shown):
        assert time.monotonic() < end
    status, answer = actors.rest("POST", "/events/email-queue/clear-completed", actors.admin, {})
    assert (status, answer["message"]) == (200, "Completed emails cleared successfully")
    assert answer["data"].keys() == {"clearedAt", "clearedJobs"}
    assert answer["data"]["clearedJobs"] >= 1
    assert listed(actors, "completed", shown) == []
    _, kept = actors.rest("GET", "/events/emails?status=failed&pageSize=100", actors.admin)
    assert failed in [mail["id"] for mail in kept["data"]["emails"]]


def test_test_event_reaches_only_the_admin_who_emitted_it(actors: Actors, sender: Sender) -> None:
    patient = actors.new_patient()
    written = actors.prescribe(patient.patient_id)
    data = {"prescriptionId": written.id, "email": patient.email, "note": "<b>ü</b>"}
    emitted = {"eventType": "prescription.created", "data": data}
    before = len(sender.mails(patient.email))
    admin = actors.new_admin()
    status, answer = actors.rest("POST", "/events/test", admin, emitted)
    assert (status, answer["message"]) == (200, "Test event emitted successfully")
    assert {name: answer["data"][name] for name in emitted} == emitted
    mail = sender.wait(admin.email, "MedConnect test email")
    assert "<b>ü</b>" in body(mail, "plain")
    assert "&lt;b&gt;ü&lt;/b&gt;" in body(mail, "html")
    assert "RX-" not in body(mail, "plain")
    sender.wait(patient.email, written.prescription_number)
    assert len(sender.mails(patient.email)) <= before + 2  # the welcome and the prescription, and none for the test


@pytest.mark.parametrize(
    ("emitted", "field"),
    [
        ({"eventType": "Prescription Created"}, "eventType"),
        ({"eventType": "x\r\nBcc: a@b.example"}, "eventType"),
        ({"eventType": "x" * 65}, "eventType"),
        ({"eventType": "x", "data": {"a\nb": "c"}}, "data"),
        ({"eventType": "x", "data": {"a": "b\r\nBcc: a@b.example"}}, "data"),
        ({"eventType": "x", "data": {"": "b"}}, "data"),
        ({"eventType": "x", "data": {"a" * 65: "b"}}, "data"),
        ({"eventType": "x", "data": {"a": "b" * 501}}, "data"),
        ({"eventType": "x", "data": {str(number): "b" for number in range(21)}}, "data"),
    ],
)
def test_a_test_event_that_holds_what_it_must_not_is_refused(
    actors: Actors, emitted: dict[str, Any], field: str
) -> None:
    status, answer = actors.rest("POST", "/events/test", actors.admin, emitted)
    assert (status, answer["error"]["type"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in answer["error"]["details"]] == [field]


@pytest.mark.parametrize("data", ["x", 7, [], ["a"], {"a": {}}, {"a": ["b"]}, True])
def test_data_that_is_no_object_of_texts_is_refused(actors: Actors, data: Any) -> None:
    status, answer = actors.rest("POST", "/events/test", actors.admin, {"eventType": "x", "data": data})
    assert status == 400
    assert answer["error"]["type"] in ("MALFORMED_BODY", "VALIDATION_FAILED")


async def execute(actors: Actors, statement: str, **values: Any) -> Any:
    async with actors.instance.core.work.begin() as tx:
        return await tx.connection.scalar(text(statement), values)
