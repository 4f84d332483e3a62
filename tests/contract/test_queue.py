"""The email queue and the rate limits for admins: every REST response, exactly."""

from typing import Any, Final
from uuid import uuid4

from tests.contract.shapes import ID, TEXT, TIME, refused, succeeded
from tests.fixtures.actors import Actors

MAIL: Final[dict[str, Any]] = {
    "id": ID,
    "kind": "password_changed",
    "recipient": "a***@medconnect.local",
    "createdAt": TIME,
}


def test_failed_email_is_listed_and_retried(actors: Actors) -> None:
    mail_id = actors.failed_mail()
    failed = {**MAIL, "id": mail_id, "status": "failed", "attempts": 0, "error": "550 no", "finishedAt": TIME}
    said, call = "Emails retrieved successfully", "GET /events/emails?status=failed"
    listed = succeeded(actors, 200, said, call, actors.admin)
    assert listed.keys() == {"emails", "nextPageToken", "totalSize", "totalSizeIsMinimum"}
    assert [mail for mail in listed["emails"] if mail["id"] == mail_id] == [failed]
    call = f"POST /events/emails/{mail_id}/retry"
    back = succeeded(actors, 200, "Email put back into the queue successfully", call, actors.admin, {})
    assert back == {"email": {**MAIL, "id": mail_id, "status": "pending", "attempts": 0, "error": "", "dueAt": TIME}}
    call = f"POST /events/emails/{uuid4()}/retry"
    refused(actors, 404, "RESOURCE_NOT_FOUND", call, actors.admin, {}, resource="email")


def test_a_test_event_is_emitted_and_what_was_sent_is_cleared(actors: Actors) -> None:
    body = {"eventType": "prescription.created", "data": {"why": "a rehearsal"}}
    emitted = succeeded(actors, 200, "Test event emitted successfully", "POST /events/test", actors.admin, body)
    assert emitted == {**body, "emittedAt": TIME}
    call = "POST /events/email-queue/clear-completed"
    cleared = succeeded(actors, 200, "Completed emails cleared successfully", call, actors.admin, {})
    assert type(cleared.pop("clearedJobs")) is int
    assert cleared == {"clearedAt": TIME}
    wrong = {"eventType": "no event"}
    refused(actors, 400, "VALIDATION_FAILED", "POST /events/test", actors.admin, wrong, fields=["eventType"])


def test_rate_limit_usage_is_returned(actors: Actors) -> None:
    call = "GET /events/rate-limits"
    told = succeeded(actors, 200, "Rate limit usage retrieved successfully", call, actors.admin)
    assert told.keys() == {"limits", "fullestBuckets", "countedSince"}
    assert told["countedSince"] == TIME
    for limit in told["limits"]:
        assert limit.pop("name") == TEXT
        assert limit.keys() == {"tokens", "periodSeconds", "allowed", "refused"}
        assert {type(number) for number in limit.values()} == {int}
    refused(actors, 403, "ROLE_NOT_ALLOWED", call, actors.doctor)
