"""Reads the trace that a call belongs to (https://www.w3.org/TR/trace-context/#traceparent-header-field-values)."""

import re
from typing import Final

_TRACE: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id_of(traceparent: str | None) -> str | None:
    """Returns the trace id of a `traceparent` header; None if it is missing or not well formed."""
    found = _TRACE.fullmatch(traceparent or "")
    return found[1] if found else None
