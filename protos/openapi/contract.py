"""Access to the protos for the parts of the document: descriptors, their options and comments.

Everything is read from one descriptor set with source info, never from the generated stubs: those may be older than
the protos, because this code runs before they are rebuilt.
"""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message_factory import GetMessageClass

from protos.openapi.comments import read_comments

PACKAGE = "medconnect."

Element = Descriptor | EnumDescriptor | EnumValueDescriptor | FieldDescriptor | MethodDescriptor | ServiceDescriptor
Schema = dict[str, Any]
"""A JSON Schema, or another part of the document."""


class OpenApiError(Exception):
    """The protos or the examples contain something that the document cannot express; the text names it."""


class Contract:
    """The descriptors, options and comments of a serialised FileDescriptorSet with source info."""

    def __init__(self, descriptors: bytes) -> None:
        """Parses the set and indexes its comments."""
        self._pool = descriptor_pool.DescriptorPool()
        self._files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
        self._comments: dict[str, str] = {}
        self._json_names: dict[str, str] = {}
        for file in self._files:
            self._pool.Add(file)
            if file.package.startswith(PACKAGE):
                self._comments.update(read_comments(file))
                self._json_names.update(
                    (field.name, field.json_name) for message in file.message_type for field in message.field
                )

    def services(self) -> Iterator[ServiceDescriptor]:
        """Yields MedConnect's own services, in the order of the files."""
        for file in self._files:
            if file.package.startswith(PACKAGE):
                yield from self._pool.FindFileByName(file.name).services_by_name.values()

    def enum(self, full_name: str) -> EnumDescriptor:
        """Returns an enum by its full name."""
        return self._pool.FindEnumTypeByName(full_name)

    def comment(self, element: Element) -> str:
        """Returns an element's comment, with JSON names for fields; raises OpenApiError if it has none."""
        name = element.full_name if not isinstance(element, EnumValueDescriptor) else _name_of_value(element)
        comment = self._comments.get(name)
        if comment is None:
            raise OpenApiError(f"{name} has no comment")
        return re.sub(r"`(\w+)`", lambda found: f"`{self._json_names.get(found[1], found[1])}`", comment)

    def option(self, element: Element, extension: str) -> dict[str, Any]:
        """Returns an option of an element as plain values, by their proto names; empty if the option is not set."""
        options = element.GetOptions()
        known = GetMessageClass(self._pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
        read: Any = known.FromString(options.SerializeToString())
        found = self._pool.FindExtensionByName(extension)
        if not read.HasExtension(found):
            return {}
        return json_format.MessageToDict(
            read.Extensions[found], preserving_proto_field_name=True, descriptor_pool=self._pool
        )


def _name_of_value(value: EnumValueDescriptor) -> str:
    return f"{value.type.full_name}.{value.name}"
