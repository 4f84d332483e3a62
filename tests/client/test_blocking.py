"""The blocking API has every method of the asynchronous one, and waits for its result."""

import inspect
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from medconnect.events.v1.events_service_pb2 import WatchEmailQueueStatusResponse as EmailQueue
from medconnect_client import AsyncClaim, AsyncClient, Claim, Client, _sync, errors
from medconnect_client._auth import AsyncAuth
from medconnect_client._clinical import AsyncClinical
from medconnect_client._events import AsyncEvents
from medconnect_client._organisations import AsyncOrganisations
from medconnect_client._pharmacy import AsyncPharmacy

from tests.client.conftest import Service
from tests.client.messages import DISPENSED, RELEASED, SCANNED, VALIDATED, signed_in
from tests.fixtures.pace import within
from tests.fixtures.scripted_service import after

FACES: list[tuple[type, type]] = [
    (AsyncAuth, _sync.Auth),
    (AsyncOrganisations, _sync.Organisations),
    (AsyncClinical, _sync.Clinical),
    (AsyncPharmacy, _sync.Pharmacy),
    (AsyncEvents, _sync.Events),
    (AsyncClaim, Claim),
    (AsyncClient, Client),
]
INSIDE = {"release_quietly"}


def public(face: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(face) if not name.startswith("_")}


@pytest.mark.parametrize(("asynchronous", "face"), FACES, ids=lambda face: face.__name__)
def test_every_method_has_its_blocking_sibling(asynchronous: type, face: type) -> None:
    services = {"auth", "clinical", "pharmacy", "events", "second_factors", "organisations"}
    assert public(face) | (services if face is Client else set()) == public(asynchronous) - INSIDE


@pytest.mark.parametrize(("asynchronous", "face"), FACES, ids=lambda face: face.__name__)
def test_siblings_take_and_say_the_same(asynchronous: type, face: type) -> None:
    for name in public(face):
        theirs, ours = getattr(asynchronous, name), getattr(face, name)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs), name
        if callable(ours):
            assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters), name


def test_the_clients_take_the_same() -> None:
    ours, theirs = (inspect.signature(client.__init__).parameters for client in (Client, AsyncClient))
    assert [str(parameter) for parameter in ours.values()] == [str(parameter) for parameter in theirs.values()]


def test_a_claim_without_await(service: Service) -> None:
    service.script.answer(signed_in(), SCANNED, VALIDATED, DISPENSED)
    with Client(service.script.address) as client:
        client.sign_in("p@example.org", "secret")
        assert client.pharmacy.scan("MC1.x").can_dispense
        with client.pharmacy.claim("p1") as claim:
            assert claim.prescription.prescription_number == "RX-20261130-7K3M9QTD"
            assert claim.dispense([]).currency == "USD"
    assert len(service.script.asked) == 4


def test_a_claim_is_given_back_when_the_block_fails(service: Service) -> None:
    service.script.answer(signed_in(), VALIDATED, RELEASED)
    with Client(service.script.address) as client:
        client.sign_in("p@example.org", "secret")
        with pytest.raises(ZeroDivisionError), client.pharmacy.claim("p1"):
            raise ZeroDivisionError
    assert service.script.asked[-1].method.endswith("/ReleasePrescription")


def test_errors_come_through(service: Service) -> None:
    with Client(service.script.address) as client, pytest.raises(errors.Unauthenticated):
        client.pharmacy.scan("MC1.x")


def test_clients_of_many_threads_do_not_wait_for_each_other(service: Service) -> None:
    service.script.answer(partial(after, 0.2, signed_in()))

    def sign_in() -> None:
        with Client(service.script.address) as client:
            client.sign_in("p@example.org", "secret")

    threads = [threading.Thread(target=sign_in) for _ in range(10)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.script.asked) == 10
    assert time.monotonic() - started < within(1.5)


def test_unclosed_client_does_not_delay_exit(service: Service) -> None:
    program = f"""
from medconnect_client import Client
client = Client("{service.script.address}")
client.sign_in("p@example.org", "secret")
kept = [client.pharmacy.claim("p1"), client.events.watch_email_queue()]
kept[0].__enter__()
next(kept[1])
kept.append(kept)  # found by the garbage collector only
"""
    service.script.answer(signed_in(), VALIDATED, [EmailQueue()])
    ended = subprocess.run([sys.executable, "-W", "error", "-c", program], timeout=20, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
