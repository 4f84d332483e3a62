"""Tests how many statements each use case sends, without BEGIN and COMMIT, as the performance page promises."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from server.date_range import Period
from server.db.engine import create_pool
from server.db.pool import Pool
from server.pagination import PageRequest
from server.pharmacy.entities import HistoryFilter
from server.pharmacy.services.pharmacy import PharmacyService
from server.runtime.work import unit_of_work
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, open_pharmacy
from tests.fixtures.prescriptions import line
from tests.fixtures.statements import noted_statements

MANY = tuple(range(1, 51))
FIRST = PageRequest(20, "")


@pytest.fixture
async def pool(shared_database_url: str) -> AsyncIterator[Pool]:
    pool = create_pool(shared_database_url, pool_size=1)
    yield pool
    await pool.close()


@pytest.fixture
def pharmacy(pool: Pool) -> PharmacyService:
    return a_service(unit_of_work(pool))


@contextmanager
def statements(at_most: int) -> Iterator[None]:
    """Fails if the block sends more statements."""
    with noted_statements() as sent:
        yield
    assert 0 < len(sent) <= at_most, sent


async def written_in(pool: Pool, pharmacy_people: PharmacyPeople, quantities: tuple[int, ...]) -> Written:
    async with pool.connection() as connection, connection.transaction():
        return await pharmacy_people.prescribe(connection, quantities)


@pytest.mark.parametrize("quantities", [(5,), MANY], ids=["one item", "fifty items"])
async def test_the_way_to_the_counter_and_back_keeps_its_budget(
    pool: Pool, pharmacy: PharmacyService, quantities: tuple[int, ...]
) -> None:
    async with pool.connection() as connection, connection.transaction():
        pharmacy_people = await open_pharmacy(connection)
    caller, written = pharmacy_people.pharmacist, await written_in(pool, pharmacy_people, quantities)
    with statements(at_most=4):
        await pharmacy.scan(caller, written.qr_text)
    with statements(at_most=5):
        prescription = (await pharmacy.validate(caller, written.id, "")).prescription
    with statements(at_most=3):
        await pharmacy.release(caller, written.id)
    await pharmacy.validate(caller, written.id, "")
    with statements(at_most=6):
        await pharmacy.dispense(caller, written.id, [line(item) for item in prescription.items], "")
    with statements(at_most=2):
        page = await pharmacy.history(caller, HistoryFilter(Period(), None), FIRST)
    with statements(at_most=1):
        await pharmacy.log(caller, written.id, FIRST)
    with statements(at_most=2):
        receipt = await pharmacy.receipt(pharmacy_people.patient, written.id)
    assert len(page.items[0].lines) == len(receipt.lines) == len(quantities)


async def test_rejection_with_two_emails_keeps_its_budget(pool: Pool, pharmacy: PharmacyService) -> None:
    async with pool.connection() as connection, connection.transaction():
        pharmacy_people = await open_pharmacy(connection)
    written = await written_in(pool, pharmacy_people, (5,))
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    with statements(at_most=5):
        await pharmacy.reject(pharmacy_people.pharmacist, written.id, "wrong dose")


@pytest.mark.parametrize("number", [1, 12])
async def test_lookup_statements_do_not_grow_with_prescriptions(
    pool: Pool, pharmacy: PharmacyService, number: int
) -> None:
    async with pool.connection() as connection, connection.transaction():
        pharmacy_people = await open_pharmacy(connection)
        for _ in range(number):
            await pharmacy_people.prescribe(connection, (5,))
    with statements(at_most=4):
        result = await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number)
    assert len(result.found) == number
