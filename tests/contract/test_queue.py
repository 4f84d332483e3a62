"""The mail queue and the limits as admins see them: every answer over REST, exactly."""

from typing import Any, Final
from uuid import uuid4

from tests.contract.shapes import ID, TEXT, TIME, refused, succeeded
from tests.fixtures.cast import Cast

MAIL: Final[dict[str, Any]] = {
    "id": ID,
    "kind": "password_changed",
    "recipient": "a***@medconnect.local",
    "createdAt": TIME,
}


def test_a_failed_mail_is_listed_and_put_back(cast: Cast) -> None:
    mail_id = cast.failed_mail()
    failed = {**MAIL, "id": mail_id, "status": "failed", "attempts": 0, "error": "550 no", "finishedAt": TIME}
    said, call = "Emails retrieved successfully", "GET /events/emails?status=failed"
    listed = succeeded(cast, 200, said, call, cast.admin)
    assert listed.keys() == {"emails", "nextPageToken", "totalSize", "totalSizeIsMinimum"}
    assert [mail for mail in listed["emails"] if mail["id"] == mail_id] == [failed]
    call = f"POST /events/emails/{mail_id}/retry"
    back = succeeded(cast, 200, "Email put back into the queue successfully", call, cast.admin, {})
    assert back == {"email": {**MAIL, "id": mail_id, "status": "pending", "attempts": 0, "error": "", "dueAt": TIME}}
    call = f"POST /events/emails/{uuid4()}/retry"
    refused(cast, 404, "RESOURCE_NOT_FOUND", call, cast.admin, {}, resource="email")


def test_a_test_event_is_emitted_and_what_was_sent_is_cleared(cast: Cast) -> None:
    body = {"eventType": "prescription.created", "data": {"why": "a rehearsal"}}
    emitted = succeeded(cast, 200, "Test event emitted successfully", "POST /events/test", cast.admin, body)
    assert emitted == {**body, "emittedAt": TIME}
    call = "POST /events/email-queue/clear-completed"
    cleared = succeeded(cast, 200, "Completed emails cleared successfully", call, cast.admin, {})
    assert type(cleared.pop("clearedJobs")) is int
    assert cleared == {"clearedAt": TIME}
    wrong = {"eventType": "no event"}
    refused(cast, 400, "VALIDATION_FAILED", "POST /events/test", cast.admin, wrong, fields=["eventType"])


def test_the_use_of_the_limits_is_told(cast: Cast) -> None:
    call = "GET /events/rate-limits"
    told = succeeded(cast, 200, "Rate limit usage retrieved successfully", call, cast.admin)
    assert told.keys() == {"limits", "fullestBuckets", "countedSince"}
    assert told["countedSince"] == TIME
    for limit in told["limits"]:
        assert limit.pop("name") == TEXT
        assert limit.keys() == {"tokens", "periodSeconds", "allowed", "refused"}
        assert {type(number) for number in limit.values()} == {int}
    refused(cast, 403, "ROLE_NOT_ALLOWED", call, cast.doctor)
