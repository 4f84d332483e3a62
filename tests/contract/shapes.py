"""The shapes of REST responses: patterns of texts, the envelope, and objects that many calls return."""

import re
from typing import Any, Final

from tests.fixtures.actors import Actor, Actors


class Form(str):
    """Equals every text that matches the pattern; its repr is the pattern, for readable failures."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self, other) is not None


TEXT: Final = Form(r".+")
ID: Final = Form(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
REQUEST_ID: Final = Form(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME: Final = Form(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
DATE: Final = Form(r"\d{4}-\d{2}-\d{2}")
ACCESS_TOKEN: Final = Form(r"[\w-]+\.[\w-]+\.[\w-]+")
REFRESH_TOKEN: Final = Form(r"[\w-]{43}")
PAGE_TOKEN: Final = Form(r"[\w-]+")
REFERENCE: Final = Form(r"PAT-\d{8}-[0-9A-HJKMNP-TV-Z]{8}")
NUMBER: Final = Form(r"RX-\d{8}-[0-9A-HJKMNP-TV-Z]{8}")
QR_HASH: Final = Form(r"[0-9a-f]{32}")
WHOLE_PAGE: Final = {"nextPageToken": "", "totalSizeIsMinimum": False}
"""The members of a list's last page other than its rows and total."""

LIMIT_HEADERS: Final = {"x-ratelimit-limit": r"\d+", "x-ratelimit-remaining": r"\d+", "x-ratelimit-reset": r"\d{10}"}


def succeeded(
    actors: Actors, status: int, message: str, call: str, actor: Actor | None = None, body: Any = None
) -> dict[str, Any]:
    """Makes a call, such as `GET /users`, verifies status, headers and envelope, and returns the data."""
    answer = called(actors, call, actor, body)
    assert (answer.status_code, answer.json().get("message")) == (status, message), answer.text
    envelope = answer.json()
    data: dict[str, Any] = envelope.pop("data")
    assert envelope == {"success": True, "message": message}
    return data


def refused(
    actors: Actors, status: int, type_: str, call: str, actor: Actor | None = None, body: Any = None, **expected: Any
) -> dict[str, Any]:
    """Makes a call that must fail in exactly this way, and returns the error.

    expected: `fields`, the fields in its details; `limited`, as in `called`; all others are members of the error.
    """
    answer = called(actors, call, actor, body, limited=expected.pop("limited", True))
    details = [{"field": field, "message": TEXT} for field in expected.pop("fields", [])]
    error = {"message": TEXT, "statusCode": status, "type": type_, "requestId": REQUEST_ID, "details": details}
    assert answer.json() == {"success": False, "error": {**error, **expected}}, answer.text
    assert answer.status_code == status
    found: dict[str, Any] = answer.json()["error"]
    assert found["requestId"] == answer.headers["x-request-id"]
    return found


def called(actors: Actors, call: str, actor: Actor | None = None, body: Any = None, *, limited: bool = True) -> Any:
    """Makes a call, such as `GET /users`, verifies the headers, and returns the response.

    limited: the call reaches the rate limits and gets their headers; otherwise the edge responds to it.
    """
    method, path = call.split(" ", 1)
    answer = actors.http.request(method, path, headers=actor.headers if actor else {}, json=body)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-request-id"] == REQUEST_ID
    told = {name for name, form in LIMIT_HEADERS.items() if re.fullmatch(form, answer.headers.get(name, ""))}
    assert told == (LIMIT_HEADERS.keys() if limited else set())
    return answer


def user(actor_email: str, role: str, **known: Any) -> dict[str, Any]:
    """Returns an account in the shape that all calls return."""
    texts = ("phone", "licenseNumber", "specialization", "hospitalName", "pharmacyName", "pharmacyAddress", "newEmail")
    return {
        **dict.fromkeys(texts, ""),
        "id": ID,
        "email": actor_email,
        "fullName": TEXT,
        "role": role,
        "status": "active",
        "createdAt": TIME,
        "emailConfirmed": True,
        **known,
    }


def item(medicine: str, quantity: int, dispensed: int = 0, **known: Any) -> dict[str, Any]:
    """Returns a prescription's item in its REST shape."""
    return {
        "id": ID,
        "medicineName": medicine,
        "dosage": "1",
        "frequency": "daily",
        "quantity": quantity,
        "instructions": "",
        "route": "",
        "dispensedQuantity": dispensed,
        "remainingQuantity": quantity - dispensed,
        "quantityUnit": "piece",
        "exactQuantity": str(quantity),
        "exactDispensedQuantity": str(dispensed),
        "exactRemainingQuantity": str(quantity - dispensed),
        **known,
    }


def qr_code(scans: int = 0, *, used: bool = False) -> dict[str, Any]:
    """Returns the members of a QR code other than its text."""
    return {"qrHash": QR_HASH, "isUsed": used, "scanCount": scans, "expiresAt": TIME}
