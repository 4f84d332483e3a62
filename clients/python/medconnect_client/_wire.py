"""Converts between wire messages and models by their types: a model's field is the message's field of the same name.

Money is text on the wire and Decimal here, days are text and date, times are Timestamps and aware datetimes in UTC,
enums are matched by name: `FOLLOW_UP` is `follow_up`. Empty texts and absent fields are None where the model allows
it.
"""

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

M = TypeVar("M")
Q = TypeVar("Q", bound=Message)

Reader = Callable[[Any], Any]
Field = Any
EnumType = Any
"""Descriptors of fields and enums; protobuf has two incompatible types for each."""
Class = Any
"""A model or a message type."""


def read(model: type[M], message: Message) -> M:
    """Returns a model with the values of a message."""
    kind: Class = type(message)
    shape: Class = model
    return model(**{name: take(message) for name, take in _readers(shape, kind).items()})


def filled(message_type: type[Q], model: object = None, /, **values: object) -> Q:
    """Returns a message with a model's values and the given ones; None leaves a field absent."""
    known = {field.name: getattr(model, field.name) for field in fields(model)} if is_dataclass(model) else {}
    message = message_type()
    for name, value in {**known, **values}.items():
        if value is not None:
            _put(message, message.DESCRIPTOR.fields_by_name[name], value)
    return message


@functools.cache
def _readers(model: Class, message_type: Class) -> Mapping[str, Reader]:
    hints = get_type_hints(model)
    described = message_type.DESCRIPTOR.fields_by_name
    return {field.name: _reader(described[field.name], hints[field.name]) for field in fields(model)}


def _reader(field: Field, hint: Class) -> Reader:
    name = field.name
    origin: object = get_origin(hint)
    if origin is tuple:
        convert = _converter(field, get_args(hint)[0])
        return lambda message: tuple(map(convert, getattr(message, name)))
    if origin is types.UnionType:
        (present,) = (member for member in get_args(hint) if member is not type(None))
        convert = _converter(field, present)
        return lambda message: convert(getattr(message, name)) if _is_given(message, field) else None
    convert = _converter(field, hint)
    return lambda message: convert(getattr(message, name))


def _is_given(message: Message, field: Field) -> bool:
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))


def _converter(field: Field, kind: Class) -> Reader:
    if is_dataclass(kind):
        model: Class = kind
        return functools.partial(read, model)
    if field.enum_type is not None and kind is str:
        return functools.partial(_word, field.enum_type)
    if issubclass(kind, StrEnum):
        return functools.partial(_member, kind, field.enum_type)
    if kind is datetime:
        return lambda moment: moment.ToDatetime(tzinfo=UTC)
    if kind is date:
        return date.fromisoformat
    return Decimal if kind is Decimal else lambda value: value


def _member(kind: type[StrEnum], described: EnumType, number: int) -> StrEnum:
    """Returns the enum member of a number; `unknown` for one that a newer server sends."""
    word = _word(described, number)
    return kind(word) if word in set(kind) else kind("unknown")


def _word(described: EnumType, number: int) -> str:
    """Returns the name of an enum number as in REST: `follow_up`; empty for one that a newer server sends."""
    value = described.values_by_number.get(number)
    return value.name.removeprefix(_prefix(described)).lower() if value else ""


def _put(message: Message, field: Field, value: Any) -> None:  # noqa: ANN401
    if field.is_repeated:
        getattr(message, field.name).extend(_to_wire(field, one) for one in value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(_to_wire(field, value))
    else:
        setattr(message, field.name, _to_wire(field, value))


def _to_wire(field: Field, value: Any) -> Any:  # noqa: ANN401
    if field.message_type is not None:
        return filled(GetMessageClass(field.message_type), value)
    if field.enum_type is not None:
        return _number(field.enum_type, value)
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def _number(described: EnumType, word: str) -> int:
    value = described.values_by_name.get(f"{_prefix(described)}{word.upper()}")
    if value is None or not value.number:
        raise ValueError(f"{word!r} is not a value of {described.name}")
    return int(value.number)


def _prefix(described: EnumType) -> str:
    """Returns the common prefix of an enum's values: `PRESCRIPTION_STATUS_`."""
    return str(described.values_by_number[0].name.removesuffix("UNSPECIFIED"))
