"""Builds the schemas of messages and enums in their REST form."""

from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from protos.edge_tables import words
from protos.openapi import rules
from protos.openapi.contract import Contract, OpenApiError, Schema

TIMESTAMP = "google.protobuf.Timestamp"
IN_COOKIE = "refresh_token"
"""The field that browsers may leave out because their cookie contains it."""
_FORMATS = {"a UUID": "uuid", "`YYYY-MM-DD`": "date"}
"""Phrase in a comment → format of the text that the service writes."""


class Schemas:
    """Collects `components.schemas` while operations ask for the schemas of their requests and responses."""

    def __init__(self, contract: Contract) -> None:
        """Starts without any schema."""
        self._contract = contract
        self._named: dict[str, tuple[str, Schema]] = {}

    def components(self) -> Schema:
        """Returns all collected schemas by name."""
        return {name: schema for name, (_, schema) in sorted(self._named.items())}

    def request(self, message: Descriptor, in_path: frozenset[str] = frozenset()) -> Schema:
        """Returns a reference to a request message, without the fields in the path, which are given by proto names."""
        fields = [field for field in message.fields if field.name not in in_path]
        return self._object(
            message, {field.json_name: self.given(field) for field in fields}, self.demanded(message, in_path)
        )

    def demanded(self, message: Descriptor, in_path: frozenset[str] = frozenset()) -> list[str]:
        """Returns the JSON names of the members that a request message requires."""
        fields = (field for field in message.fields if field.name not in (*in_path, IN_COOKIE))
        found = ((field, self._contract.option(field, "buf.validate.field")) for field in fields)
        return [field.json_name for field, rule in found if rules.is_demanded(field, rule)]

    def answer(self, message: Descriptor) -> Schema:
        """Returns a reference to a response message; fields without presence are always set."""
        always = [field.json_name for field in message.fields if field.is_repeated or not field.has_presence]
        return self._object(message, {field.json_name: self._answered(field) for field in message.fields}, always)

    def enum(self, enum: EnumDescriptor) -> Schema:
        """Returns a reference to an enum, with its short words as values."""
        short = words(enum)
        told = [value for value in enum.values if value.number]
        lines = [f"- `{short[value.name]}`: {self._contract.comment(value)}" for value in told]
        text = "\n".join([self._contract.comment(enum), "", *lines])
        schema = {"description": text, "type": "string", "enum": [short[value.name] for value in told]}
        return self._refer(enum.full_name, schema)

    def given(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a request field, with its rules and its comment."""
        found = self._contract.option(field, "buf.validate.field")
        return {**self._given(field, found), "description": self._contract.comment(field)}

    def _given(self, field: FieldDescriptor, found: dict[str, Any]) -> Schema:
        if _is_map(field):
            return {"type": "object", **rules.of_map(found.get("map", {}))}
        if field.is_repeated:
            listed = found.get("repeated", {})
            items = self._given_one(field, listed.get("items", {}))
            return {"type": "array", "items": items, **rules.of_list(listed)}
        return self._given_one(field, found)

    def _given_one(self, field: FieldDescriptor, found: dict[str, Any]) -> Schema:
        if field.enum_type:
            short = words(field.enum_type)
            by_number = {value.number: short[value.name] for value in field.enum_type.values}
            allowed = rules.of_enum(found.get("enum", {}), by_number)
            everything = self.enum(field.enum_type)
            whole = len(allowed) == sum(1 for number in by_number if number)
            return everything if whole else {"type": "string", "enum": allowed}
        if field.message_type:
            return self.request(field.message_type)
        return self._scalar(field, found)

    def _answered(self, field: FieldDescriptor) -> Schema:
        comment = self._contract.comment(field)
        one = self._answered_one(field, comment)
        return {
            **({"type": "array", "items": one} if field.is_repeated and not _is_map(field) else one),
            "description": comment,
        }

    def _answered_one(self, field: FieldDescriptor, comment: str) -> Schema:
        if _is_map(field):
            return {"type": "object", **rules.of_map({})}
        if field.enum_type:
            return self.enum(field.enum_type)
        if field.message_type and field.message_type.full_name == TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        if field.message_type:
            return self.answer(field.message_type)
        schema = self._scalar(field, self._contract.option(field, "buf.validate.field"))
        forms = [form for phrase, form in _FORMATS.items() if phrase in comment]
        if schema["type"] == "string" and forms and "empty" not in comment:
            schema["format"] = forms[0]
        return schema

    def _scalar(self, field: FieldDescriptor, found: dict[str, Any]) -> Schema:
        if field.type == field.TYPE_STRING:
            return {"type": "string", **rules.of_string(found.get("string", {}))}
        if field.type == field.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type == field.TYPE_INT32:
            return {"type": "integer", "format": "int32", **rules.of_number(found.get("int32", {}))}
        if field.type == field.TYPE_DOUBLE:
            return {"type": "number", "format": "double", **rules.of_number(found.get("double", {}))}
        if field.type == field.TYPE_INT64:
            return {"type": "string", "format": "int64", **rules.of_int64(found.get("int64", {}))}
        raise OpenApiError(f"{field.full_name}: protos/openapi/schemas.py does not support this type")

    def _object(self, message: Descriptor, properties: Schema, required: list[str]) -> Schema:
        schema: Schema = {"description": self._contract.comment(message), "type": "object", "properties": properties}
        if required:
            schema["required"] = required
        return self._refer(message.full_name, schema)

    def _refer(self, full_name: str, schema: Schema) -> Schema:
        """Keeps a schema under its short name; raises OpenApiError if another schema has that name already."""
        name = full_name.rpartition(".")[2]
        known = self._named.setdefault(name, (full_name, schema))
        if known != (full_name, schema):
            raise OpenApiError(
                f"{full_name} differs from another schema with the name {name}; give it a name of its own"
            )
        return {"$ref": f"#/components/schemas/{name}"}


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
