"""Tests which admin may verify an account, for every combination of creator, verifier and active admins."""

from itertools import chain, combinations, product
from uuid import UUID

import pytest

from server.auth.entities import UserStatus
from server.auth.rules.verification import check_verifier, concerns_admins, first_status
from server.errors import SecondAdminRequired
from server.identity import Role
from tests.fixtures.users import a_user

ADMINS = [UUID(int=number) for number in range(1, 4)]
SETS = [set(some) for some in chain.from_iterable(combinations(ADMINS, size) for size in (1, 2, 3))]


@pytest.mark.parametrize("active", SETS, ids=len)
def test_creator_verifies_only_as_the_one_active_admin(active: set[UUID]) -> None:
    for verifier, creator in product(active, [*ADMINS, None]):
        refused = False
        try:
            check_verifier(verifier, creator, active)
        except SecondAdminRequired:
            refused = True
        assert refused == (verifier == creator and len(active) > 1)
    check_verifier(None, None, active)


@pytest.mark.parametrize("active", SETS, ids=len)
def test_account_waits_where_there_are_two_active_admins(active: set[UUID]) -> None:
    for creator in active:
        assert (first_status(creator, active) is UserStatus.UNVERIFIED) == (len(active) > 1)


def test_admins_are_told_of_those_who_wait_and_of_admins() -> None:
    told = {
        (role, status) for role, status in product(Role, UserStatus) if concerns_admins(a_user(role, status=status))
    }
    waiting = {(role, UserStatus.UNVERIFIED) for role in Role}
    assert told == waiting | {(Role.ADMIN, status) for status in UserStatus}
