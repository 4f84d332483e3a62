"""S68, S70 and S71: limits on what a caller, a connection and a list may cost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from h2.errors import ErrorCodes
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from server.api.interceptors.health_call_limit import OPEN_CALLS
from server.edge.admin import Admin
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import committing_work
from tests.fixtures.instance import RunningInstance
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.interceptors.conftest import house as house
from tests.interceptors.probe import PATHS, House, running_house
from tests.rpc.calls import FACES, over_grpc
from tests.rpc.methods import RPCS
from tests.security.raw_http2 import connected

CODE = grpc.StatusCode
MOST_BYTES = 256 * 1024
MOST_HEADERS = 64 * 1024 * 1024
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
SLOWEST_SECONDS = 5.0


def prescription(actors: Actors, patient: Actor, items: int = 1, **fields: Any) -> clinical.CreatePrescriptionRequest:
    request = clinical.CreatePrescriptionRequest(patient_id=patient.patient_id, diagnosis="Sinusitis", **fields)
    for _ in range(items):
        request.items.add(medicine_name="Doxycycline", dosage="1", frequency="daily", quantity=1)
    return request


@pytest.fixture(scope="module")
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@control("S68")
def test_a_body_over_256_kib_is_refused(actors: Actors) -> None:
    request = pharmacy.ScanQrCodeRequest(qr_code="x" * (MOST_BYTES + 1024))
    answer = over_grpc(actors, RPCS["ScanQrCode"], request, actors.pharmacist)
    assert answer.status is CODE.RESOURCE_EXHAUSTED
    rest = actors.http.post("/pharmacy/scan", json={"qrCode": request.qr_code}, headers=actors.pharmacist.headers)
    assert (rest.status_code, rest.json()["error"]["type"]) == (413, "BODY_TOO_LARGE")


@control("S68")
def test_metadata_over_16_kib_is_refused(actors: Actors) -> None:
    request = RPCS["GetCurrentUser"].request()
    answer = over_grpc(actors, RPCS["GetCurrentUser"], request, actors.doctor, x_filler="x" * 20_000)
    assert answer.status is CODE.RESOURCE_EXHAUSTED
    assert over_grpc(actors, RPCS["GetCurrentUser"], request, actors.doctor, x_filler="x" * 4_000).status is CODE.OK
    for size in (100, 20_000):  # a limit applies once the edge's connection has received it
        rest = actors.http.get("/auth/profile", headers={**actors.doctor.headers, "x-filler": "x" * size})
    assert (rest.status_code, rest.json()["error"]["type"]) == (431, "HEADERS_TOO_LARGE")
    assert rest.json()["error"]["message"] == "The headers are too large."


@control("S68")
@pytest.mark.parametrize("face", FACES)
def test_lists_and_texts_are_bounded(actors: Actors, patient: Actor, face: str) -> None:
    def refusal(request: clinical.CreatePrescriptionRequest) -> str:
        return FACES[face](actors, RPCS["CreatePrescription"], request, actors.doctor).reason

    assert refusal(prescription(actors, patient, items=50, doctor_notes="x" * 4_000)) == ""
    assert refusal(prescription(actors, patient, items=51)) == "VALIDATION_FAILED"
    assert refusal(prescription(actors, patient, doctor_notes="x" * 4_001)) == "VALIDATION_FAILED"
    pages = clinical.ListPatientsRequest(page_size=101)
    assert FACES[face](actors, RPCS["ListPatients"], pages, actors.doctor).reason == "VALIDATION_FAILED"


@control("S70")
async def test_a_connection_that_pings_without_pause_is_sent_away(house: House) -> None:
    async with connected(house.port) as raw:
        for _ in range(20):
            raw.connection.ping(b"12345678")
            await raw.send()
            await asyncio.sleep(0.05)
            if raw.goaway is not None:
                break
        assert raw.goaway == ErrorCodes.ENHANCE_YOUR_CALM
        await asyncio.wait_for(raw.closed.wait(), 10)


@pytest.fixture
async def lasting_house(database_url: str, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """Yields the toy service with a unit of work that commits."""
    async with committing_work(database_url) as work, running_house(work, clock, tmp_path) as running:
        yield running


@control("S71")
async def test_opening_and_resetting_streams_starves_nobody(lasting_house: House, resets: int) -> None:
    house = lasting_house
    headers = (
        *((":method", "POST"), (":scheme", "http"), (":path", PATHS["unary"]), (":authority", "x")),
        *(("te", "trailers"), ("content-type", "application/grpc"), *house.bearer()),
    )
    other, slowest = house.bearer(), 0.0
    async with connected(house.port) as raw:
        flood = asyncio.create_task(raw.open_and_reset(headers, resets))
        answered = 0
        while not flood.done():
            began = time.monotonic()
            assert (await house.call("unary", other, seconds=within(SLOWEST_SECONDS))).code is CODE.OK
            answered += 1
            slowest = max(slowest, time.monotonic() - began)
        await flood
    assert answered > 1
    assert slowest < within(SLOWEST_SECONDS)
    assert (await house.call("unary", other)).code is CODE.OK


@control("S71")
async def test_watching_the_health_takes_no_place_from_anybody(instance: RunningInstance, actors: Actors) -> None:
    async with AsyncExitStack() as stack:
        ports = 2 * (instance.grpc, instance.rest.removeprefix("http://"))  # a connection has 32 streams
        channels = [grpc.aio.insecure_channel(port, OWN_CONNECTION) for port in ports]
        stubs: list[Any] = [health_pb2_grpc.HealthStub(await stack.enter_async_context(each)) for each in channels]
        calls = [stubs[n % 4].Watch(health_pb2.HealthCheckRequest(), timeout=20) for n in range(OPEN_CALLS + 20)]
        first = await asyncio.gather(*(anext(aiter(call), None) for call in calls), return_exceptions=True)
        refused = [answer for answer in first if isinstance(answer, grpc.aio.AioRpcError)]
        assert {error.code() for error in refused} == {CODE.UNAVAILABLE}
        assert len(refused) == 20
        answer = await asyncio.to_thread(httpx.get, f"{instance.rest}/health")
        assert answer.status_code == 200  # the edge itself calls the server each second
        assert over_grpc(actors, RPCS["GetCurrentUser"], RPCS["GetCurrentUser"].request(), actors.doctor).ok
    async with grpc.aio.insecure_channel(instance.grpc) as channel, asyncio.timeout(10):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        while await status_of(stub) != health_pb2.HealthCheckResponse.SERVING:
            await asyncio.sleep(0.05)


async def status_of(stub: Any) -> int | None:
    """Returns the status of the service, and None while the watchers' places are not yet free."""
    try:
        return int((await stub.Check(health_pb2.HealthCheckRequest())).status)
    except grpc.aio.AioRpcError:
        return None


@control("S71")
async def test_endless_headers_close_connection_or_are_free(instance: RunningInstance, actors: Actors) -> None:
    async with connected(httpx.URL(instance.rest).port or 0) as raw:
        assert await raw.send_headers_without_end(MOST_HEADERS) < MOST_HEADERS
    async with connected(int(instance.grpc.rpartition(":")[2])) as raw:
        began = time.process_time()  # and the memory of the server, which runs in this process
        await raw.send_headers_without_end(MOST_HEADERS)
        assert over_grpc(actors, RPCS["GetCurrentUser"], RPCS["GetCurrentUser"].request(), actors.doctor).ok
        assert time.process_time() - began < within(2)


@control("S71")
async def test_edge_closes_connection_that_resets_streams(instance: RunningInstance, resets: int) -> None:
    admin = Admin(instance.home / "envoy" / "admin.sock")
    counter = "http.rest.downstream_rq_too_many_premature_resets"
    before = await admin.counter(counter)
    headers = ((":method", "GET"), (":scheme", "http"), (":path", "/api/v1/auth/jwks"), (":authority", "x"))
    url = httpx.URL(instance.rest)
    async with connected(url.port or 0) as raw:
        opened = await raw.open_and_reset(headers, resets)
    assert opened < resets
    assert await admin.counter(counter) == before + 1
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{instance.rest}/api/v1/auth/jwks")).status_code == 200
