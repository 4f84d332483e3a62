"""Normalizes the texts of a request and checks them against the rules of their fields."""

from collections.abc import Callable, Sequence
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from medconnect.options.v1 import access_pb2

from server import email_address, phone_number, plain_text, typed_number
from server.errors import FieldViolation

_Step = Callable[[Message, str, list[FieldViolation]], None]
"""Applies the rules of one field to a message at a path, and adds the violations to the list."""


class TextRules:
    """The rules of one message type, read once from its descriptor."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._steps: Sequence[_Step] = [step for field in descriptor.fields if (step := _step(field)) is not None]

    def violations(self, message: Message) -> list[FieldViolation]:
        """Brings every text that is not verbatim into the form in which it is stored (`plain_text`), in place.

        Returns a violation for each text with forbidden characters, and for each list that is too long, without
        walking it.
        """
        found: list[FieldViolation] = []
        self.apply(message, "", found)
        return found

    def apply(self, message: Message, prefix: str, found: list[FieldViolation]) -> None:
        """Does the same for a message inside another; `prefix` is its path there."""
        for step in self._steps:
            step(message, prefix, found)


def _step(field: FieldDescriptor) -> _Step | None:
    step: _Step | None = None
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        step = _pairs(field)
    elif field.message_type is not None:
        step = _build_nested(field, field.message_type)
    elif field.type == FieldDescriptor.TYPE_STRING:
        step = _texts(field) if field.is_repeated else _text(field)
    return _bound_items(field, step) if field.is_repeated else step


def _bound_items(field: FieldDescriptor, step: _Step | None) -> _Step:
    name, json_name = field.name, field.json_name
    rules = field.GetOptions().Extensions[validate_pb2.field]
    most = rules.repeated.max_items or rules.map.max_pairs

    def bounded(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        if 0 < most < len(getattr(message, name)):
            found.append(FieldViolation(f"{prefix}{json_name}", f"must contain no more than {most} item(s)"))
        elif step is not None:
            step(message, prefix, found)

    return bounded


def _text(field: FieldDescriptor) -> _Step:
    name, json_name = field.name, field.json_name
    option = field.GetOptions().Extensions[access_pb2.text]

    def single(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        text: str = getattr(message, name)
        if not text and not (option == access_pb2.TEXT_PHONE and message.HasField(name)):
            return
        normal, wrong = _check_text(text, option)
        if wrong:
            found.append(FieldViolation(f"{prefix}{json_name}", wrong))
        elif normal is not text:
            setattr(message, name, normal)

    return single


def _texts(field: FieldDescriptor) -> _Step:
    name, json_name = field.name, field.json_name
    option = field.GetOptions().Extensions[access_pb2.text]

    def repeated(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        values: Any = getattr(message, name)
        for index, text in enumerate(values):
            normal, wrong = _check_text(text, option)
            if wrong:
                found.append(FieldViolation(f"{prefix}{json_name}[{index}]", wrong))
            elif normal is not text:
                values[index] = normal

    return repeated


def _pairs(field: FieldDescriptor) -> _Step:
    """Checks a map of texts, one line each; a violation names only the map, because callers choose the keys."""

    def pairs(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        given: Any = getattr(message, field.name)
        judged = [_check_text(text, access_pb2.TEXT_UNSPECIFIED) for pair in given.items() for text in pair]
        if wrong := next(filter(None, (wrong for _, wrong in judged)), ""):
            found.append(FieldViolation(f"{prefix}{field.json_name}", wrong))
            return
        normal = [text for text, _ in judged]
        given.clear()
        given.update(zip(normal[::2], normal[1::2], strict=True))

    return pairs


def _build_nested(field: FieldDescriptor, inner_type: Descriptor) -> _Step:
    name, json_name = field.name, field.json_name
    rules = TextRules(inner_type)

    def repeated(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        for index, inner in enumerate(getattr(message, name)):
            rules.apply(inner, f"{prefix}{json_name}[{index}].", found)

    def single(message: Message, prefix: str, found: list[FieldViolation]) -> None:
        if message.HasField(name):
            rules.apply(getattr(message, name), f"{prefix}{json_name}.", found)

    return repeated if field.is_repeated else single


def _check_text(text: str, option: access_pb2.Text.ValueType) -> tuple[str, str]:
    """Returns the normalized text and its fault; the fault is empty if there is none."""
    if option == access_pb2.TEXT_VERBATIM:
        return text, "must not hold the NUL character" if "\0" in text else ""
    if option == access_pb2.TEXT_NUMBER:
        return typed_number.compact(text), ""
    if option == access_pb2.TEXT_SEARCH:
        return plain_text.searched(text), ""
    normal, wrong = plain_text.stored(text, block=option == access_pb2.TEXT_BLOCK)
    if option == access_pb2.TEXT_PHONE and not wrong and not phone_number.is_valid(normal):
        wrong = phone_number.EXPECTED
    if option == access_pb2.TEXT_EMAIL and not wrong:
        normal = email_address.normal(normal)
        wrong = "" if email_address.is_valid(normal) else email_address.EXPECTED
    return normal, wrong
