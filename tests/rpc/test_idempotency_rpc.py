"""Every write that is repeated with its key is executed once, however its first answer was lost."""

import random
import time
from uuid import UUID, uuid4

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from medconnect.clinical.v1 import clinical_service_pb2
from sqlalchemy import text

from tests.fixtures.actors import Actor
from tests.fixtures.cells import cells
from tests.rpc.access_table import CELLS, OK, Cell
from tests.rpc.calls import FACES, Answer, native, ok_status, over_grpc, over_rest
from tests.rpc.methods import RPCS, access_of, json_of
from tests.rpc.methods import WRITES as METHODS
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage

CODE = grpc.StatusCode
CREATE = RPCS["CreatePrescription"]
REPLAYED = "idempotent-replayed"
ROUNDS = {"grpc": 40, "rest": 20}
MARGIN = 1.5
"""The longest wait of a caller, as a multiple of the time that an answer takes."""
IDEMPOTENT = {name for name, rpc in RPCS.items() if access_of(rpc).idempotent}
FIRST_CELLS = {cell.rpc: cell for cell in reversed(CELLS) if cell.expected == OK and cell.rpc in IDEMPOTENT}
WRITES = [FIRST_CELLS[name] for name in sorted(FIRST_CELLS)]
OF_WHO_IS_SIGNED_IN = {
    *("Logout", "ChangePassword", "UpdateCurrentUser", "ConfirmEmail"),
    *("EnrolTotp", "ConfirmTotp", "RemoveSecondFactor", "RenewRecoveryCodes", "VerifySecondFactor"),
    *("RequestHistoryAccess", "ConfirmHistoryAccess"),
}
OTHERS = {
    "Register",
    "Login",
    "CompleteSignIn",
    "RefreshToken",
    "ForgotPassword",
    "ResetPassword",
    "UndoEmailChange",
} | OF_WHO_IS_SIGNED_IN
"""Writes that ignore keys, because they receive or return secrets."""


def test_every_write_says_whether_it_takes_a_key() -> None:
    assert {rpc.name for rpc in METHODS} == IDEMPOTENT | OTHERS
    assert {cell.rpc for cell in WRITES} == IDEMPOTENT


@cells("face", FACES)
@cells("cell", WRITES, ids=lambda cell: cell.rpc)
def test_a_repeat_answers_the_same_and_changes_nothing(stage: SignedInStage, face: str, cell: Cell) -> None:
    request, actor = keyed_write(stage, cell)
    key = str(uuid4())
    untouched = stage.written()

    first = FACES[face](stage.actors, RPCS[cell.rpc], request, actor, idempotency_key=key)
    assert first.status == ok_status(face, RPCS[cell.rpc]), first.body
    assert REPLAYED not in first.headers
    written = stage.written()
    assert written != untouched

    again = FACES[face](stage.actors, RPCS[cell.rpc], request, actor, idempotency_key=key)
    assert (again.status, again.raw) == (first.status, first.raw)
    assert again.headers[REPLAYED] == "true"
    assert stage.written() == written

    if not RPCS[cell.rpc].descriptor.input_type.fields:
        return  # there is no other request
    other = another_request(request)
    reused = FACES[face](stage.actors, RPCS[cell.rpc], other, actor, idempotency_key=key)
    assert reused.reason == "IDEMPOTENCY_KEY_REUSED"
    assert reused.status in (CODE.INVALID_ARGUMENT, 400)
    assert stage.written() == written


@cells("face", FACES)
@cells("cell", WRITES, ids=lambda cell: cell.rpc)
def test_a_short_key_is_refused_and_nothing_is_done(stage: SignedInStage, face: str, cell: Cell) -> None:
    refuses_key(stage, face, cell, "k" * 15)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("key", ["k" * 256, "with spaces in the middle", ""], ids=["long", "spaced", "empty"])
def test_a_key_of_another_form_is_refused_too(stage: SignedInStage, face: str, key: str) -> None:
    refuses_key(stage, face, FIRST_CELLS["CreatePrescription"], key)


@pytest.mark.parametrize("name", sorted(OTHERS - OF_WHO_IS_SIGNED_IN))
def test_an_answer_that_holds_secrets_is_never_replayed(stage: SignedInStage, name: str) -> None:
    for key in ("short", str(uuid4())):
        request = request_for(stage, name, None)
        answer = over_grpc(stage.actors, RPCS[name], request, None, idempotency_key=key)
        assert (answer.status, REPLAYED in answer.headers) == (CODE.OK, False)


def test_a_call_over_grpc_may_be_repeated_over_rest(stage: SignedInStage) -> None:
    request, actor = keyed_write(stage, FIRST_CELLS["CreatePatient"])
    key = str(uuid4())
    rpc = RPCS["CreatePatient"]

    first = over_grpc(stage.actors, rpc, request, actor, idempotency_key=key)
    rest = over_rest(stage.actors, rpc, request, actor, idempotency_key=key)

    assert (rest.status, rest.headers[REPLAYED]) == (201, "true")
    assert rest.body == first.body


def test_a_key_belongs_to_its_caller_and_its_method(stage: SignedInStage) -> None:
    key = str(uuid4())
    create = request_for(stage, "CreatePrescription", None)
    made = [made_id(over_grpc(stage.actors, CREATE, create, stage[who], idempotency_key=key)) for who in ("DO", "DX")]
    assert len(set(made)) == 2

    visit = request_for(stage, "CreateMedicalVisit", None)
    answer = over_grpc(stage.actors, RPCS["CreateMedicalVisit"], visit, stage["DO"], idempotency_key=key)
    assert (answer.status, REPLAYED in answer.headers) == (CODE.OK, False)


def test_a_failure_is_not_kept_under_its_key(stage: SignedInStage) -> None:
    prescription = stage.prescription("open", fresh=True)
    key = str(uuid4())
    validate = request_for(stage, "ValidatePrescription", prescription)

    unseen = over_grpc(stage.actors, RPCS["ValidatePrescription"], validate, stage["HX"], idempotency_key=key)
    assert unseen.status is CODE.NOT_FOUND
    over_grpc(stage.actors, RPCS["ScanQrCode"], request_for(stage, "ScanQrCode", prescription), stage["HX"])
    seen = over_grpc(stage.actors, RPCS["ValidatePrescription"], validate, stage["HX"], idempotency_key=key)
    assert (seen.status, REPLAYED in seen.headers) == (CODE.OK, False)


def test_who_may_no_longer_act_gets_no_replay(stage: SignedInStage) -> None:
    leaver, _ = stage.another_session(stage["DO"])
    request, key = request_for(stage, "CreatePrescription", None), str(uuid4())
    assert over_grpc(stage.actors, CREATE, request, leaver, idempotency_key=key).status is CODE.OK
    assert stage.actors.rest("POST", "/auth/logout", leaver)[0] == 200
    assert over_grpc(stage.actors, CREATE, request, leaver, idempotency_key=key).status is CODE.UNAUTHENTICATED


@pytest.mark.parametrize("face", FACES)
def test_create_with_lost_replies_makes_one_prescription(stage: SignedInStage, face: str) -> None:
    diagnosis = f"Lost answers {uuid4()}"
    chance = random.Random(41)
    longest = MARGIN * usual_seconds(stage, face)
    made = []
    lost = 0
    for _ in range(ROUNDS[face]):
        request = request_for(stage, "CreatePrescription", None)
        assert isinstance(request, clinical_service_pb2.CreatePrescriptionRequest)
        request.diagnosis = diagnosis
        key = str(uuid4())
        lost += HANG_UP[face](stage, request, key, chance.uniform(0, longest))
        made.append(made_id(insist(stage, face, request, key)))

    assert lost > len(made) / 8, "the answers came too early to be lost"
    assert len(set(made)) == ROUNDS[face]
    assert stage.actors.instance.run(prescriptions_and_mails(stage, diagnosis)) == (set(map(UUID, made)), len(made))


def keyed_write(stage: SignedInStage, cell: Cell) -> tuple[Message, Actor]:
    """Returns a request that will change data, and a permitted actor."""
    prescription = stage.prescription(cell.scene, fresh=True)
    return request_for(stage, cell.rpc, prescription), stage[cell.actor]


def shared_write(stage: SignedInStage, cell: Cell) -> tuple[Message, Actor]:
    """Returns a request that fails before it changes anything."""
    prescription = stage.prescription(cell.scene, fresh=False)
    return request_for(stage, cell.rpc, prescription), stage[cell.actor]


def refuses_key(stage: SignedInStage, face: str, cell: Cell, key: str) -> None:
    """Checks that a call with this key is refused because of it, and does nothing."""
    request, actor = shared_write(stage, cell)
    before = stage.written()

    answer = FACES[face](stage.actors, RPCS[cell.rpc], request, actor, idempotency_key=key)

    assert answer.reason == "IDEMPOTENCY_KEY_INVALID"
    assert answer.status in (CODE.INVALID_ARGUMENT, 400)
    assert stage.written() == before


def another_request(request: Message) -> Message:
    """Returns a request that is also valid, but not the same."""
    other = type(request)()
    other.CopyFrom(request)
    name, value = next((field.name, value) for field, value in other.ListFields() if isinstance(value, str))
    setattr(other, name, str(uuid4()) if name.endswith("_id") else f"{value}x")
    return other


def hang_up_grpc(stage: SignedInStage, request: Message, key: str, patience: float) -> bool:
    """Calls, and cancels after that many seconds; returns whether that was before the answer came."""
    call = native(stage.actors, CREATE).future(
        request.SerializeToString(), metadata=(*stage["DO"].metadata, ("idempotency-key", key))
    )
    time.sleep(patience)
    hung_up: bool = call.cancel()
    return hung_up


def hang_up_rest(stage: SignedInStage, request: Message, key: str, patience: float) -> bool:
    """Does the same through the edge."""
    headers = {**stage["DO"].headers, "idempotency-key": key}
    try:
        answer = stage.actors.http.post(
            CREATE.path, headers=headers, json=json_of(request), timeout=max(patience, 0.001)
        )
        assert answer.status_code == 201, answer.text
    except httpx.TimeoutException:
        return True
    return False


HANG_UP = {"grpc": hang_up_grpc, "rest": hang_up_rest}


def usual_seconds(stage: SignedInStage, face: str) -> float:
    """Returns how long a create takes here: the minimum of several, because the first opens connections."""
    taken = []
    for _ in range(5):
        request = request_for(stage, "CreatePrescription", None)
        started = time.monotonic()
        insist(stage, face, request, str(uuid4()))
        taken.append(time.monotonic() - started)
    return min(taken)


def insist(stage: SignedInStage, face: str, request: Message, key: str) -> Answer:
    """Repeats the call until it is answered; meanwhile the first call may still be running."""
    ends = time.monotonic() + 10
    while (answer := FACES[face](stage.actors, CREATE, request, stage["DO"], idempotency_key=key)).reason:
        assert answer.reason == "REQUEST_IN_PROGRESS"
        assert answer.status in (CODE.ABORTED, 409)
        assert time.monotonic() < ends
        time.sleep(0.01)
    return answer


def made_id(answer: Answer) -> str:
    prescription_id: str = answer.body["prescription"]["id"]
    return prescription_id


async def prescriptions_and_mails(stage: SignedInStage, diagnosis: str) -> tuple[set[UUID], int]:
    """Returns the ids of the prescriptions with this diagnosis, and the number of emails about them."""
    async with stage.actors.instance.core.work.read() as tx:
        found = await tx.connection.scalars(
            text("SELECT id FROM prescriptions WHERE diagnosis = :diagnosis"), {"diagnosis": diagnosis}
        )
        ids = set(found)
        mails = await tx.connection.scalar(
            text("SELECT count(*) FROM emails WHERE kind = 'prescription' AND prescription_id = ANY(:ids)"),
            {"ids": list(ids)},
        )
        return ids, mails
