"""The document as tests hold answers against it."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jsonschema import Draft202012Validator

from protos.edge_tables import GENERATED

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


class Response(Protocol):
    """An answer, whichever library has brought it."""

    status_code: int

    @property
    def headers(self) -> Any:
        """By name, in lower case or not."""

    @property
    def text(self) -> str:
        """The body."""

    def json(self) -> Any:
        """The body, read."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation and its place."""

    verb: str
    path: str
    described: Mapping[str, Any]

    @property
    def success(self) -> int:
        """The only status of a success."""
        [status] = [int(status) for status in self.described["responses"] if status.startswith("2")]
        return status


class Document:
    """generated/openapi.json; every object that lists its members is closed, so that what is not documented shows."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = copy.deepcopy(document)
        _close(self.document)
        self.operations: Mapping[str, Operation] = {
            described["operationId"]: Operation(verb.upper(), path, described)
            for path, item in self.document["paths"].items()
            for verb, described in item.items()
        }

    def problems(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """What a value has that a schema of the document does not allow."""
        rooted = {**schema, "components": self.document["components"]}
        validator = Draft202012Validator(rooted, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def response(self, name: str, status: int) -> Mapping[str, Any] | None:
        """What the document says of a status of an operation; None if it knows no such answer."""
        found = self.operations[name].described["responses"].get(str(status))
        return None if found is None else self.resolved(found)

    def content(self, name: str, media: str) -> Mapping[str, Any]:
        """What the document says of a success of that media type."""
        operation = self.operations[name]
        found: Mapping[str, Any] = operation.described["responses"][str(operation.success)]["content"][media]
        return found

    def resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part itself, or what it refers to."""
        while "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def faults(self, name: str, response: Response) -> list[str]:
        """In what an answer differs from what the document says of it; the events of a stream are not looked at."""
        described = self.response(name, response.status_code)
        if described is None:
            return [f"{name} answers {response.status_code}, which is not documented: {response.text}"]
        faults = list(self._wrong_headers(described, response))
        media = response.headers["content-type"].partition(";")[0]
        if media not in described["content"]:
            return [*faults, f"{name} answers {media}, which is not documented"]
        content = described["content"][media]
        if media == JSON:
            faults += self.problems(content["schema"], response.json())
        return faults

    def _wrong_headers(self, described: Mapping[str, Any], response: Response) -> Iterator[str]:
        for name, reference in described.get("headers", {}).items():
            header = self.resolved(reference)
            if name in response.headers:
                text = response.headers[name]
                value = int(text) if header["schema"]["type"] == "integer" and text.isdecimal() else text
                yield from (f"{name}: {problem}" for problem in self.problems(header["schema"], value))
            elif header.get("required"):
                yield f"the header {name} is missing"


def read_document() -> Document:
    """The document as it is generated."""
    return Document(json.loads((GENERATED / "openapi.json").read_text()))


def first_event(text: str) -> Any:
    """The message of the first event of a stream."""
    found = re.match(r"data: ?(.+)\n\n", text)
    assert found, text
    return json.loads(found[1])


def _close(part: Any) -> None:
    if isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part:
            part.setdefault("additionalProperties", False)
        for inner in part.values():
            _close(inner)
    elif isinstance(part, list):
        for inner in part:
            _close(inner)
