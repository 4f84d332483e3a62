"""Writes generated/openapi.json: the REST API as OpenAPI 3.1, read from the protos and the examples (`make protos`)."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from protos.openapi.contract import Contract, OpenApiError, Schema
from protos.openapi.errors import Errors
from protos.openapi.example import Example, check_complete, read_examples
from protos.openapi.headers import HEADERS, PARAMETERS
from protos.openapi.operations import Operations, tag
from protos.openapi.schemas import Schemas

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FILE = "openapi.json"
DESCRIPTION = """Digital prescriptions and patient records over REST.

**Sign in** with `Login` and send `authorization: Bearer <accessToken>` with every other call.

**Every success** except key sets, images, streams and `/health` is `{"success": true, "message": …, "data": …}`.
**Every failure** has one shape, whose `error.type` is for programs. A path that does not exist gets 404
(`ROUTE_UNKNOWN`), a method that a path does not support 405 (`METHOD_NOT_ALLOWED`). Bodies are JSON objects of at most
256 KiB; unknown members are refused in writes of clinical data and ignored elsewhere; unknown query parameters are
refused. Texts must not contain control characters; only a few fields accept several lines.

**Fields without a value** are left out of responses if they are objects or optional, and otherwise appear as `""`, `0`,
`false` or `[]`.

**Rate limits** are token buckets; the `x-ratelimit-` headers describe the strictest bucket of a call.

**Streams** are server-sent events. A browser's `EventSource` cannot send the token; `fetch` can."""
HEALTH = "/health"


def build(descriptors: bytes, examples: Mapping[str, Example]) -> Schema:
    """Returns the document for a serialised FileDescriptorSet with source info.

    Raises OpenApiError for protos that the document cannot express, and for an RPC without an example.
    """
    contract = Contract(descriptors)
    schemas, errors = Schemas(contract), Errors(contract)
    operations = Operations(contract, schemas, errors)
    methods = [method for service in contract.services() for method in service.methods]
    check_complete(examples, [method.name for method in methods])
    paths: Schema = {HEALTH: {"get": _health()}}
    for method in methods:
        for rule in operations.rules(method):
            path, verb = operations.place(method, rule)
            if paths.setdefault(path, {}).setdefault(verb, {}):
                raise OpenApiError(f"{method.full_name}: another method is {verb.upper()} {path} already")
            paths[path][verb] = operations.operation(method, examples[method.name], rule)
    tags = [
        {"name": tag(service.methods[0]), "description": contract.comment(service)} for service in contract.services()
    ]
    return {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [*tags, {"name": "Health", "description": "The availability of the service."}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components(), "Error": errors.schema(), "Health": _health_schema()},
            "responses": errors.shared(),
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "securitySchemes": {"bearer": _bearer()},
        },
    }


def main(out: Path, descriptors: bytes) -> None:
    """Writes openapi.json into a folder."""
    document = build(descriptors, read_examples())
    (out / FILE).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _info() -> Schema:
    project = tomllib.loads(PROJECT.read_text())["project"]
    return {
        "title": "MedConnect",
        "version": project["version"],
        "description": DESCRIPTION,
        "license": {"name": project["license"], "identifier": project["license"]},
    }


def _bearer() -> Schema:
    text = "The `accessToken` that `Login`, `Register` or `RefreshToken` returned."
    return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}


def _health() -> Schema:
    def response(description: str, word: str) -> Schema:
        shape = {"$ref": "#/components/schemas/Health"}
        return {
            "description": description,
            "content": {"application/json": {"schema": shape, "example": {"status": word}}},
        }

    return {
        "operationId": "Health",
        "tags": ["Health"],
        "summary": "Checks if the service is available",
        "security": [],
        "responses": {
            "200": response("A server is available.", "SERVING"),
            "503": response("No server is available.", "NOT_SERVING"),
        },
    }


def _health_schema() -> Schema:
    return {
        "description": "The availability of the service.",
        "type": "object",
        "properties": {"status": {"type": "string", "enum": ["SERVING", "NOT_SERVING"]}},
        "required": ["status"],
    }
