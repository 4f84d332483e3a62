"""Every action in every state, from outside: permitted actions move the prescription, all others change nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import prescription_pb2
from medconnect.clinical.v1 import suspension_service_pb2 as suspension
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy
from sqlalchemy import text

from tests.fixtures.actors import Actor, Actors, new_email
from tests.fixtures.cells import cells
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control
from tests.rpc.calls import Answer, over_grpc, over_rest
from tests.rpc.methods import RPCS
from tests.rpc.prescription_states import PRESCRIBED, PrescriptionStates, Specimen

TABLE: Final = """
situation            state     scan      number    patient   validate  all       part      reject    release   cancel    reissue   email     resume    close
pending              pending   scanned   scanned   scanned   no        no        no        no        no        cancelled =         =         no        no
scanned              scanned   =         =         =         validated no        no        rejected  no        cancelled =         =         no        no
held                 validated =         =         =         =         dispensed partially rejected  scanned   held      =         =         no        no
held_after_part      validated =         =         =         =         dispensed partially no        partially held      =         =         no        closed
held_by_other        validated =         =         =         other     other     other     other     other     held      =         =         no        other
part_dispensed       partially =         =         =         validated no        no        no        no        cancelled =         =         no        closed
dispensed            dispensed final     final     none      final     final     final     final     final     final     final     final     final     final
rejected             rejected  final     final     none      final     final     final     final     final     final     final     final     final     final
cancelled            cancelled final     final     none      final     final     final     final     final     final     final     final     final     final
expired              expired   final     final     none      final     final     final     final     final     final     final     final     final     final
closed               closed    final     final     none      final     final     final     final     final     final     final     final     final     final
lease_over           scanned   =         =         =         validated no        no        rejected  no        cancelled =         =         no        no
lease_of_other_over  scanned   =         =         =         validated no        no        rejected  no        cancelled =         =         no        no
lease_after_part     partially =         =         =         validated no        no        no        no        cancelled =         =         no        closed
old_pending          expired   final     final     none      final     final     final     final     final     final     final     final     final     final
old_scanned          expired   final     final     none      final     final     final     final     final     final     final     final     final     final
old_part_dispensed   expired   final     final     none      final     final     final     final     final     final     final     final     final     final
old_lease_over       expired   final     final     none      final     final     final     final     final     final     final     final     final     final
old_held             validated code      =         =         =         dispensed expired   rejected  expired   held      =         =         no        no
suspended            scanned   susp      susp      none      susp      susp      susp      susp      susp      cancelled susp      susp      =         susp
later                pending   early     early     none      early     early     early     early     early     cancelled =         =         no        early
old_suspended        expired   final     final     none      final     final     final     final     final     final     final     final     final     final
"""  # noqa: E501 - a table
"""The results when the caller, a pharmacist who has seen it, or its doctor acts on a prescription.

Columns: the situation and the state that readers see in it; then for each action the state afterwards, `=` for the
same one, `none` if it is only not listed, or the reason of the refusal (REFUSALS). Source: docs/domain.md
(states).
"""

REFUSALS: Final[Mapping[str, str]] = {
    "no": "PRESCRIPTION_STATE",
    "other": "CLAIMED_BY_OTHER",
    "held": "PRESCRIPTION_CLAIMED",
    "final": "PRESCRIPTION_{state}",
    "code": "QR_CODE_EXPIRED",
    "susp": "PRESCRIPTION_SUSPENDED",
    "early": "NOT_YET_VALID",
}

MORE_METADATA: Final[Mapping[str, frozenset[str]]] = {
    "no": frozenset({"state"}),
    "other": frozenset({"state", "claimExpiresAt"}),
    "held": frozenset({"state", "pharmacyName", "pharmacyPhone", "claimExpiresAt"}),
    "final": frozenset({"state", "changedAt"}),
    "code": frozenset({"expiredAt"}),
    "susp": frozenset({"state", "suspendedAt"}),
    "early": frozenset({"validFrom"}),
}
"""The metadata of each refusal."""


JOIN: Final = text(
    """
    INSERT INTO memberships (id, user_id, organisation_id, member_right)
    SELECT gen_random_uuid(), CAST(:doctor AS uuid), organisation_id, 'member'
    FROM memberships WHERE user_id = CAST(:member AS uuid)
    """
)


@pytest.fixture(scope="module")
def prescription_states(actors: Actors, instance: RunningInstance) -> PrescriptionStates:
    return PrescriptionStates(actors, instance)


@pytest.fixture(scope="module")
def colleague(actors: Actors, instance: RunningInstance) -> Actor:
    """Another doctor of the hospital that the prescriptions' doctor joins."""
    other = actors.new_doctor("Table Hospital")
    instance.run(join_hospital_of(instance, other, actors.doctor))
    return other


async def join_hospital_of(instance: RunningInstance, member: Actor, doctor: Actor) -> None:
    async with instance.core.work.begin() as tx:
        await tx.connection.execute(JOIN, {"member": member.user_id, "doctor": doctor.user_id})


Act = Callable[[Specimen, int], tuple[str, Message]]

ACTS: Final[Mapping[str, Act]] = {
    "scan": lambda it, _: ("ScanQrCode", pharmacy.ScanQrCodeRequest(qr_code=it.qr_text)),
    "number": lambda it, _: (
        "LookupPrescriptions",
        pharmacy.LookupPrescriptionsRequest(reference_number=it.written.prescription_number),
    ),
    "patient": lambda it, _: (
        "LookupPrescriptions",
        pharmacy.LookupPrescriptionsRequest(reference_number=it.reference_number),
    ),
    "validate": lambda it, _: (
        "ValidatePrescription",
        pharmacy.ValidatePrescriptionRequest(prescription_id=it.id),
    ),
    "all": lambda it, still_open: ("DispensePrescription", it.lines(still_open or PRESCRIBED)),
    "part": lambda it, _: ("DispensePrescription", it.lines(1)),
    "reject": lambda it, _: (
        "RejectPrescription",
        pharmacy.RejectPrescriptionRequest(prescription_id=it.id, reason="wrong dose"),
    ),
    "release": lambda it, _: ("ReleasePrescription", pharmacy.ReleasePrescriptionRequest(prescription_id=it.id)),
    "cancel": lambda it, _: (
        "CancelPrescription",
        clinical.CancelPrescriptionRequest(prescription_id=it.id, reason="no longer needed"),
    ),
    "reissue": lambda it, _: ("ReissueQrCode", clinical.ReissueQrCodeRequest(prescription_id=it.id)),
    "email": lambda it, _: ("SendPrescriptionEmail", clinical.SendPrescriptionEmailRequest(prescription_id=it.id)),
    "resume": lambda it, _: ("ResumePrescription", suspension.ResumePrescriptionRequest(prescription_id=it.id)),
    "close": lambda it, _: (
        "ClosePrescription",
        pharmacy.ClosePrescriptionRequest(prescription_id=it.id, reason="not available"),
    ),
}
BY_DOCTOR: Final = frozenset({"cancel", "reissue", "email"})


def squares() -> Iterator[Any]:
    """situation, state, action, outcome, and the transport to call: the table's squares alternate."""
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    for row_number, (situation, state, *outcomes) in enumerate(rows):
        for column, (action, outcome) in enumerate(zip(header[2:], outcomes, strict=True)):
            face = over_grpc if (row_number + column) % 2 else over_rest
            yield pytest.param(
                situation, _whole(state), action, _whole(outcome), face, id=f"{situation}-{action}-{face.__name__}"
            )


def _whole(word: str) -> str:
    return "partially_dispensed" if word == "partially" else word


def test_table_covers_every_state_and_every_action() -> None:
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    names = prescription_pb2.PrescriptionStatus.DESCRIPTOR.values_by_name
    states = {name.removeprefix("PRESCRIPTION_STATUS_").lower() for name in names}
    assert {_whole(row[1]) for row in rows} == states - {"unspecified"}
    assert header[2:] == list(ACTS)


@control("S37")
@cells(("situation", "state", "action", "outcome", "face"), list(squares()))
def test_an_action_does_what_the_table_says(
    prescription_states: PrescriptionStates,
    actors: Actors,
    colleague: Actor,
    situation: str,
    state: str,
    action: str,
    outcome: str,
    face: Callable[..., Answer],
) -> None:
    refused = outcome in REFUSALS
    if refused or outcome == "none":
        specimen = prescription_states.kept(situation)
    else:
        specimen = prescription_states.fresh(situation, new_email() if action == "email" else None)
    assert prescription_states.state(specimen) == state
    name, request = ACTS[action](specimen, prescription_states.open_quantity(specimen))
    by_doctors = dict.fromkeys(BY_DOCTOR, actors.doctor) | {"resume": colleague}
    actor = by_doctors.get(action, specimen.pharmacist)
    before = prescription_states.rows(specimen)

    answer = face(actors, RPCS[name], request, actor)

    if refused:
        assert (answer.http, answer.reason) == (400, REFUSALS[outcome].format(state=state.upper()))
        assert answer.metadata.keys() == MORE_METADATA[outcome]
        assert answer.metadata.get("state", state) == state
        assert prescription_states.rows(specimen) == before
    elif outcome == "none":
        assert (answer.ok, answer.body["prescriptions"]) == (True, [])
        assert prescription_states.rows(specimen) == before
    else:
        reached = state if outcome == "=" else outcome
        assert answer.ok, answer
        assert shown_state(answer, reached) == reached
        assert prescription_states.state(specimen) == reached
        assert prescription_states.rows(specimen) != before


def shown_state(answer: Answer, otherwise: str) -> str:
    """Returns the state in the answer, for those actions that return one."""
    found = answer.body.get("prescriptions")
    shown = found[0]["prescription"] if found else answer.body.get("prescription")
    return str(shown["status"]) if shown else otherwise


@cells("action", ["validate", "all", "reject", "release", "close"])
@cells("situation", ["pending", "scanned", "part_dispensed", "lease_over", "dispensed", "old_scanned"])
def test_unscanned_prescription_does_not_exist_for_pharmacist(
    prescription_states: PrescriptionStates, actors: Actors, stranger: Actor, situation: str, action: str
) -> None:
    specimen = prescription_states.kept(situation)
    name, request = ACTS[action](specimen, PRESCRIBED)
    before = prescription_states.rows(specimen)
    for face in (over_grpc, over_rest):
        answer = face(actors, RPCS[name], request, stranger)
        assert (answer.http, answer.reason) == (404, "RESOURCE_NOT_FOUND")
    assert prescription_states.rows(specimen) == before


@pytest.fixture(scope="module")
def stranger(actors: Actors) -> Actor:
    return actors.new_pharmacist()


@pytest.mark.parametrize("action", ["validate", "reject"])
def test_what_was_seen_over_a_day_ago_must_be_scanned_again(
    prescription_states: PrescriptionStates, actors: Actors, action: str
) -> None:
    specimen = prescription_states.fresh("scanned")
    prescription_states.alter(
        specimen,
        "UPDATE pharmacy_log SET occurred_at = occurred_at - interval '24 h 1 s' WHERE prescription_id = :id",
    )
    name, request = ACTS[action](specimen, PRESCRIBED)
    before = prescription_states.rows(specimen)
    refused = over_rest(actors, RPCS[name], request, specimen.pharmacist)
    assert (refused.http, refused.reason) == (404, "RESOURCE_NOT_FOUND")
    assert prescription_states.rows(specimen) == before
    prescription_states.see(specimen)
    assert over_rest(actors, RPCS[name], request, specimen.pharmacist).ok
