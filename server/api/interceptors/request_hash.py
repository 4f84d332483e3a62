"""Recognizes a repeated request by a keyed hash of all its fields except the secret ones.

A plain hash of a request with a password would reveal the password to readers of the database: the rest of the request
is known or guessed, and a common password is found in milliseconds.
"""

import hmac

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from medconnect.options.v1 import access_pb2


def request_hash(message: Message, key: bytes) -> bytes:
    """Returns the HMAC-SHA256 of a request under a key outside the database; secret fields are left out."""
    return hmac.digest(key, without_secrets(message).SerializeToString(deterministic=True), "sha256")


def without_secrets(message: Message) -> Message:
    """Returns a copy without the fields that the contract marks as secret, at any depth."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clear_secrets(copy)
    return copy


def is_secret(field: FieldDescriptor) -> bool:
    """Returns whether the contract marks a field as secret."""
    return bool(field.GetOptions().Extensions[access_pb2.secret])


def _clear_secrets(message: Message) -> None:
    for field, value in message.ListFields():
        if is_secret(field):
            message.ClearField(field.name)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else (value,):
                _clear_secrets(inner)
