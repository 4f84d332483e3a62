"""Refuses the fields of a request that this server does not know.

A client that is newer than the server may send fields that the server would drop. In a clinical write that loses a
fact, such as a unit, so the write is refused; reads and other writes ignore such fields, as is usual for protobuf.
"""

from collections.abc import Iterator

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from server.errors import FieldViolation, ValidationFailed

_UNKNOWN = "is not a field of this call"


def check_known(message: Message, body: bytes) -> None:
    """Raises ValidationFailed if the body contains a field that the message's type lacks; it is named by its number."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        found = _unknown(type(message).FromString(body), "")
        raise ValidationFailed(violations=[FieldViolation(path, _UNKNOWN) for path in dict.fromkeys(found)])


def _unknown(message: Message, prefix: str) -> Iterator[str]:
    """Yields the paths of the unknown fields of a message and of those inside it: `items[0].15`."""
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield f"{prefix}{unknown[index].field_number}"
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for index, inner in enumerate(value):
                yield from _unknown(inner, f"{prefix}{field.json_name}[{index}].")
        else:
            yield from _unknown(value, f"{prefix}{field.json_name}.")
