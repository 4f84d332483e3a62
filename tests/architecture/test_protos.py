"""Properties of the protos that the server relies on and their own linter does not check."""

from collections.abc import Iterator
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from server.runtime.server import SERVICES
from tests.fixtures.cells import cells


def request_types() -> list[Descriptor]:
    pool = descriptor_pool.Default()
    return [method.input_type for name in SERVICES for method in pool.FindServiceByName(name).methods]


def fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    """Returns the fields of a message and of all messages in it."""
    for field in message.fields:
        yield field
        if field.message_type is not None:
            yield from fields(field.message_type)


def unlimited(message: Descriptor) -> list[str]:
    """Returns the lists and texts without a limit: text rules and validation walk them, up to the body's size."""
    offences = []
    for field in fields(message):
        rules: Any = field.GetOptions().Extensions[validate_pb2.field]
        if field.is_repeated and not (rules.repeated.max_items or rules.map.max_pairs):
            offences.append(f"{field.full_name}: a list of a request needs (buf.validate.field).repeated.max_items")
    return offences


@cells("message", request_types(), ids=lambda message: message.name)
def test_every_list_of_a_request_has_a_limit(message: Descriptor) -> None:
    assert not (offences := unlimited(message)), "\n".join(offences)


@cells("message", request_types(), ids=lambda message: message.name)
def test_request_maps_are_from_string_to_string(message: Descriptor) -> None:
    maps = [field.full_name for field in fields(message) if is_map(field) and not is_of_texts(field)]
    assert not maps, f"{maps}: teach interceptors/text_rules.py to read such maps, or use a list of pairs"


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def is_of_texts(field: FieldDescriptor) -> bool:
    assert field.message_type is not None
    return {entry.type for entry in field.message_type.fields} == {FieldDescriptor.TYPE_STRING}


def test_no_method_takes_a_stream_of_requests() -> None:
    pool = descriptor_pool.Default()
    methods = [method for name in SERVICES for method in pool.FindServiceByName(name).methods]
    streams = [method.full_name for method in methods if method.client_streaming]
    assert not streams, f"{streams}: the chain (interceptors/base.py) reads one request for each call"


def test_an_unlimited_list_and_a_map_are_found() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="architecture_probe.proto", package="probe", syntax="proto3")
    message = file.message_type.add(name="Offender")
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    message.field.add(name="names", number=1, type=FieldDescriptor.TYPE_STRING, label=repeated)
    entry = message.nested_type.add(name="PairsEntry")
    entry.options.map_entry = True
    for number, name, kind in ((1, "key", FieldDescriptor.TYPE_STRING), (2, "value", FieldDescriptor.TYPE_BYTES)):
        entry.field.add(
            name=name,
            number=number,
            type=kind,
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        )
    message.field.add(
        name="pairs",
        number=2,
        type=FieldDescriptor.TYPE_MESSAGE,
        label=repeated,
        type_name=".probe.Offender.PairsEntry",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    offender = pool.FindMessageTypeByName("probe.Offender")
    assert [offence.partition(":")[0] for offence in unlimited(offender)] == [
        "probe.Offender.names",
        "probe.Offender.pairs",
    ]
    assert [field.name for field in fields(offender) if is_map(field) and not is_of_texts(field)] == ["pairs"]
