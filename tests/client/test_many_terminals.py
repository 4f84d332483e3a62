"""A hundred concurrent terminals against one server: `--terminal-seconds=60` is the long run."""

import asyncio
import time
from collections import Counter

from medconnect_client import AsyncClient, MedConnectError, MemoryTokens
from medconnect_client.models import PharmacyPrescription

from tests.client.dispensary import PATIENT, Dispensary, found, part_of
from tests.fixtures.actors import PASSWORD, Actors

TERMINALS = 100
ACCOUNTS = 10
MANY_UNITS = 10_000


class Terminal:
    """One terminal: looks up, claims, dispenses a unit, and sometimes reads the history."""

    def __init__(self, client: AsyncClient, number: str) -> None:
        self.client = client
        self.number = number
        self.prescription: PharmacyPrescription | None = None
        self.acknowledged = 0
        self.failed: Counter[str] = Counter()

    async def work(self, end: float) -> None:
        while time.monotonic() < end:
            try:
                await self._serve()
            except MedConnectError as error:
                self.failed[error.reason or type(error).__name__] += 1
                if error.maybe_done and error.idempotency_key is not None:
                    raise  # with this retry policy no outcome stays unknown
            if self.acknowledged % 5 == 0:
                await anext(self.client.pharmacy.history())

    async def _serve(self) -> None:
        self.prescription = await found(self.client, self.number)
        async with self.client.pharmacy.claim(self.prescription.id) as claim:
            await claim.dispense(part_of(self.prescription, units=1))
        self.acknowledged += 1


async def test_a_hundred_terminals_at_once(actors: Actors, terminal_seconds: float) -> None:
    dispensary = Dispensary(actors)
    terminals = [Terminal(client, dispensary.prescribe(MANY_UNITS)) for client in await open_clients(actors)]
    started = time.monotonic()
    await asyncio.gather(*(terminal.work(started + terminal_seconds) for terminal in terminals))
    failed = sum((terminal.failed for terminal in terminals), Counter())
    acknowledged = sum(terminal.acknowledged for terminal in terminals)
    print(f"{acknowledged} dispenses in {time.monotonic() - started:.1f} s, failed: {dict(failed)}")
    for terminal in terminals:
        assert terminal.prescription is not None
        assert dispensary.truth(terminal.prescription.id).units == terminal.acknowledged
        await terminal.client.close()
    assert acknowledged >= TERMINALS
    assert all(reason.isupper() for reason in failed), "only what the service declares"


async def open_clients(actors: Actors) -> list[AsyncClient]:
    """Returns a hundred clients; ten share an account, as the terminals of a pharmacy may."""
    clients: list[AsyncClient] = []
    for _ in range(ACCOUNTS):
        store = MemoryTokens()
        first = AsyncClient(actors.instance.grpc, retry=PATIENT, timeout=30, tokens=store)
        await first.sign_in(actors.new_pharmacist().email, PASSWORD)
        others = [
            AsyncClient(actors.instance.grpc, retry=PATIENT, timeout=30, tokens=MemoryTokens(store.load()))
            for _ in range(TERMINALS // ACCOUNTS - 1)
        ]
        clients += [first, *others]
    return clients
