"""Reads the leading comments of the elements of a proto file."""

import re
from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

# Field numbers in descriptor.proto: the location of a comment is a path of them.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
FIELDS, VALUES, METHODS = 2, 2, 2

Path = tuple[int, ...]


def read_comments(file: FileDescriptorProto) -> dict[str, str]:
    """Returns the comment of each commented element by full name; an enum value's name is below its enum's."""
    names = dict(_named(file))
    return {
        names[tuple(location.path)]: unwrapped(location.leading_comments)
        for location in file.source_code_info.location
        if location.leading_comments and tuple(location.path) in names
    }


def unwrapped(comment: str) -> str:
    """Returns a comment with each paragraph on one line."""
    paragraphs = comment.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.split("\n")) for paragraph in paragraphs)


def first_sentence(comment: str) -> tuple[str, str]:
    """Returns the first sentence of a comment, without its full stop, and the rest of the comment."""
    sentence, *rest = re.split(r"\.\s+", comment, maxsplit=1)
    return sentence.removesuffix("."), "".join(rest)


def _named(file: FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    """Yields the location and full name of each element of a file that may have a comment."""
    yield from _messages((MESSAGES,), file.package, file.message_type)
    yield from _enums((ENUMS,), file.package, file.enum_type)
    for number, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (SERVICES, number), name
        for index, method in enumerate(service.method):
            yield (SERVICES, number, METHODS, index), f"{name}.{method.name}"


def _messages(path: Path, scope: str, messages: Sequence[DescriptorProto]) -> Iterator[tuple[Path, str]]:
    for number, message in enumerate(messages):
        name = f"{scope}.{message.name}"
        yield (*path, number), name
        for index, field in enumerate(message.field):
            yield (*path, number, FIELDS, index), f"{name}.{field.name}"


def _enums(path: Path, scope: str, enums: Sequence[EnumDescriptorProto]) -> Iterator[tuple[Path, str]]:
    for number, enum in enumerate(enums):
        name = f"{scope}.{enum.name}"
        yield (*path, number), name
        for index, value in enumerate(enum.value):
            yield (*path, number, VALUES, index), f"{name}.{value.name}"
