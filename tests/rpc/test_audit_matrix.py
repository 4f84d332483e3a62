"""Every RPC, called by permitted and by other actors: each call leaves the record that its access option names."""

from typing import Any

from medconnect.options.v1 import audit_pb2

from server.audit.events import AuditEvent, Outcome
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.fixtures.records import Records
from tests.rpc.access_table import CELLS, OK, OWN_ONLY, REFUSALS, Cell
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS, access_of
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage
from tests.rpc.test_access_matrix import acting

DENIED = {"P", "V", "R", "M", "N", "O"}
KINDS = {
    "",
    "access_log",
    "account",
    "audit",
    "email",
    "emails",
    "factor",
    "organisation",
    "patient",
    "prescription",
    "session",
    "visit",
}
"""The kinds of objects; a refusal names them as a success does."""
GIVEN_REASONS = {
    "EndUserSessions": "DEVICE_LOST",
    "DetachPatientEmail": "WRONG_ADDRESS",
    "IdentifyPatient": "PASSPORT",
    "DeactivateUser": "left",
    "UpdatePatient": "address",
    "UpdateProfile": "address",
    "UpdateOrganisation": "phone",
}
"""The reasons that callers give, and the changed fields, which the records of successes contain."""
OF_ORGANISATIONS = {"AddMember": "", "ChangeMemberRight": " administrator", "EndMembership": ""}
"""The methods whose record names the organisation beside the member's account, and the text after its id."""
OF_STRANGERS = {"Register", "Login", "CompleteSignIn", "ResetPassword"}
"""They sign in, or act by an emailed code: a caller without a token acts in the account that the call is about."""


def one_of_each_kind() -> list[Cell]:
    """Returns, for every row of the access table, one cell of each kind of answer."""
    kinds = {(cell.rpc, cell.scene, cell.expected): cell for cell in reversed(CELLS)}
    return list(kinds.values())


def declared(cell: Cell) -> str | None:
    number = access_of(RPCS[cell.rpc]).audit
    name = audit_pb2.AuditEvent.Name(number).removeprefix("AUDIT_EVENT_")
    return AuditEvent[name].value if number else None


def reason_of(rpc: str, request: Any) -> str:
    """Returns the reason that the record of a success contains."""
    if rpc in OF_ORGANISATIONS:
        return str(request.organisation_id) + OF_ORGANISATIONS[rpc]
    return GIVEN_REASONS.get(rpc, "")


@control("S48")
@cells("cell", one_of_each_kind(), ids=str)
def test_call_leaves_the_record_of_its_access_option(stage: SignedInStage, cell: Cell) -> None:
    rpc = RPCS[cell.rpc]
    prescription = stage.prescription(cell.scene, fresh=cell.expected in (OK, OWN_ONLY))
    actor = acting(stage, cell)
    request = request_for(stage, cell.rpc, prescription, actor if cell.allowed else None)
    records = Records(stage.actors.instance)

    answer = over_grpc(stage.actors, rpc, request, actor)

    event, rows = declared(cell) or ("access_denied" if cell.expected in DENIED else None), records.rows()
    if cell.expected == "U" or event is None:
        assert [row["event"] for row in rows if row["event"] == event] == []
        return
    [row] = rows
    assert (row["event"], row["request_id"]) == (event, answer.headers["x-request-id"])
    assert row["rpc"] == f"{rpc.descriptor.containing_service.full_name}/{cell.rpc}"
    assert row["object_kind"] in KINDS
    assert row["address"] == "127.0.0.1"
    assert row["user_agent"].startswith("grpc-python")
    if actor is not None and cell.rpc not in OF_STRANGERS:
        assert str(row["actor_id"]) == actor.user_id
    if cell.expected in (OK, OWN_ONLY):
        assert (row["outcome"], row["reason"]) == (Outcome.SUCCESS, reason_of(cell.rpc, request))
    else:
        outcome = Outcome.DENIED if cell.expected in DENIED else Outcome.FAILURE
        assert (row["outcome"], row["reason"]) == (outcome, REFUSALS[cell.expected].reason)
    if prescription is not None and cell.expected in ("N", "F"):
        assert [str(patient_id) for patient_id in row["patient_ids"]] == [stage["PO"].patient_id]
