"""Rules for changing one's own account: only given fields change, and only those that belong to its role."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from server.auth.entities import AccountChange, User, UserStatus
from server.auth.rules.organisations import match_key, workplace_of
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


def changed_fields(before: User, after: User) -> str:
    """Returns the names of the fields that differ, for the audit."""
    return ", ".join(name for name in CHANGEABLE if getattr(before, name) != getattr(after, name))


def loses_verification(before: User, after: User) -> bool:
    """Returns whether a change by the owner means that an admin must verify the account again.

    An admin verifies licence and workplace. Spellings of one workplace that fold to the same key are no change.
    """
    return before.status is UserStatus.ACTIVE and _place(before) != _place(after)


def _place(user: User) -> str | None:
    workplace = workplace_of(user)
    return None if workplace is None else match_key(workplace.name, workplace.address)
