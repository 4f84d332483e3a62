"""Decides which admin may verify an account: never its creator alone, where there is another active admin."""

from collections.abc import Set
from typing import Final
from uuid import UUID

from server.auth.entities import User, UserStatus
from server.errors import SecondAdminRequired
from server.identity import Role

VERIFIABLE: Final = frozenset({Role.DOCTOR, Role.PHARMACIST})
"""The roles whose accounts may wait for verification."""


def first_status(creator: UUID, active_admins: Set[UUID]) -> UserStatus:
    """Returns the status of a doctor's or pharmacist's account that an admin creates."""
    return UserStatus.UNVERIFIED if active_admins - {creator} else UserStatus.ACTIVE


def check_verifier(verifier: UUID | None, creator: UUID | None, active_admins: Set[UUID]) -> None:
    """Raises SecondAdminRequired if the verifier created the account and another active admin can verify it."""
    if creator is not None and verifier == creator and active_admins - {creator}:
        raise SecondAdminRequired()


def concerns_admins(user: User) -> bool:
    """Returns whether all admins are told of a new account: it waits for verification, or it is an admin's."""
    return user.status is UserStatus.UNVERIFIED or user.role is Role.ADMIN
