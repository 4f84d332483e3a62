"""Writes generated/edge_tables.lua: the data about the protos that Envoy's Lua filter needs (`make protos`).

The module contains four tables, all read from the descriptor set:

- `routes`: method and path of every HTTP rule, whether it takes a body, the fields in the path, the fields that an
  update may clear, and for clinical writes the message type of the request;
- `fields`: the JSON names of the fields of these requests, with those of the messages inside;
- `enums`: the short word of every name of the enums that requests and responses contain, such as
  `PRESCRIPTION_STATUS_SCANNED = "scanned"`;
- `json_names`: the fields whose JSON name is not the camel case of their proto name.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

GENERATED = Path(__file__).parent.parent / "generated"
PACKAGE = "medconnect."
CLINICAL = ("medconnect.clinical.", "medconnect.pharmacy.")
"""The packages whose writes refuse unknown fields."""
API = "/api/"
"""The prefix of every REST path: the routes of envoy.yaml below it limit bodies and time."""
BARE_KEY = re.compile(
    r"(?!(?:and|break|do|else|elseif|end|false|for|function|goto|if|in|local|nil|not|or|repeat|return|then|true|until|while)$)"
    r"[A-Za-z_][A-Za-z0-9_]*"
)

Lua = str | bool | Mapping[str, "Lua"] | list["Lua"]
"""A value that `to_lua` can write."""


class EdgeTablesError(Exception):
    """The protos contain something that the edge does not support; the text names it."""


class EdgeTables:
    """Collects the tables while routes are added; `enums` and `json_names` fill up with what the routes reach."""

    def __init__(self) -> None:
        """Starts with empty tables."""
        self.routes: list[Lua] = []
        self.enums: dict[str, Lua] = {}
        self.json_names: dict[str, str] = {}
        self.fields: dict[str, Lua] = {}
        self._added: set[str] = set()

    def add_method(self, method: MethodDescriptor) -> None:
        """Adds a method's routes, if it has HTTP rules; raises EdgeTablesError for an unsupported rule."""
        options = method.GetOptions()
        if not options.HasExtension(annotations_pb2.http):
            return
        first = options.Extensions[annotations_pb2.http]
        for rule in (first, *first.additional_bindings):
            self._add_route(method, rule)

    def _add_route(self, method: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
        verb = rule.WhichOneof("pattern")
        if verb in (None, "custom") or rule.body not in ("", "*"):
            raise EdgeTablesError(f"{method.full_name}: an HTTP rule needs one standard verb, and body '*' or none")
        if not getattr(rule, verb).startswith(API):
            raise EdgeTablesError(f"{method.full_name}: a path outside {API}, where neither body nor time is limited")
        route: dict[str, Lua] = {"method": verb.upper(), "path": re.sub(r"\{\w+\}", "*", getattr(rule, verb))}
        if rule.body:
            route["takes_body"] = True
        bound = [method.input_type.fields_by_name[name] for name in re.findall(r"\{(\w+)\}", getattr(rule, verb))]
        if bound:
            route["in_path"] = {name: True for field in bound for name in (field.name, field.json_name)}
        if clearable := clearable_fields(method.input_type):
            route["clearable"] = dict.fromkeys(clearable, True)
        if is_clinical_write(method):
            route["request"] = method.input_type.full_name
            self.fields[method.input_type.full_name] = field_names(method.input_type)
        self._add_fields(method.input_type)
        self._add_fields(method.output_type)
        self.routes.append(route)

    def _add_fields(self, message: Descriptor) -> None:
        if message.full_name in self._added:
            return
        self._added.add(message.full_name)
        for field in message.fields:
            known = self.json_names.setdefault(field.name, field.json_name)
            if known != field.json_name:
                raise EdgeTablesError(f"{field.full_name}: {field.name} is {known} elsewhere")
            if field.enum_type:
                self.enums.setdefault(field.enum_type.full_name, words(field.enum_type))
            elif field.message_type:
                self._add_fields(field.message_type)

    def as_lua(self) -> str:
        """Returns the tables as a Lua module."""
        odd_names = {name: json for name, json in self.json_names.items() if json != camel_case(name)}
        tables: dict[str, Lua] = {
            "routes": self.routes,
            "enums": self.enums,
            "fields": self.fields,
            "json_names": odd_names,
        }
        return f"-- Made by protos/edge_tables.py; do not edit.\nreturn {to_lua(tables)}\n"


def is_clinical_write(method: MethodDescriptor) -> bool:
    """Returns whether a call of the method may store clinical data: then a field that is not known is refused."""
    package = method.containing_service.file.package
    pool = method.containing_service.file.pool
    access: Any = pool.FindExtensionByName("medconnect.options.v1.access")
    options = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))
    read = options.FromString(method.GetOptions().SerializeToString())  # the pool's options have the pool's extensions
    return package.startswith(CLINICAL) and bool(read.Extensions[access].idempotent)


def clearable_fields(message: Descriptor) -> list[str]:
    """Returns the JSON names of the fields that `clear` may name in a request; none if it has no such field."""
    clear = message.fields_by_name.get("clear")
    if clear is None:
        return []
    pool = message.file.pool
    rules: Any = pool.FindExtensionByName("buf.validate.field")
    options = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FieldOptions"))
    read = options.FromString(clear.GetOptions().SerializeToString())
    return list(getattr(read.Extensions[rules].repeated.items.string, "in"))


def field_names(message: Descriptor) -> dict[str, Lua]:
    """Returns the JSON names of a message's fields, with those of messages inside; True stands for other values."""
    return {field.json_name: _names_inside(field) for field in message.fields}


def _names_inside(field: FieldDescriptor) -> Lua:
    """Returns the names in a field's objects; well-known types and maps have JSON of their own."""
    inner = field.message_type
    if inner is None or not inner.full_name.startswith(PACKAGE) or inner.GetOptions().map_entry:
        return True
    return field_names(inner)


def words(enum: EnumDescriptor) -> dict[str, str]:
    """Returns the short word of each name of an enum."""
    return {value.name: short_word(enum.name, value.name) for value in enum.values}


def short_word(enum: str, name: str) -> str:
    """Returns the word of an enum's value: its name without the enum's prefix, in lower case."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum).upper() + "_"
    return name.removeprefix(prefix).lower()


def camel_case(name: str) -> str:
    """Returns the JSON name that protobuf gives a field by default."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def to_lua(value: Lua, indent: str = "") -> str:
    """Returns a value as a Lua expression; tables are sorted so that the same protos give the same file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    deeper = indent + "  "
    if isinstance(value, list):
        lines = [f"{deeper}{to_lua(entry, deeper)},\n" for entry in value]
    else:
        lines = [f"{deeper}{to_key(key)} = {to_lua(entry, deeper)},\n" for key, entry in sorted(value.items())]
    if len(lines) <= 1 or (not any("\n" in line[:-1] for line in lines) and sum(map(len, lines)) < 200):
        return "{" + "".join(line.strip() + " " for line in lines).rstrip(" ,") + "}"
    return "{\n" + "".join(lines) + indent + "}"


def to_key(key: str) -> str:
    """Returns a table's key as Lua code: bare if Lua allows it."""
    return key if BARE_KEY.fullmatch(key) else f'["{key}"]'


def own_methods(descriptors: bytes) -> Iterator[MethodDescriptor]:
    """Yields the methods of MedConnect's own services in a serialised FileDescriptorSet, in the order of the files."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
    for file in files:
        pool.Add(file)
    for file in files:
        if file.package.startswith(PACKAGE):
            for service in pool.FindFileByName(file.name).services_by_name.values():
                yield from service.methods


def build(descriptors: bytes) -> str:
    """Returns the Lua module of a serialised FileDescriptorSet; raises EdgeTablesError for unsupported protos."""
    tables = EdgeTables()
    for method in own_methods(descriptors):
        tables.add_method(method)
    return tables.as_lua()


def main(out: Path = GENERATED) -> None:
    """Reads descriptors.binpb in a folder and writes edge_tables.lua to the same folder."""
    (out / "edge_tables.lua").write_text(build((out / "descriptors.binpb").read_bytes()))
