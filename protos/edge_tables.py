"""Writes generated/edge_tables.lua: the data about the protos that Envoy's Lua filter needs (`make protos`).

The module contains four tables, all read from the descriptor set:

- `routes`: method and path of every HTTP rule, with the fields in the path, and the messages of its query or body and
  of its response, if they lead to enums;
- `messages`: for every message that leads to an enum, the names of the fields that do, and their targets;
- `enums`: the short word of every enum name, such as `PRESCRIPTION_STATUS_SCANNED = "scanned"`;
- `json_names`: the fields whose JSON name is not the camel case of their proto name.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

GENERATED = Path(__file__).parent.parent / "generated"
PACKAGE = "medconnect."
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
    """Collects the tables while routes are added; `messages` and `enums` fill up with what the routes reach."""

    def __init__(self) -> None:
        """Starts with empty tables."""
        self.routes: list[Lua] = []
        self.messages: dict[str, Lua] = {}
        self.enums: dict[str, Lua] = {}
        self.json_names: dict[str, str] = {}

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
        if self.add_message(method.input_type):
            route["body" if rule.body else "query"] = method.input_type.full_name
        if rule.body:
            route["takes_body"] = True
        bound = [method.input_type.fields_by_name[name] for name in re.findall(r"\{(\w+)\}", getattr(rule, verb))]
        if bound:
            route["in_path"] = {name: True for field in bound for name in (field.name, field.json_name)}
        self._add_answer(route, method, rule)
        self._add_json_names(method.input_type)
        self.routes.append(route)

    def _add_answer(self, route: dict[str, Lua], method: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
        answer: Descriptor | None = method.output_type
        if rule.response_body:
            answer = method.output_type.fields_by_name[rule.response_body].message_type
        if answer and self.add_message(answer):
            route["answer"] = answer.full_name

    def add_message(self, message: Descriptor, above: tuple[str, ...] = ()) -> bool:
        """Adds a message and all messages in it; returns True if it leads to an enum (only then it is kept).

        Raises EdgeTablesError for a message inside itself, which a request could make the Lua filter follow without
        end, and for a map that leads to an enum.
        """
        if message.full_name in above:
            raise EdgeTablesError(f"{message.full_name} contains itself")
        fields: dict[str, Lua] = {}
        for field in message.fields:
            target = self._target(field, (*above, message.full_name))
            if target and field.message_type and field.message_type.GetOptions().map_entry:
                raise EdgeTablesError(f"{field.full_name}: a map must not lead to an enum")
            if target:
                # The transcoder accepts both names, and writes the JSON name.
                fields[field.name] = fields[field.json_name] = target
        if fields:
            self.messages[message.full_name] = fields
        return bool(fields)

    def _target(self, field: FieldDescriptor, above: tuple[str, ...]) -> Lua | None:
        if field.enum_type:
            self.enums.setdefault(field.enum_type.full_name, words(field.enum_type))
            return {"enum": field.enum_type.full_name}
        if field.message_type and self.add_message(field.message_type, above):
            return {"message": field.message_type.full_name}
        return None

    def _add_json_names(self, message: Descriptor) -> None:
        for field in message.fields:
            known = self.json_names.setdefault(field.name, field.json_name)
            if known != field.json_name:
                raise EdgeTablesError(f"{field.full_name}: {field.name} is {known} elsewhere")
            if field.message_type:
                self._add_json_names(field.message_type)

    def as_lua(self) -> str:
        """Returns the tables as a Lua module."""
        odd_names = {name: json for name, json in self.json_names.items() if json != camel_case(name)}
        tables: dict[str, Lua] = {
            "routes": self.routes,
            "messages": self.messages,
            "enums": self.enums,
            "json_names": odd_names,
        }
        return f"-- Made by protos/edge_tables.py; do not edit.\nreturn {to_lua(tables)}\n"


def words(enum: EnumDescriptor) -> dict[str, str]:
    """Returns the short word of each name of an enum: the name without the enum's prefix, in lower case."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name: value.name.removeprefix(prefix).lower() for value in enum.values}


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
