"""Writes generated/rest_descriptors.binpb: the descriptor set by which Envoy transcodes REST (`make protos`).

It is descriptors.binpb with one difference: the values of our enums also have their short words as names, such as
`scanned` for `PRESCRIPTION_STATUS_SCANNED`. The transcoder writes the word, because it is the first name of its number,
and reads both names. Numbers and field types stay the same, so the bytes of gRPC do too.

Words are not unique in a package, as proto enums require; therefore each enum becomes the enum `Word` inside a message
of its name: `medconnect.clinical.v1.PrescriptionStatus.Word`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from protos.edge_tables import GENERATED, PACKAGE, EdgeTablesError, short_word

WORD = "Word"
"""The name of the enum inside the message that replaces an enum; server/edge/replies.lua knows it."""


def build(descriptors: bytes) -> bytes:
    """Returns the set for the transcoder; raises EdgeTablesError for an enum inside a message of ours."""
    files = FileDescriptorSet.FromString(descriptors)
    own = [file for file in files.file if file.package.startswith(PACKAGE)]
    renamed = {f".{file.package}.{enum.name}" for file in own for enum in file.enum_type}
    for file in own:
        for message in _messages(file.message_type):
            if message.enum_type:
                raise EdgeTablesError(f"{file.package}.{message.name}: an enum must not be inside a message")
            _rename_types(message.field, renamed)
        _rename_types(file.extension, renamed)
        _move_enums(file)
    return files.SerializeToString(deterministic=True)


def _messages(messages: Iterable[DescriptorProto]) -> Iterator[DescriptorProto]:
    for message in messages:
        yield message
        yield from _messages(message.nested_type)


def _rename_types(fields: Iterable[FieldDescriptorProto], renamed: set[str]) -> None:
    for field in fields:
        if field.type_name in renamed:
            field.type_name += f".{WORD}"


def _move_enums(file: FileDescriptorProto) -> None:
    for enum in file.enum_type:
        file.message_type.add(name=enum.name).enum_type.append(_with_words(enum))
    del file.enum_type[:]


def _with_words(enum: EnumDescriptorProto) -> EnumDescriptorProto:
    """Returns an enum that has a word before each name but the first, which clients must not send."""
    unspecified, *others = enum.value
    words = [
        EnumValueDescriptorProto(name=name, number=value.number)
        for value in others
        for name in (short_word(enum.name, value.name), value.name)
    ]
    moved = EnumDescriptorProto(name=WORD, value=[unspecified, *words])
    moved.options.allow_alias = True
    return moved


def main(out: Path = GENERATED) -> None:
    """Reads descriptors.binpb in a folder and writes rest_descriptors.binpb to the same folder."""
    (out / "rest_descriptors.binpb").write_bytes(build((out / "descriptors.binpb").read_bytes()))
