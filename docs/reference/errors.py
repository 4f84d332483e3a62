"""Writes docs/api-errors.md: every reason with its status, its metadata and a sample of the REST answer."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from google.rpc import code_pb2
from medconnect.errors.v1 import error_reason_pb2

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from server.api.status import declared_errors
from server.errors import DeclaredError

INTRODUCTION: Final = """A failure names one of these reasons: in gRPC `google.rpc.ErrorInfo.reason` (domain
`medconnect`), in REST `error.type`. Metadata keys are members of `ErrorInfo.metadata` and of the REST error."""
HTTP: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of a gRPC code; the edge answers BODY_TOO_LARGE with 413."""
SAMPLES: Final[dict[str, Any]] = {
    "accountId": "0198c0de-7a3b-7c4d-8e5f-123456789abc",
    "state": "validated",
    "changedAt": "2026-12-01T10:30:00.000Z",
    "claimExpiresAt": "2026-12-01T10:30:00.000Z",
    "expiredAt": "2026-12-01T10:30:00.000Z",
    "suspendedAt": "2026-12-01T10:30:00.000Z",
    "pharmacyName": "Healthy Life",
    "pharmacyPhone": "+4930123456",
    "limit": "scan",
    "method": "BindPatientEmail",
    "maximum": 50,
    "resource": "prescription",
    "version": 3,
    "requiresOtp": True,
    "status": "completed",
    "validFrom": "2026-12-24",
    "challenge": "q7Lr0W2mXcN5uTb8VdKf3sZyHj6PaGe1oRi9tBk4hwQ",
    "expiresAt": "2026-12-01T10:30:00.000Z",
    "kinds": "totp",
}
COMMENT: Final = re.compile(r"((?:^ *//.*\n)+) *ERROR_REASON_(\w+) = ", re.MULTILINE)


def errors() -> str:
    """Returns the page."""
    declared = {error.reason.value: error for error in declared_errors()}
    meanings = _meanings()
    values = [value for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number]
    rows, samples = [], []
    for value in values:
        reason = value.name.removeprefix("ERROR_REASON_")
        rule = value.GetOptions().Extensions[error_reason_pb2.rule]
        code = code_pb2.Code.Name(rule.code)
        status = 413 if reason == "BODY_TOO_LARGE" else HTTP[code]
        keys = ", ".join(f"`{key}`" for key in rule.metadata) or "–"
        rows.append([f"[`{reason}`](#{reason.lower()})", code, str(status), keys, meanings[reason]])
        samples.append(_sample(reason, status, rule.metadata, declared[reason]))
    overview = table(("reason", "gRPC code", "HTTP", "metadata", "meaning"), rows)
    return page("Errors", INTRODUCTION, overview, "## Samples", *samples)


def _sample(reason: str, status: int, metadata: Iterable[str], error: type[DeclaredError]) -> str:
    body = {
        "message": error.message,
        "statusCode": status,
        "type": reason,
        "requestId": "4f9c2b7e01d35a68",
        "details": [],
    }
    body |= {key: SAMPLES[key] for key in metadata}
    text = json.dumps({"success": False, "error": body}, indent=1, ensure_ascii=False)
    return f'<a id="{reason.lower()}"></a>\n\n### {reason}\n\n```json\n{text}\n```'


def _meanings() -> dict[str, str]:
    source = (ROOT / "protos/medconnect/errors/v1/error_reason.proto").read_text()
    return {found[2]: found[1].replace("//", "").strip() for found in COMMENT.finditer(source)}
