"""Parses the body and validates it against the rules in the protos."""

from typing import Final, cast

import protovalidate
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from medconnect.options.v1 import access_pb2

from server import email_address, phone_number
from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.text_rules import TextRules
from server.api.interceptors.unknown_fields import check_known
from server.errors import FieldViolation, MalformedBody, ValidationFailed

_WORDS: Final = {
    "string.pattern": "does not have the right form",
    "enum.in": "is not one of the values allowed here",
    "enum.not_in": "must be given",
    "enum.defined_only": "is not one of the values allowed here",
}
"""Replacements for messages that only engineers understand: patterns, and numbers that REST callers never see."""


_WORDS_OF_FIELDS: Final = {
    "exactQuantity": "must be a number such as 2.5, with at most three decimal places",
    "expiryDate": "must be a date or month such as 2028-01-31 or 01/2028",
    "productCode": "must be a code such as 04012345678901; scan a damaged code again",
}
"""Replacements for the message about the pattern of a field whose value people type."""

_WORDS_OF_TEXTS: Final = {
    access_pb2.TEXT_PHONE: phone_number.EXPECTED,
    access_pb2.TEXT_EMAIL: email_address.EXPECTED,
}
"""Replacements for the message about an empty text, which the rules of the text do not see."""

_OF_FIELD: Final = "field."
"""The prefix of rules of a message that name the field in which the caller looks for the fault."""


class Validation(Interceptor):
    """Sets `message`; every broken rule is named by the field's path in JSON names.

    request_types: compiled at the start, because a type's first check takes milliseconds.
    """

    def __init__(self, request_types: frozenset[type[Message]]) -> None:
        self._validator = protovalidate.Validator()
        self._texts = {request_type: TextRules(_descriptor(request_type)) for request_type in request_types}
        for request_type in request_types:
            self._validator.collect_violations(request_type())

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises MalformedBody or ValidationFailed, or proceeds."""
        if call.method.request_type is not None:
            call.message = self._read(call.method.request_type, call.body)
            if call.method.is_clinical_write:
                check_known(call.message, call.body)
        await proceed(call)

    def _read(self, request_type: type[Message], body: bytes) -> Message:
        try:
            message = request_type.FromString(body)
        except DecodeError:
            raise MalformedBody() from None
        violations = self._texts[request_type].violations(message)
        if all(violation.message in _WORDS_OF_TEXTS.values() for violation in violations):  # no text is too costly
            named = {violation.field for violation in violations}
            broken = [_violation(message, found) for found in self._validator.collect_violations(message)]
            violations += [violation for violation in broken if violation.field not in named]
        if violations:
            raise ValidationFailed(violations=violations)
        return message


def _violation(message: Message, found: protovalidate.Violation) -> FieldViolation:
    path, option = "", access_pb2.TEXT_UNSPECIFIED
    descriptor = _descriptor(type(message))
    for element in found.proto.field.elements if found.proto.field is not None else ():
        field = descriptor.fields_by_name[element.field_name]
        path += f"{'.' if path else ''}{field.json_name}"
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
        if field.message_type is not None:
            descriptor = field.message_type
        option = field.GetOptions().Extensions[access_pb2.text]
    if found.proto.rule_id.startswith(_OF_FIELD):
        path += f".{found.proto.rule_id.removeprefix(_OF_FIELD)}"
    words = _WORDS.get(found.proto.rule_id, found.proto.message)
    if found.proto.rule_id == "string.pattern":
        words = _WORDS_OF_FIELDS.get(path.rpartition(".")[2], words)
        words = _WORDS_OF_TEXTS.get(option, words)
    return FieldViolation(path, words)


def _descriptor(request_type: type[Message]) -> Descriptor:
    """Returns the type's descriptor; the stubs have its class under two names."""
    return cast(Descriptor, request_type.DESCRIPTOR)
