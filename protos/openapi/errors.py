"""How calls fail over REST: the error shape, and which reasons an operation answers with which status.

An RPC's comment names its own reasons behind `Errors:`; the others follow from what stands beside it and from the edge.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor

from protos.openapi.contract import Contract, OpenApiError, Schema
from protos.openapi.headers import error_headers

REASONS = "medconnect.errors.v1.ErrorReason"
HTTP_STATUS: Mapping[str, int] = {
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
STATUS_OF_REASON: Mapping[str, int] = {"BODY_TOO_LARGE": 413}
"""As server/edge/errors.lua has it: the reasons whose status is not that of their code."""


@dataclass(frozen=True)
class Cause:
    """An `error.type`: the status it is answered with, and what it means."""

    status: int
    meaning: str
    members: tuple[str, ...] = ()
    """What the error tells beside the members that every error has."""


EDGE: Mapping[str, Cause] = {
    "MALFORMED_REQUEST": Cause(400, "The path, a header or the way they are sent is not understood."),
    "ROUTE_UNKNOWN": Cause(404, "There is no such path."),
    "METHOD_NOT_ALLOWED": Cause(405, "The path takes other methods; the header `allow` names them."),
    "REQUEST_TIMEOUT": Cause(408, "The request took too long to arrive."),
    "PATH_TOO_LONG": Cause(414, "The path, with its query, is longer than 4096 bytes."),
    "UNSUPPORTED_MEDIA_TYPE": Cause(415, "The body is not declared to be `application/json`."),
    "RESOURCE_EXHAUSTED": Cause(429, "More calls run at once than the server takes; try again."),
    "HEADERS_TOO_LARGE": Cause(431, "The headers are too large."),
    "UNAVAILABLE": Cause(503, "No server answers; try again later."),
}
"""What the edge and the gRPC library refuse in words of their own."""

EVERY_CALL = (
    *("VALIDATION_FAILED", "MALFORMED_REQUEST", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE"),
    "PATH_TOO_LONG",
    *("INTERNAL", "DATABASE_UNAVAILABLE", "SERVER_BUSY", "DRAINING", "UNAVAILABLE", "DEADLINE_EXCEEDED"),
)
WITH_BODY = ("MALFORMED_BODY", "REQUEST_TIMEOUT", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
WITH_KEY = ("IDEMPOTENCY_KEY_INVALID", "IDEMPOTENCY_KEY_REUSED", "REQUEST_IN_PROGRESS")
LICENSED = frozenset({"ROLE_DOCTOR", "ROLE_PHARMACIST"})
"""Who must have been verified where an RPC says `verified`."""

SHARED = {408: "RequestTimeout", 413: "BodyTooLarge", 415: "UnsupportedMediaType", 429: "TooManyRequests"}
SHARED |= {414: "PathTooLong"}
SHARED |= {401: "Unauthenticated", 431: "HeadersTooLarge", 500: "Internal", 503: "Unavailable", 504: "DeadlineExceeded"}
"""The statuses that mean the same almost everywhere, and the names of their responses."""
SHARED_TYPES = (*EVERY_CALL, *WITH_BODY, "UNAUTHENTICATED")

TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MEMBERS: Mapping[str, Schema] = {
    "changedAt": MOMENT,
    "claimExpiresAt": MOMENT,
    "expiredAt": MOMENT,
    "limit": TEXT,
    "pharmacyName": TEXT,
    "pharmacyPhone": TEXT,
    "requiresOtp": {"type": "boolean"},
    "resource": TEXT,
    "state": {"$ref": "#/components/schemas/PrescriptionStatus"},
    "status": TEXT,
    "version": {"type": "integer", "format": "int32"},
}
"""What errors tell beside the members that every error has."""


class Errors:
    """Every way in which a call can fail."""

    def __init__(self, contract: Contract) -> None:
        """Read the reasons; raise OpenApiError for one that tells what `MEMBERS` does not describe."""
        self._contract = contract
        self._causes = dict(EDGE)
        for value in contract.enum(REASONS).values:
            if value.number:
                rule = contract.option(value, "medconnect.errors.v1.rule")
                name = value.name.removeprefix("ERROR_REASON_")
                status = STATUS_OF_REASON.get(name, HTTP_STATUS[rule["code"]])
                self._causes[name] = Cause(status, contract.comment(value), tuple(rule.get("metadata", ())))
        told = {member for cause in self._causes.values() for member in cause.members}
        if told != MEMBERS.keys():
            raise OpenApiError(
                f"{', '.join(sorted(told ^ MEMBERS.keys()))}: MEMBERS in errors.py must say what this is"
            )

    def schema(self) -> Schema:
        """The one shape of all errors."""
        detail = {
            "type": "object",
            "properties": {
                "field": {
                    "type": "string",
                    "description": "The field's path in JSON names, such as `items[0].quantity`.",
                },
                "message": {"type": "string", "description": "What is wrong with it."},
            },
            "required": ["field", "message"],
        }
        status = {"type": "integer", "description": "The HTTP status."}
        error = {
            "message": {"type": "string", "description": "For people; may change."},
            "statusCode": status,
            "type": {"type": "string", "description": "For programs.", "enum": sorted(self._causes)},
            "requestId": {"type": "string", "description": "Names the call, in the server's log too."},
            "details": {"type": "array", "items": detail, "description": "The fields that do not hold what they must."},
        }
        more = {name: {**schema, "description": self._told_with(name)} for name, schema in MEMBERS.items()}
        described = {"type": "object", "properties": {**error, **more}, "required": list(error)}
        return {
            "description": "Every failure, of the service and of the edge before it.",
            "type": "object",
            "properties": {"success": {"type": "boolean", "const": False}, "error": described},
            "required": ["success", "error"],
        }

    def shared(self) -> Schema:
        """`components.responses`: what most operations answer alike."""
        found = self._by_status(SHARED_TYPES)
        return {name: self._response(status, found[status]) for status, name in sorted(SHARED.items())}

    def of(self, method: MethodDescriptor) -> Schema:
        """The error responses of an RPC by status; raise OpenApiError if its comment names a reason that is none."""
        shared = self._by_status(SHARED_TYPES)
        responses: Schema = {}
        for status, types in sorted(self._by_status(self._types(method)).items()):
            if status in SHARED and types == shared[status]:
                responses[str(status)] = {"$ref": f"#/components/responses/{SHARED[status]}"}
            else:
                responses[str(status)] = self._response(status, types)
        return responses

    def _types(self, method: MethodDescriptor) -> set[str]:
        access = self._contract.option(method, "medconnect.options.v1.access")
        types = {*EVERY_CALL, *self._named_by(method)}
        if "body" in self._contract.option(method, "google.api.http"):
            types.update(WITH_BODY)
        if access.get("idempotent"):
            types.update(WITH_KEY)
        if not access.get("public"):
            types.add("UNAUTHENTICATED")
        if access.get("roles"):
            types.update(("ROLE_NOT_ALLOWED", "EMAIL_NOT_CONFIRMED"))
        if access.get("verified") and LICENSED & set(access["roles"]):
            types.add("ACCOUNT_NOT_VERIFIED")
        return types

    def _named_by(self, method: MethodDescriptor) -> Iterable[str]:
        _, _, named = self._contract.comment(method).partition("Errors:")
        words = re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b", named)
        for word in words:
            if "_" in word and word not in self._causes:
                raise OpenApiError(
                    f"{method.full_name}: its comment names {word}, which is no reason of error_reason.proto"
                )
        return [word for word in words if word in self._causes]

    def _by_status(self, types: Iterable[str]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for name in sorted(types):
            found[self._causes[name].status].append(name)
        return found

    def _response(self, status: int, types: Iterable[str]) -> Schema:
        return {
            "description": "\n".join(f"- `{name}`: {self._causes[name].meaning}" for name in types),
            "headers": error_headers(status),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }

    def _told_with(self, member: str) -> str:
        types = sorted(name for name, cause in self._causes.items() if member in cause.members)
        return f"With {', '.join(f'`{name}`' for name in types)}."
