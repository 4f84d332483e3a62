"""Partial updates: only the fields that a request gives or clears change."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from server.errors import FieldViolation


class Change(Protocol):
    """The requested change of an entity: it has the entity's changeable fields, and None leaves one unchanged."""

    @property
    def clear(self) -> frozenset[str]:
        """The fields to clear, by their JSON names."""
        ...


def json_name(name: str) -> str:
    """Returns the JSON name of a field: `full_name` is `fullName`."""
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def changed_values(
    change: Change, changeable: Iterable[str], clearable: Mapping[str, str], lists: Collection[str] = ()
) -> tuple[dict[str, Any], list[FieldViolation]]:
    """Returns the new values of the fields that change, and a violation for each field that is both given and cleared.

    clearable: field names by JSON name. lists: the fields that are empty as a tuple; all others are texts.
    """
    given = {name: value for name in changeable if (value := getattr(change, name)) is not None}
    cleared = {clearable[json_name] for json_name in change.clear}
    conflicts = [
        FieldViolation(json_name, "is both given and cleared")
        for json_name in sorted(change.clear)
        if clearable[json_name] in given
    ]
    return given | {name: () if name in lists else "" for name in cleared}, conflicts
