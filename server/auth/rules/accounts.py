"""Rules for changing one's own account: only given fields change, and only those that belong to its role."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from server.auth.entities import AccountChange, User
from server.errors import FieldViolation, ValidationFailed
from server.identity import Role
from server.partial_update import changed_values

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
    values, conflicts = changed_values(change, CHANGEABLE, CLEARABLE)
    misplaced = [
        FieldViolation(json_name, f"does not belong to a {user.role}")
        for name, (json_name, role) in _WORKPLACE.items()
        if name in values and user.role is not role
    ]
    if misplaced or conflicts:
        raise ValidationFailed(violations=misplaced + conflicts)
    return replace(user, **values)
