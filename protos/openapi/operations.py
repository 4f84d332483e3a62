"""Builds the operations of the document: one for each RPC."""

import json
import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from protos.openapi.comments import first_sentence
from protos.openapi.contract import Contract, OpenApiError, Schema
from protos.openapi.errors import Errors
from protos.openapi.example import Example
from protos.openapi.headers import REFRESH_COOKIE, success_headers
from protos.openapi.schemas import Schemas

JSON, EVENTS, PICTURE = "application/json", "text/event-stream", "image/png"
VERBS = ("get", "put", "post", "delete", "patch")
IN_PATH = re.compile(r"\{(\w+)\}")


class Operations:
    """Builds operations, and collects the schemas that they need."""

    def __init__(self, contract: Contract, schemas: Schemas, errors: Errors) -> None:
        """Keeps the sources of the operations."""
        self._contract = contract
        self._schemas = schemas
        self._errors = errors

    def rules(self, method: MethodDescriptor) -> list[dict[str, Any]]:
        """Returns the HTTP rules of an RPC: the main rule and the additional bindings."""
        first = self._contract.option(method, "google.api.http")
        return [first, *first.get("additional_bindings", ())]

    def place(self, method: MethodDescriptor, rule: dict[str, Any]) -> tuple[str, str]:
        """Returns the path and verb of one of an RPC's rules, with the path's parameters by their JSON names."""
        verb = next((name for name in VERBS if name in rule), None)
        if verb is None:
            raise OpenApiError(f"{method.full_name} has no HTTP rule")
        fields = method.input_type.fields_by_name
        return IN_PATH.sub(lambda found: f"{{{fields[found[1]].json_name}}}", rule[verb]), verb

    def operation(self, method: MethodDescriptor, example: Example, rule: dict[str, Any]) -> Schema:
        """Returns the operation of one of an RPC's rules; the operation id of a second rule ends in its verb."""
        access = self._contract.option(method, "medconnect.options.v1.access")
        summary, rest = first_sentence(self._contract.comment(method))
        second = rule != self._contract.option(method, "google.api.http")
        operation: Schema = {
            "operationId": method.name + (self.place(method, rule)[1].capitalize() if second else ""),
            "tags": [tag(method)],
            "summary": summary,
            "description": "\n\n".join(part for part in (rest, self._who_and_limits(access)) if part),
        }
        if access.get("public"):
            operation["security"] = []
        operation.update(self._taken(method, access, example, rule))
        status = str(access.get("http_status", 200))
        operation["responses"] = {status: self._success(method, access, example), **self._errors.of(method)}
        return operation

    def _who_and_limits(self, access: dict[str, Any]) -> str:
        if access.get("public"):
            who = "Every client, with or without a token."
        elif access.get("signed_in"):
            who = "Every signed-in account."
        else:
            roles = " and ".join(role.removeprefix("ROLE_").lower() + "s" for role in access["roles"])
            who = f"{roles.capitalize()}."
        group = access.get("limit_group", "LIMIT_GROUP_UNSPECIFIED").removeprefix("LIMIT_GROUP_").lower()
        limits = "" if group == "unspecified" else f" and to the limit `{group}`"
        return f"**Who may call:** {who} **Charged to** the caller's own limit{limits}."

    def _taken(
        self, method: MethodDescriptor, access: dict[str, Any], example: Example, rule: dict[str, Any]
    ) -> Schema:
        """Returns the operation's parameters, and its body if its HTTP rule has one."""
        bound = IN_PATH.findall(next(rule[verb] for verb in VERBS if verb in rule))
        fields = method.input_type.fields_by_name
        parameters = [self._parameter(fields[name], "path", example) for name in bound]
        taken: Schema = {}
        if "body" in rule:
            body = self._schemas.request(method.input_type, frozenset(bound))
            in_path = {fields[name].json_name for name in bound}
            shown = {name: value for name, value in example.request.items() if name not in in_path}
            needed = bool(self._schemas.demanded(method.input_type, frozenset(bound)))
            taken["requestBody"] = {"content": {JSON: {"schema": body, "example": shown}}, "required": needed}
        else:
            others = (field for field in method.input_type.fields if field.name not in bound)
            parameters += [self._parameter(field, "query", example) for field in others]
        taken_headers = [("idempotency-key", access.get("idempotent")), (REFRESH_COOKIE, self._sets_cookie(method))]
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name, there in taken_headers if there]
        return {"parameters": parameters, **taken} if parameters else taken

    def _parameter(self, field: FieldDescriptor, place: str, example: Example) -> Schema:
        schema = self._schemas.given(field)
        parameter: Schema = {"name": field.json_name, "in": place, "description": schema.pop("description")}
        if place == "path":
            parameter["required"] = True
        parameter["schema"] = schema
        if field.json_name in example.request:
            parameter["example"] = example.request[field.json_name]
        return parameter

    def _success(self, method: MethodDescriptor, access: dict[str, Any], example: Example) -> Schema:
        comment = self._contract.comment(method.output_type)
        headers = success_headers(idempotent=access.get("idempotent", False), cookie=self._sets_cookie(method))
        return {"description": comment, "headers": headers, "content": self._content(method, access, example)}

    def _sets_cookie(self, method: MethodDescriptor) -> bool:
        return f"`{REFRESH_COOKIE}: true`" in self._contract.comment(method)

    def _content(self, method: MethodDescriptor, access: dict[str, Any], example: Example) -> Schema:
        if self._contract.option(method, "google.api.http").get("response_body"):
            return {PICTURE: {"schema": {"type": "string", "contentMediaType": PICTURE}}}
        answer = self._schemas.answer(method.output_type)
        if method.server_streaming:
            text = f"A sequence of messages, each as `data: ` and JSON: {method.output_type.name}."
            shown = f"data: {json.dumps(example.data)}\n\n"
            return {EVENTS: {"schema": {"type": "string", "description": text}, "example": shown, "x-event": answer}}
        if "message" not in access:
            return {JSON: {"schema": answer, "example": example.data}}
        schema = {
            "type": "object",
            "properties": {
                "success": {"type": "boolean", "const": True},
                "message": {"type": "string", "const": access["message"]},
                "data": answer,
            },
            "required": ["success", "message", "data"],
        }
        return {
            JSON: {"schema": schema, "example": {"success": True, "message": access["message"], "data": example.data}}
        }


def tag(method: MethodDescriptor) -> str:
    """Returns the tag of an RPC: its service's name."""
    return method.containing_service.name.removesuffix("Service")
