"""Describes the failures of REST calls: the error shape, and the reasons of each operation by status.

An RPC's comment names its own reasons after `Errors:`; the others follow from its options and from the edge.
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
"""The reasons whose status is not that of their code, as in server/edge/errors.lua."""


@dataclass(frozen=True)
class Cause:
    """An `error.type` with its HTTP status and meaning."""

    status: int
    meaning: str
    members: tuple[str, ...] = ()
    """The error's members beyond those that every error has."""


EDGE: Mapping[str, Cause] = {
    "MALFORMED_REQUEST": Cause(400, "The path, a header or their encoding is malformed."),
    "ROUTE_UNKNOWN": Cause(404, "The path does not exist."),
    "METHOD_NOT_ALLOWED": Cause(405, "The path does not support the method; the header `allow` names those it does."),
    "REQUEST_TIMEOUT": Cause(408, "The request took too long to arrive."),
    "PATH_TOO_LONG": Cause(414, "The path with its query is longer than 4096 bytes."),
    "UNSUPPORTED_MEDIA_TYPE": Cause(415, "The content type of the body is not `application/json`."),
    "RESOURCE_EXHAUSTED": Cause(429, "The server runs as many calls at once as it accepts; try again."),
    "HEADERS_TOO_LARGE": Cause(431, "The headers are too large."),
    "UNAVAILABLE": Cause(503, "No server is available; try again later."),
}
"""The errors of the edge and of the gRPC library, which are not in error_reason.proto."""

EVERY_CALL = (
    *("VALIDATION_FAILED", "MALFORMED_REQUEST", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE"),
    "PATH_TOO_LONG",
    *("INTERNAL", "DATABASE_UNAVAILABLE", "SERVER_BUSY", "DRAINING", "UNAVAILABLE", "DEADLINE_EXCEEDED"),
)
WITH_BODY = ("MALFORMED_BODY", "REQUEST_TIMEOUT", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
WITH_KEY = ("IDEMPOTENCY_KEY_INVALID", "IDEMPOTENCY_KEY_REUSED", "REQUEST_IN_PROGRESS")
LICENSED = frozenset({"ROLE_DOCTOR", "ROLE_PHARMACIST"})
"""The roles whose accounts must be verified if an RPC has the option `verified`."""

SHARED = {408: "RequestTimeout", 413: "BodyTooLarge", 415: "UnsupportedMediaType", 429: "TooManyRequests"}
SHARED |= {414: "PathTooLong"}
SHARED |= {401: "Unauthenticated", 431: "HeadersTooLarge", 500: "Internal", 503: "Unavailable", 504: "DeadlineExceeded"}
"""The statuses with the same meaning almost everywhere, and the names of their responses."""
SHARED_TYPES = (*EVERY_CALL, *WITH_BODY, "UNAUTHENTICATED")

TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MEMBERS: Mapping[str, Schema] = {
    "accountId": TEXT,
    "challenge": TEXT,
    "changedAt": MOMENT,
    "claimExpiresAt": MOMENT,
    "expiredAt": MOMENT,
    "expiresAt": MOMENT,
    "kinds": TEXT,
    "limit": TEXT,
    "method": TEXT,
    "maximum": {"type": "integer", "format": "int32"},
    "pharmacyName": TEXT,
    "suspendedAt": MOMENT,
    "pharmacyPhone": TEXT,
    "requiresOtp": {"type": "boolean"},
    "resource": TEXT,
    "state": {"$ref": "#/components/schemas/PrescriptionStatus"},
    "status": TEXT,
    "validFrom": {"type": "string", "format": "date"},
    "version": {"type": "integer", "format": "int32"},
}
"""The schemas of the members that only some errors have."""


class Errors:
    """All errors with which a call can fail."""

    def __init__(self, contract: Contract) -> None:
        """Reads the reasons; raises OpenApiError if their metadata and `MEMBERS` differ."""
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
                f"{', '.join(sorted(told ^ MEMBERS.keys()))}: MEMBERS in errors.py differs from the metadata"
            )

    def schema(self) -> Schema:
        """Returns the schema that all errors share."""
        detail = {
            "type": "object",
            "properties": {
                "field": {
                    "type": "string",
                    "description": "The field's path in JSON names, such as `items[0].quantity`.",
                },
                "message": {"type": "string", "description": "The reason why the field is invalid."},
            },
            "required": ["field", "message"],
        }
        status = {"type": "integer", "description": "The HTTP status."}
        error = {
            "message": {"type": "string", "description": "A text for people; may change."},
            "statusCode": status,
            "type": {"type": "string", "description": "The error's name, for programs.", "enum": sorted(self._causes)},
            "requestId": {"type": "string", "description": "The id of the call, also in the server's log."},
            "details": {"type": "array", "items": detail, "description": "The invalid fields."},
        }
        more = {name: {**schema, "description": self._told_with(name)} for name, schema in MEMBERS.items()}
        described = {"type": "object", "properties": {**error, **more}, "required": list(error)}
        return {
            "description": "A failure, of the service or of the edge in front of it.",
            "type": "object",
            "properties": {"success": {"type": "boolean", "const": False}, "error": described},
            "required": ["success", "error"],
        }

    def shared(self) -> Schema:
        """Returns `components.responses`: the error responses that most operations share."""
        found = self._by_status(SHARED_TYPES)
        return {name: self._response(status, found[status]) for status, name in sorted(SHARED.items())}

    def of(self, method: MethodDescriptor) -> Schema:
        """Returns an RPC's error responses by status; raises OpenApiError if its comment names an unknown reason."""
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
        if access.get("verified") and "ROLE_PHARMACIST" in access["roles"]:
            types.add("ORGANISATION_REQUIRED")
        return types

    def _named_by(self, method: MethodDescriptor) -> Iterable[str]:
        _, _, named = self._contract.comment(method).partition("Errors:")
        words = re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b", named)
        for word in words:
            if "_" in word and word not in self._causes:
                raise OpenApiError(f"{method.full_name}: its comment names {word}, which is not in error_reason.proto")
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
