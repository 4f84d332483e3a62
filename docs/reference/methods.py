"""Writes docs/api-methods.md: every RPC with its REST path, its callers, its limits and its audit event."""

import json
from collections.abc import Iterator
from typing import Any, Final

from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from server.api.interceptors.contract import Method, read_methods
from server.runtime.server import SERVICES

INTRODUCTION: Final = """Requests, responses, field rules and errors of each method stand in the `.proto` files and
in `generated/openapi.json`."""
HEADINGS: Final = ("RPC", "REST", "what it does", "who may call", "limit", "audit event")


def methods() -> str:
    """Returns the page."""
    contract = read_methods(SERVICES)
    summaries = _summaries()
    pool = descriptor_pool.Default()
    sections = []
    for name in SERVICES:
        rows = [
            _row(method, contract[f"/{name}/{method.name}"], summaries)
            for method in pool.FindServiceByName(name).methods
        ]
        sections += [f"## {name.rpartition('.')[2].removesuffix('Service')}", table(HEADINGS, rows)]
    return page("Methods", INTRODUCTION, *sections)


def _row(descriptor: MethodDescriptor, method: Method, summaries: dict[str, str]) -> list[str]:
    limit = method.limit_group or "–"
    event = method.audit.name if method.audit else "–"
    return [descriptor.name, _path(descriptor), summaries.get(descriptor.name, ""), _callers(method), limit, event]


def _callers(method: Method) -> str:
    if method.public:
        return "public"
    if not method.for_roles:
        return "signed in"
    roles = ", ".join(sorted(role.value.lower() for role in method.roles))
    return f"{roles}, verified" if method.verified else roles


def _path(descriptor: MethodDescriptor) -> str:
    rule: Any = descriptor.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return f"`{verb.upper()} {getattr(rule, verb)}`"


def _summaries() -> dict[str, str]:
    document = json.loads((ROOT / "generated" / "openapi.json").read_text())
    return {operation["operationId"]: operation.get("summary", "") for operation in _operations(document)}


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from (operation for operation in operations.values() if "operationId" in operation)
