"""Compares responses with the generated OpenAPI document."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from protos.edge_tables import GENERATED

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


class Response(Protocol):
    """A response of any HTTP library."""

    status_code: int

    @property
    def headers(self) -> Any:
        """The headers by case-insensitive name."""

    @property
    def text(self) -> str:
        """The body as text."""

    def json(self) -> Any:
        """Returns the parsed JSON body."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation with its method and path."""

    verb: str
    path: str
    described: Mapping[str, Any]

    @property
    def success(self) -> int:
        """The only success status."""
        [status] = [int(status) for status in self.described["responses"] if status.startswith("2")]
        return status


class Document:
    """generated/openapi.json, with every object closed to unlisted members, so that undocumented ones are found."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = copy.deepcopy(document)
        _close(self.document)
        self.operations: Mapping[str, Operation] = {
            described["operationId"]: Operation(verb.upper(), path, described)
            for path, item in self.document["paths"].items()
            for verb, described in item.items()
        }

    def problems(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Returns the violations of one of the document's schemas by a value."""
        rooted = {**schema, "components": self.document["components"]}
        from jsonschema import Draft202012Validator  # it builds 38 parsers, in each process that collects the tests

        validator = Draft202012Validator(rooted, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def response(self, name: str, status: int) -> Mapping[str, Any] | None:
        """Returns the documented response of an operation for a status; None if there is none."""
        found = self.operations[name].described["responses"].get(str(status))
        return None if found is None else self.resolved(found)

    def content(self, name: str, media: str) -> Mapping[str, Any]:
        """Returns the documented content of a success in this media type."""
        operation = self.operations[name]
        found: Mapping[str, Any] = operation.described["responses"][str(operation.success)]["content"][media]
        return found

    def resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the part itself, or the target of its reference."""
        while "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def faults(self, name: str, response: Response) -> list[str]:
        """Returns the differences of a response from the document; does not validate the events of a stream."""
        described = self.response(name, response.status_code)
        if described is None:
            return [f"{name} returns {response.status_code}, which is not documented: {response.text}"]
        faults = list(self._wrong_headers(described, response))
        media = response.headers["content-type"].partition(";")[0]
        if media not in described["content"]:
            return [*faults, f"{name} returns {media}, which is not documented"]
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
    """Reads the generated document."""
    return Document(json.loads((GENERATED / "openapi.json").read_text()))


def first_event(text: str) -> Any:
    """Returns the message of the first event of a stream."""
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
