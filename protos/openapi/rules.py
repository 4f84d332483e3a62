"""Translates the buf.validate rules of a field to JSON Schema."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from protos.openapi.contract import OpenApiError, Schema

DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
"""The pattern of a calendar day."""
EMAIL = "^[^@]+@[^@]+$"
"""The pattern of an email address; `server/email_address.py` holds the whole rule."""
FORMATS = {DATE: "date", EMAIL: "email"}

Rules = Mapping[str, Any]
"""The rules of one type, such as `{"min_len": "2"}`; 64-bit numbers are texts."""

_STRING: Mapping[str, Callable[[Any], Schema]] = {
    "min_len": lambda length: {"minLength": int(length)},
    "max_len": lambda length: {"maxLength": int(length)},
    "pattern": lambda pattern: {"pattern": pattern, **({"format": FORMATS[pattern]} if pattern in FORMATS else {})},
    "uuid": lambda _: {"format": "uuid"},
    "in": lambda texts: {"enum": texts},
}
_NUMBER: Mapping[str, Callable[[Any], Schema]] = {
    "gte": lambda least: {"minimum": least},
    "lte": lambda most: {"maximum": most},
}
_INT64: Mapping[str, Callable[[Any], Schema]] = {
    "gte": lambda least: {"pattern": "^[0-9]+$"} if least == "0" else _unknown("gte of an int64, other than 0"),
}


def of_string(rules: Rules) -> Schema:
    """Returns the schema of a text's rules; a limit in bytes also limits the characters, if no other limit does."""
    length = {name: rule for name, rule in rules.items() if name != "max_bytes"}
    if "max_bytes" in rules:
        length.setdefault("max_len", rules["max_bytes"])
    return _translated(length, _STRING)


def of_number(rules: Rules) -> Schema:
    """Returns the schema of the rules of an int32 or double."""
    return _translated(rules, _NUMBER)


def of_int64(rules: Rules) -> Schema:
    """Returns the schema of the rules of an int64, which is a text in JSON."""
    return _translated(rules, _INT64)


def of_enum(rules: Rules, words: Mapping[int, str]) -> list[str]:
    """Returns the words that the rules of an enum allow; `words` contains all of its words by number."""
    _translated(rules, dict.fromkeys(("in", "not_in", "defined_only"), lambda _: {}))
    allowed = rules.get("in", words.keys() - set(rules.get("not_in", ())))
    return [words[number] for number in words if number in allowed and number]


def of_list(rules: Rules) -> Schema:
    """Returns the schema of the rules of a list, without those of its items."""
    known: Mapping[str, Callable[[Any], Schema]] = {
        "min_items": lambda count: {"minItems": int(count)},
        "max_items": lambda count: {"maxItems": int(count)},
        "unique": lambda unique: {"uniqueItems": unique},
        "items": lambda _: {},
    }
    return _translated(rules, known)


def of_map(rules: Rules) -> Schema:
    """Returns the schema of the rules of a map from text to text."""
    known: Mapping[str, Callable[[Any], Schema]] = {
        "max_pairs": lambda count: {"maxProperties": int(count)},
        "keys": lambda keys: {"propertyNames": {"type": "string", **of_string(keys["string"])}},
        "values": lambda values: {"additionalProperties": {"type": "string", **of_string(values["string"])}},
    }
    return {"additionalProperties": {"type": "string"}, **_translated(rules, known)}


def is_demanded(field: FieldDescriptor, rules: Rules) -> bool:
    """Returns True if a request without the field breaks its rules: they refuse its zero value."""
    if field.is_repeated:
        return int(rules.get("repeated", {}).get("min_items", 0)) > 0
    if field.has_presence:
        return bool(rules.get("required"))
    text, number, enum = rules.get("string", {}), rules.get("int32", {}), rules.get("enum", {})
    return (
        int(text.get("min_len", 0)) > 0
        or bool(text.get("uuid"))
        or ("pattern" in text and not re.search(text["pattern"], ""))
        or ("in" in text and "" not in text["in"])
        or number.get("gte", 0) > 0
        or 0 in enum.get("not_in", ())
        or ("in" in enum and 0 not in enum["in"])
    )


def _translated(rules: Rules, known: Mapping[str, Callable[[Any], Schema]]) -> Schema:
    """Returns the schema of all rules together; raises OpenApiError for a rule that it cannot express."""
    schema: Schema = {}
    for name, rule in rules.items():
        if name not in known:
            _unknown(name)
        schema.update(known[name](rule))
    return schema


def _unknown(rule: str) -> Schema:
    raise OpenApiError(f"protos/openapi/rules.py cannot translate the rule {rule}")
