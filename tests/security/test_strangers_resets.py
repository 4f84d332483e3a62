"""Strangers who request and guess codes take nothing from an owner: no current code and no later one."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from server.db.embedded.cluster import EmbeddedPostgres
from server.rate_limits import postgres_store
from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.database import copied_database
from tests.fixtures.instance import running_instance
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender

STRANGERS = [f"203.0.113.{number}" for number in range(1, 5)]
HOME, ABROAD = "198.51.100.7", "192.0.2.9"
NEW = "a fresh start, 2041"
NONCE = "kN3v0Qm5Yt8Zr1Xw6Bc2Da"
RESET = "Your code for a new MedConnect password"


class House:
    """An instance with the contract's limits, with a proxy that names the address of each call."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors
        self.sender = Sender(actors.instance.home)

    def call(self, method: str, path: str, address: str, body: Any, actor: Actor | None = None) -> tuple[int, Any]:
        """Returns the status and the answer."""
        headers = {"x-forwarded-for": address, **(actor.headers if actor else {})}
        answer = self.actors.http.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json()

    def forgot(self, email: str, address: str, **more: str) -> int:
        return self.call("POST", "/auth/forgot-password", address, {"email": email, **more})[0]

    def reset(self, email: str, code: str, address: str, **more: str) -> int:
        body = {"email": email, "otpCode": code, "newPassword": NEW, **more}
        return self.call("POST", "/auth/reset-password", address, body)[0]

    def newest_code(self, email: str, number: int) -> str:
        return self.sender.code(email, RESET, number)

    def attack(self, email: str) -> None:
        """Sends twelve requests from four addresses, and as many guesses as the limits allow."""
        assert [self.forgot(email, address) for address in STRANGERS for _ in range(3)] == [200] * 12
        assert {self.reset(email, f"{guess:06d}", address) for address in STRANGERS for guess in range(4)} == {400, 429}


@pytest.fixture(scope="module")
def house(postgres: EmbeddedPostgres) -> Iterator[House]:
    """Yields the instance without raised limits, because these are tested."""
    with asyncio.Runner() as runner:
        database = copied_database(postgres)
        url = runner.run(database.__aenter__())
        settings = {
            "trusted_proxies": 1,
            "rate_limit_factor": 1,
            "email_daily_cap": 20,
            "rate_limits": "registration=99,anonymous=99",
        }
        with running_instance(url, **settings) as running, Actors(running) as actors:
            yield House(actors)
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture
def owner(house: House) -> Actor:
    house.actors.instance.run(an_hour_later(house.actors))
    return house.actors.new_patient()


@control("S91")
@pytest.mark.parametrize("nonce", [{}, {"clientNonce": NONCE}], ids=["by address", "by nonce"])
def test_a_code_in_hand_survives_the_strangers(house: House, owner: Actor, nonce: dict[str, str]) -> None:
    home = f"198.51.100.{10 + len(nonce)}"
    assert house.forgot(owner.email, home, **nonce) == 200
    code = house.newest_code(owner.email, 1)
    house.attack(owner.email)
    assert house.reset(owner.email, code, home, **nonce) == 200


@control("S91")
def test_owner_uses_own_codes_after_strangers_tries(house: House, owner: Actor) -> None:
    house.attack(owner.email)
    assert house.call("POST", "/patients/medical-history/otp", HOME, {}, owner)[0] == 200
    history = house.sender.code(owner.email, "Your code for your medical history")
    assert house.call("POST", "/patients/medical-history/confirm", HOME, {"otpCode": history}, owner)[0] == 200
    assert house.call("GET", "/patients/medical-history", HOME, None, owner)[0] == 200

    email = new_email()
    change = {"email": email, "currentPassword": PASSWORD}
    assert house.call("PUT", "/auth/profile", HOME, change, owner)[0] == 200
    confirmation = house.sender.code(email, "Your code to confirm this address")
    assert house.call("POST", "/auth/confirm-email", HOME, {"otpCode": confirmation}, owner)[0] == 200


@control("S91")
def test_the_owner_gets_a_code_after_the_strangers(house: House, owner: Actor) -> None:
    house.attack(owner.email)
    assert house.forgot(owner.email, ABROAD) == 200
    assert house.reset(owner.email, house.newest_code(owner.email, 13), ABROAD) == 200


async def an_hour_later(actors: Actors) -> None:
    """Clears the limits by address, after the second for which a process caches refusals."""
    await asyncio.sleep(postgres_store.REMEMBERED_SECONDS)
    async with actors.instance.core.work.begin() as tx:
        await tx.connection.execute(text("DELETE FROM rate_limit_buckets"))
