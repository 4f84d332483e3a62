"""Rules for changing one's own account: only given fields change, and only those that belong to its role."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from server.auth.entities import AccountChange, User
from server.errors import FieldViolation, ValidationFailed
from server.identity import Role

CHANGEABLE: Final = ("phone", "hospital_name", "pharmacy_name", "pharmacy_address")
"""The fields of an account that its owner may change without an admin."""

CLEARABLE: Final[Mapping[str, str]] = {
    "phone": "phone",
    "hospitalName": "hospital_name",
    "pharmacyAddress": "pharmacy_address",
}
"""The fields that the owner may clear, by their JSON names."""

_WORKPLACE: Final[Mapping[str, tuple[str, Role]]] = {
    "hospital_name": ("hospitalName", Role.DOCTOR),
    "pharmacy_name": ("pharmacyName", Role.PHARMACIST),
    "pharmacy_address": ("pharmacyAddress", Role.PHARMACIST),
}
"""The fields that belong to one role, with their JSON names."""


def changed(user: User, change: AccountChange) -> User:
    """Returns the account after the change.

    Raises ValidationFailed for fields that do not belong to its role, and for those that are both given and cleared.
    """
    given = {name: value for name in CHANGEABLE if (value := getattr(change, name)) is not None}
    cleared = {CLEARABLE[json_name] for json_name in change.clear}
    violations = [
        FieldViolation(json_name, f"does not belong to a {user.role}")
        for name, (json_name, role) in _WORKPLACE.items()
        if (name in given or name in cleared) and user.role is not role
    ]
    violations += [
        FieldViolation(json_name, "is both given and cleared")
        for json_name in sorted(change.clear)
        if CLEARABLE[json_name] in given
    ]
    if violations:
        raise ValidationFailed(violations=violations)
    after: dict[str, Any] = {**given, **dict.fromkeys(cleared, "")}
    return replace(user, **after)
