"""Tests how many statements each use case sends, without BEGIN and COMMIT, as the performance page promises."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from server.date_range import Period
from server.db.engine import create_engine
from server.pagination import PageRequest
from server.pharmacy.entities import HistoryFilter
from server.pharmacy.services.pharmacy import PharmacyService
from server.runtime.work import unit_of_work
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, line, open_pharmacy

MANY = tuple(range(1, 51))
FIRST = PageRequest(20, "")


@pytest.fixture
async def engine(shared_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(shared_database_url, pool_size=1)
    yield engine
    await engine.dispose()


@pytest.fixture
def pharmacy(engine: AsyncEngine) -> PharmacyService:
    return a_service(unit_of_work(engine))


@contextmanager
def statements(engine: AsyncEngine, at_most: int) -> Iterator[None]:
    """Fails if the block sends more statements."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        sent.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert 0 < len(sent) <= at_most, sent


async def written_in(engine: AsyncEngine, pharmacy_people: PharmacyPeople, quantities: tuple[int, ...]) -> Written:
    async with engine.begin() as connection:
        return await pharmacy_people.prescribe(connection, quantities)


@pytest.mark.parametrize("quantities", [(5,), MANY], ids=["one item", "fifty items"])
async def test_the_way_to_the_counter_and_back_keeps_its_budget(
    engine: AsyncEngine, pharmacy: PharmacyService, quantities: tuple[int, ...]
) -> None:
    async with engine.begin() as connection:
        pharmacy_people = await open_pharmacy(connection)
    caller, written = pharmacy_people.pharmacist, await written_in(engine, pharmacy_people, quantities)
    with statements(engine, at_most=4):
        await pharmacy.scan(caller, written.qr_text)
    with statements(engine, at_most=5):
        prescription = (await pharmacy.validate(caller, written.id, "")).prescription
    with statements(engine, at_most=3):
        await pharmacy.release(caller, written.id)
    await pharmacy.validate(caller, written.id, "")
    with statements(engine, at_most=6):
        await pharmacy.dispense(caller, written.id, [line(item) for item in prescription.items], "")
    with statements(engine, at_most=2):
        page = await pharmacy.history(caller, HistoryFilter(Period(), None), FIRST)
    with statements(engine, at_most=1):
        await pharmacy.log(caller, written.id, FIRST)
    with statements(engine, at_most=2):
        receipt = await pharmacy.receipt(pharmacy_people.patient, written.id)
    assert len(page.items[0].lines) == len(receipt.lines) == len(quantities)


async def test_rejection_with_two_emails_keeps_its_budget(engine: AsyncEngine, pharmacy: PharmacyService) -> None:
    async with engine.begin() as connection:
        pharmacy_people = await open_pharmacy(connection)
    written = await written_in(engine, pharmacy_people, (5,))
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    with statements(engine, at_most=5):
        await pharmacy.reject(pharmacy_people.pharmacist, written.id, "wrong dose")


@pytest.mark.parametrize("number", [1, 12])
async def test_lookup_statements_do_not_grow_with_prescriptions(
    engine: AsyncEngine, pharmacy: PharmacyService, number: int
) -> None:
    async with engine.begin() as connection:
        pharmacy_people = await open_pharmacy(connection)
        for _ in range(number):
            await pharmacy_people.prescribe(connection, (5,))
    with statements(engine, at_most=4):
        found = await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number)
    assert len(found) == number
