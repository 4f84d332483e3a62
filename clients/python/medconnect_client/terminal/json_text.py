"""Converts models to JSON, with the field names of REST."""

import json
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from medconnect_client.errors import InvalidArgument, MedConnectError


def json_text(value: Any) -> str:  # noqa: ANN401 - the result of any command
    """Returns a value as one JSON document."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=2)


def error_value(error: MedConnectError) -> dict[str, Any]:
    """Returns the details of a failure that a script may need."""
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    return {
        "reason": error.reason or type(error).__name__,
        "message": error.message,
        "metadata": dict(error.metadata),
        "requestId": error.request_id,
        "retryAfter": error.retry_after,
        "details": list(violations),
        "maybeDone": error.maybe_done,
        "idempotencyKey": error.idempotency_key,
    }


def _plain(value: Any) -> Any:  # noqa: ANN401
    if is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
