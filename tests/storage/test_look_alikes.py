"""Tests that names which look the same are found."""

import unicodedata
from dataclasses import replace

import pytest

from server.auth.entities import LookAlikes, User
from server.auth.organisation_entities import OrganisationKind, Workplace
from server.auth.password_hashing import Passwords
from server.auth.rules.look_alikes import latin_look_alikes
from server.auth.rules.organisations import workplace_of
from server.auth.storage.look_alikes import LookAlikeRepository
from server.auth.storage.organisations import OrganisationRepository
from server.db.unit_of_work import UnitOfWork
from server.identity import Role
from tests.fixtures.auth import Auth, an_application
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control

LOOKS = ("R\u043ese P\u0430rk", "rose park", "\uff32\uff4f\uff53\uff45 Park", "R\u03bfse Park", "Ro\u0455e P\u0430rk")
DIFFERS = ("Rosé Park", "Rose Parks", "Rose", "Роуз Парк")


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def waiting(auth: Auth, full_name: str = "Ann", pharmacy_name: str = "Lily") -> User:
    application = an_application(Role.PHARMACIST, full_name=full_name)
    return (await auth.accounts.register(replace(application, pharmacy_name=pharmacy_name)))[0].user


async def seen(auth: Auth, user: User) -> LookAlikes:
    async with auth.work.read() as tx:
        return await tx[LookAlikeRepository].of(user, workplace_of(user))


@control("S149")
@pytest.mark.parametrize("name", LOOKS)
async def test_names_that_look_the_same_are_found(auth: Auth, name: str) -> None:
    first, user = await waiting(auth, "Rose Park"), await waiting(auth, name)
    assert [account.id for account in (await seen(auth, user)).accounts] == [first.id]
    assert [account.id for account in (await seen(auth, first)).accounts] == [user.id]


@pytest.mark.parametrize("name", DIFFERS)
async def test_names_that_look_different_are_not_found(auth: Auth, name: str) -> None:
    await waiting(auth, "Rose Park")
    assert (await seen(auth, await waiting(auth, name))).accounts == ()


@control("S149")
async def test_workplaces_are_found_unless_they_are_the_same(auth: Auth) -> None:
    member = await waiting(auth)
    async with auth.work.begin() as tx:
        for name, address in (("Rose", "Quay 1"), ("Rose", "Quay 2"), ("R\u043ese", ""), ("Rosé", "")):
            await tx[OrganisationRepository].join(member.id, Workplace(OrganisationKind.PHARMACY, name, address))
    places = {"ROSE": ("R\u043ese",), "R\u043ese": ("Rose",), "Ros\u0435": ("Rose", "R\u043ese"), "Lily": ()}
    for name, expected in places.items():
        assert (await seen(auth, await waiting(auth, "Bo", name))).workplaces == expected


def test_only_letters_of_other_scripts_look_like_latin_ones() -> None:
    letters, latin = latin_look_alikes()
    assert len(letters) == len(latin) == len(set(letters)) > 200
    assert latin.isascii()
    assert latin.isalpha()
    assert not any(letter.isascii() or unicodedata.decomposition(letter) for letter in letters)
    assert dict(zip(letters, latin, strict=True))["\u043e"] == "o"
