"""Concurrent calls over gRPC and REST: one wins, the others fail soon, and every reader sees the same result."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import prescription_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from sqlalchemy import text

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.instance import RunningInstance
from tests.fixtures.pace import within
from tests.rpc.calls import Answer, native, over_grpc, over_rest, refusal, rest_answer, success
from tests.rpc.methods import RPCS, Rpc, json_of, rest_request

AT_ONCE: Final = 64
PROMPT_SECONDS: Final = 2.0
"""How long a losing call may wait for its answer: the lock timeout (2 s)."""
POLITE: Final = frozenset({"FAILED_PRECONDITION", "ABORTED", "SERVER_BUSY"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the race."""

    rpc: Rpc
    request: Message
    actor: Actor


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a call, and its duration in seconds."""

    call: Call
    answer: Answer
    seconds: float


async def race(actors: Actors, calls: Sequence[Call]) -> list[Outcome]:
    """Sends all at once: every other one over gRPC, the rest over REST on a connection each."""
    limits = httpx.Limits(max_connections=len(calls), max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=actors.http.base_url, timeout=30, limits=limits) as http:
        runners = [_over_grpc(actors, call) if turn % 2 else _over_rest(http, call) for turn, call in enumerate(calls)]
        return await asyncio.gather(*runners)


async def _over_grpc(actors: Actors, call: Call) -> Outcome:
    begun, done = time.monotonic(), asyncio.Event()
    loop = asyncio.get_running_loop()
    body = call.request.SerializeToString()
    future = native(actors, call.rpc).future(body, metadata=call.actor.metadata, timeout=30)
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    await done.wait()
    taken = time.monotonic() - begun
    try:
        return Outcome(call, success(call.rpc, future.result(), future), taken)
    except grpc.RpcError as error:
        return Outcome(call, refusal(error), taken)


async def _over_rest(http: httpx.AsyncClient, call: Call) -> Outcome:
    begun = time.monotonic()
    path, content = rest_request(call.rpc, json_of(call.request))
    headers = {**call.actor.headers, "content-type": "application/json"}
    response = await http.request(call.rpc.verb, path.lstrip("/"), headers=headers, content=content)
    return Outcome(call, rest_answer(response), time.monotonic() - begun)


def winners(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the calls that succeeded; all others must have been refused properly and promptly."""
    lost = [outcome for outcome in outcomes if not outcome.answer.ok]
    assert {polite(outcome.answer) for outcome in lost} <= POLITE, Counter(outcome.answer.reason for outcome in lost)
    assert max((outcome.seconds for outcome in lost), default=0) < within(PROMPT_SECONDS)
    return [outcome for outcome in outcomes if outcome.answer.ok]


def polite(answer: Answer) -> str:
    """Returns the kind of a refusal: FAILED_PRECONDITION is 400 with the state, ABORTED is 409."""
    if answer.http == 400 and "state" in answer.metadata:
        return "FAILED_PRECONDITION"
    return "ABORTED" if answer.http == 409 else answer.reason


def dispense(written: prescription_pb2.Prescription, actor: Actor, *quantities: int) -> Call:
    """Dispenses this quantity of each item."""
    request = pharmacy.DispensePrescriptionRequest(prescription_id=written.id)
    for item, quantity in zip(written.items, quantities, strict=True):
        request.items.add(
            item_id=item.id, quantity=quantity, unit_price="2.00", batch_number="B-1", expiry_date="2099-12-31"
        )
    return Call(RPCS["DispensePrescription"], request, actor)


class Books:
    """Reads the stored rows of a prescription, and the answers that its readers get."""

    def __init__(self, actors: Actors, instance: RunningInstance) -> None:
        self._actors = actors
        self._instance = instance

    def count(self, statement: str, prescription_id: str) -> Any:
        """Returns a number, counted in the database."""
        return self._instance.run(self._count(statement, prescription_id))

    async def _count(self, statement: str, prescription_id: str) -> Any:
        async with self._instance.core.work.read() as tx:
            return await tx.connection.scalar(text(statement), {"id": prescription_id})

    def dispensed_totals(self, prescription_id: str) -> tuple[int, int]:
        """Returns the number of dispensed units by the items, and by the receipts' lines."""
        by_items = "SELECT sum(dispensed_quantity) FROM prescription_items WHERE prescription_id = :id"
        by_lines = """
            SELECT coalesce(sum(line.quantity), 0) FROM dispensed_lines AS line
            JOIN pharmacy_log AS entry ON entry.id = line.log_id WHERE entry.prescription_id = :id
            """
        return self.count(by_items, prescription_id), self.count(by_lines, prescription_id)

    def entries(self, prescription_id: str, pharmacist: Actor) -> Counter[str]:
        """Returns the pharmacist's own history of it, by action."""
        request = pharmacy.ListDispensingHistoryRequest(page_size=100)
        answer = over_rest(self._actors, RPCS["ListDispensingHistory"], request, pharmacist)
        return Counter(e["action"] for e in answer.body["entries"] if e["prescriptionId"] == prescription_id)

    def receipt(self, prescription_id: str, reader: Actor) -> Answer:
        """Returns the receipt as that person sees it."""
        request = pharmacy.GetDispensingSummaryRequest(prescription_id=prescription_id)
        return over_grpc(self._actors, RPCS["GetDispensingSummary"], request, reader)

    def states(self, written: prescription_pb2.Prescription, patient: Actor, pharmacist: Actor) -> set[str]:
        """Returns its states for its doctor, its patient, the pharmacy's log and the table's row."""
        one = clinical.GetPrescriptionRequest(prescription_id=written.id)
        log = pharmacy.ListPrescriptionLogRequest(prescription_id=written.id, page_size=100)
        row = self.count("SELECT status FROM prescriptions WHERE id = :id", written.id)
        listed = over_rest(self._actors, RPCS["ListMyPrescriptions"], clinical.ListMyPrescriptionsRequest(), patient)
        shown = {entry["id"]: entry["status"] for entry in listed.body["prescriptions"]}
        last = over_grpc(self._actors, RPCS["ListPrescriptionLog"], log, pharmacist).body["entries"][-1]["toStatus"]
        return {
            row,
            over_grpc(self._actors, RPCS["GetPrescription"], one, self._actors.doctor).body["prescription"]["status"],
            shown[written.id],
            row if row == "cancelled" else last,  # a cancellation by the doctor is no entry of a pharmacy
        }


@pytest.fixture(scope="module")
def books(actors: Actors, instance: RunningInstance) -> Books:
    return Books(actors, instance)


@pytest.fixture(scope="module")
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@pytest.fixture
def pharmacist(actors: Actors) -> Actor:
    return actors.new_pharmacist()


async def test_of_64_dispenses_at_once_exactly_one_succeeds(
    actors: Actors, books: Books, patient: Actor, pharmacist: Actor, rounds: int
) -> None:
    for _ in range(rounds):
        written = actors.prescribe(patient.patient_id, 20, 10)
        actors.claim(written.id, pharmacist)

        (winner,) = winners(await race(actors, [dispense(written, pharmacist, 20, 10)] * AT_ONCE))

        assert winner.answer.body["totalAmount"] == "60.00"
        assert books.dispensed_totals(written.id) == (30, 30)
        assert books.entries(written.id, pharmacist) == {"scan": 1, "validate": 1, "dispense": 1}
        for reader in (pharmacist, patient):
            receipt = books.receipt(written.id, reader)
            assert [line["quantity"] for line in receipt.body["lines"]] == [20, 10]
        assert (
            books.count("SELECT count(*) FROM emails WHERE prescription_id = :id AND kind = 'dispensed'", written.id)
            == 1
        )
        assert books.states(written, patient, pharmacist) == {"dispensed"}


async def test_concurrent_partial_dispenses_never_exceed_quantity(
    actors: Actors, books: Books, patient: Actor, pharmacist: Actor, rounds: int
) -> None:
    """A partial dispense releases the claim, so each claim lets one of 20 succeed; a fourth 3 exceeds the rest."""
    for _ in range(-(-rounds // 3)):
        written = actors.prescribe(patient.patient_id, 10)
        for dispensed in (3, 6, 9):
            actors.claim(written.id, pharmacist)
            outcomes = await race(actors, [dispense(written, pharmacist, 3)] * 20)
            assert len(winners(outcomes)) == 1
            assert books.dispensed_totals(written.id) == (dispensed, dispensed)
        actors.claim(written.id, pharmacist)
        outcomes = await race(actors, [dispense(written, pharmacist, 3)] * 20)
        assert {(o.answer.http, o.answer.fields) for o in outcomes} == {(400, ("items[0].quantity",))}
        assert books.dispensed_totals(written.id) == (9, 9)
        assert len(winners(await race(actors, [dispense(written, pharmacist, 1)] * 20))) == 1
        assert books.dispensed_totals(written.id) == (10, 10)
        assert books.states(written, patient, pharmacist) == {"dispensed"}


async def test_concurrent_final_actions_have_one_consistent_result(
    actors: Actors, books: Books, patient: Actor, pharmacist: Actor, rounds: int
) -> None:
    """A release is not final: after it, rejecting or cancelling may still win."""
    for seed in range(rounds):
        written = actors.prescribe(patient.patient_id, 20, 10)
        actors.claim(written.id, pharmacist)
        reject = pharmacy.RejectPrescriptionRequest(prescription_id=written.id, reason="wrong dose")
        release = pharmacy.ReleasePrescriptionRequest(prescription_id=written.id)
        cancel = clinical.CancelPrescriptionRequest(prescription_id=written.id, reason="written twice")
        calls = [
            dispense(written, pharmacist, 20, 10),
            Call(RPCS["RejectPrescription"], reject, pharmacist),
            Call(RPCS["ReleasePrescription"], release, pharmacist),
            Call(RPCS["CancelPrescription"], cancel, actors.doctor),
        ] * 4
        random.Random(seed).shuffle(calls)

        won = [outcome.call.rpc.name for outcome in winners(await race(actors, calls))]

        ends = {
            "DispensePrescription": "dispensed",
            "RejectPrescription": "rejected",
            "CancelPrescription": "cancelled",
        }
        (end,) = [ends[name] for name in won if name in ends]
        assert won.count("ReleasePrescription") <= (0 if end == "dispensed" else 1)
        assert books.states(written, patient, pharmacist) == {end}
        assert books.dispensed_totals(written.id) == ((30, 30) if end == "dispensed" else (0, 0))
        notices = (
            "SELECT array_agg(kind ORDER BY kind) FROM emails WHERE prescription_id = :id AND kind <> 'prescription'"
        )
        assert books.count(notices, written.id) == [end] * (2 if end == "rejected" else 1)


async def test_of_all_who_close_the_rest_at_once_one_succeeds(
    actors: Actors, books: Books, patient: Actor, pharmacist: Actor, rounds: int
) -> None:
    """Either the rest is dispensed or it is closed; the receipts and the emails agree."""
    for seed in range(rounds):
        written = actors.prescribe(patient.patient_id, 10)
        actors.claim(written.id, pharmacist)
        assert over_rest(actors, RPCS["DispensePrescription"], dispense(written, pharmacist, 4).request, pharmacist).ok
        actors.claim(written.id, pharmacist)
        request = pharmacy.ClosePrescriptionRequest(prescription_id=written.id, reason="not available")
        calls = [Call(RPCS["ClosePrescription"], request, pharmacist), dispense(written, pharmacist, 6)] * 8
        random.Random(seed).shuffle(calls)

        outcomes = await race(actors, calls)
        (winner,) = [outcome for outcome in outcomes if outcome.answer.ok]
        assert {polite(outcome.answer) for outcome in outcomes if outcome is not winner} <= POLITE

        closed = winner.call.rpc.name == "ClosePrescription"
        assert books.states(written, patient, pharmacist) == {"closed" if closed else "dispensed"}
        assert books.dispensed_totals(written.id) == ((4, 4) if closed else (10, 10))
        notices = "SELECT count(*) FROM emails WHERE prescription_id = :id AND kind = 'closed'"
        assert books.count(notices, written.id) == (2 if closed else 0)


async def test_of_all_who_validate_at_once_one_holds_the_claim(
    actors: Actors, patient: Actor, pharmacist: Actor, rounds: int
) -> None:
    colleague = actors.new_pharmacist()
    for _ in range(rounds):
        written = actors.prescribe(patient.patient_id)
        for actor in (pharmacist, colleague):
            look = pharmacy.LookupPrescriptionsRequest(reference_number=written.prescription_number)
            assert over_rest(actors, RPCS["LookupPrescriptions"], look, actor).ok
        request = pharmacy.ValidatePrescriptionRequest(prescription_id=written.id)
        calls = [Call(RPCS["ValidatePrescription"], request, actor) for actor in (pharmacist, colleague) * 8]

        outcomes = await race(actors, calls)

        assert {outcome.call.actor for outcome in winners(outcomes)} in ({pharmacist}, {colleague})
        lost = {outcome.answer.reason for outcome in outcomes if not outcome.answer.ok}
        assert lost <= {"CLAIMED_BY_OTHER", "SERVER_BUSY"}
