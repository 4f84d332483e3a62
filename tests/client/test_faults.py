"""Dispensing over a faulty network: every prescription is dispensed once, and the caller gets the true outcome.

`--fault-rounds=200` is the long run. Each round dispenses a part of another prescription, so that a second dispense
would be possible and would be noticed.
"""

import base64
import json
from collections import Counter
from dataclasses import replace

import pytest
from medconnect_client import AsyncClient, MemoryTokens, RetryPolicy, errors
from medconnect_client._session import Session
from medconnect_client.models import PharmacyPrescription, PrescriptionStatus

from tests.client.dispensary import NEVER, ONCE, PATIENT, Dispensary, Truth, found, part_of
from tests.fixtures.actors import Actors
from tests.fixtures.duplicating_network import duplicating_network
from tests.fixtures.faulty_network import Fault, FaultyNetwork, faulty_network
from tests.fixtures.instance import RunningInstance

SLOW = 1.0
"""Seconds until a late response; a client with a short timeout has repeated the call before."""
LONG, SHORT = 5.0, 0.6


@pytest.fixture(scope="module")
def dispensary(actors: Actors) -> Dispensary:
    return Dispensary(actors)


async def dispense_under(fault: Fault, network: FaultyNetwork, client: AsyncClient, number: str) -> str:
    """Dispenses a part of a prescription with the fault during the dispense only, and returns its id."""
    prescription = await found(client, number)
    async with client.pharmacy.claim(prescription.id) as claim:
        network.fault = fault
        done = await claim.dispense(part_of(prescription))
    assert done.prescription.status is PrescriptionStatus.PARTIALLY_DISPENSED
    return prescription.id


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.CUT_BEFORE])
async def test_a_broken_connection(fault: Fault, dispensary: Dispensary, fault_rounds: int) -> None:
    async with faulty_network(dispensary.instance.grpc) as network:
        async with await dispensary.signed_in(network.address) as client:
            ids = [await dispense_under(fault, network, client, dispensary.prescribe()) for _ in range(fault_rounds)]
        assert network.struck == fault_rounds
    assert Counter(map(dispensary.truth, ids)) == {ONCE: fault_rounds}


@pytest.mark.parametrize("attempt_timeout", [LONG, SHORT])
async def test_a_late_answer(attempt_timeout: float, dispensary: Dispensary, fault_rounds: int) -> None:
    tokens = MemoryTokens()
    async with (
        await dispensary.signed_in(dispensary.instance.grpc, tokens=tokens),
        faulty_network(dispensary.instance.grpc, delay=SLOW) as network,
        AsyncClient(
            network.address, retry=PATIENT, tokens=tokens, timeout=60, attempt_timeout=attempt_timeout
        ) as client,
    ):
        ids = [
            await dispense_under(Fault.DELAYED, network, client, dispensary.prescribe()) for _ in range(fault_rounds)
        ]
        assert network.struck == fault_rounds
    assert Counter(map(dispensary.truth, ids)) == {ONCE: fault_rounds}


async def test_every_call_arrives_twice(dispensary: Dispensary, fault_rounds: int) -> None:
    ids = []
    async with duplicating_network(dispensary.instance.grpc) as network:
        async with await dispensary.signed_in(network.address) as client:
            for _ in range(fault_rounds):
                prescription = await found(client, dispensary.prescribe())
                async with client.pharmacy.claim(prescription.id) as claim:
                    await claim.dispense(part_of(prescription))
                ids.append(prescription.id)
        assert network.forwarded >= 2 * 3 * fault_rounds
    assert Counter(map(dispensary.truth, ids)) == {ONCE: fault_rounds}


async def test_a_token_that_ends_in_the_middle(dispensary: Dispensary, fault_rounds: int) -> None:
    ids = []
    async with await dispensary.signed_in(dispensary.instance.grpc) as client:
        for _ in range(fault_rounds):
            prescription = await found(client, dispensary.prescribe())
            async with client.pharmacy.claim(prescription.id) as claim:
                stale = let_token_end(client._session, dispensary.instance)
                await claim.dispense(part_of(prescription))
                assert await client._session.token() != stale
            ids.append(prescription.id)
    assert Counter(map(dispensary.truth, ids)) == {ONCE: fault_rounds}


async def test_a_claim_that_is_lost(dispensary: Dispensary, fault_rounds: int) -> None:
    address = dispensary.instance.grpc
    async with await dispensary.signed_in(address) as client, await dispensary.signed_in(address) as colleague:
        for round_ in range(fault_rounds):
            prescription = await found(client, dispensary.prescribe())
            takes_over = round_ % 2 == 0
            with pytest.raises(errors.FailedPrecondition) as caught:
                async with client.pharmacy.claim(prescription.id) as claim:
                    dispensary.lose_claim(prescription.id)
                    if takes_over:
                        await take_over(colleague, prescription)
                    await claim.dispense(part_of(prescription))
            expected = errors.ClaimedByOther if takes_over else errors.PrescriptionState
            assert (type(caught.value), caught.value.maybe_done) == (expected, False)
            assert dispensary.truth(prescription.id) == NEVER
            if takes_over:
                await colleague.pharmacy.dispense(prescription.id, part_of(prescription))
                assert dispensary.truth(prescription.id) == ONCE


@pytest.mark.parametrize(("fault", "before"), [(Fault.REPLY_LOST, ONCE), (Fault.CUT_BEFORE, NEVER)])
async def test_caller_who_gives_up_learns_that_outcome_is_unknown(
    fault: Fault, before: Truth, dispensary: Dispensary, fault_rounds: int
) -> None:
    tokens = MemoryTokens()
    async with (
        faulty_network(dispensary.instance.grpc) as network,
        await dispensary.signed_in(dispensary.instance.grpc, tokens=tokens) as patient,
        AsyncClient(network.address, tokens=tokens, retry=RetryPolicy(attempts=1)) as hurried,
    ):
        for _ in range(fault_rounds):
            prescription = await found(patient, dispensary.prescribe())
            await patient.pharmacy.validate(prescription.id)
            await found(hurried, prescription.prescription_number)
            network.fault = fault
            with pytest.raises(errors.Unavailable) as caught:
                await hurried.pharmacy.dispense(prescription.id, part_of(prescription))
            assert caught.value.maybe_done
            assert dispensary.truth(prescription.id) == before
            key = caught.value.idempotency_key
            await patient.pharmacy.dispense(prescription.id, part_of(prescription), idempotency_key=key)
            assert dispensary.truth(prescription.id) == ONCE


async def take_over(colleague: AsyncClient, prescription: PharmacyPrescription) -> None:
    await found(colleague, prescription.prescription_number)
    await colleague.pharmacy.validate(prescription.id)


def let_token_end(session: Session, instance: RunningInstance) -> str:
    """Gives the session an access token that has expired without the client's knowledge, and returns the token."""
    tokens = session._present()
    header, body, _ = tokens.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    for name in ("iat", "nbf", "exp"):
        claims[name] -= 3600
    signer = instance.core.ring.keys[0].signer()
    ended = f"{header}.{_b64(json.dumps(claims, separators=(',', ':')).encode())}"
    stale = f"{ended}.{_b64(signer.sign(ended.encode()))}"
    session.begin(replace(tokens, access_token=stale))
    return stale


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
