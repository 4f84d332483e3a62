"""Every RPC that shows patients' data to staff, called by an account that has read the most patients of an hour."""

from typing import Final

from sqlalchemy import text

from tests.fixtures.actors import Actor
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.access_table import CELLS, OK, Cell
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage

COUNTED: Final = frozenset(
    {
        "BindPatientEmail",
        "CancelPrescription",
        "ClosePrescription",
        "CreateMedicalVisit",
        "CreatePatient",
        "CreatePrescription",
        "DetachPatientEmail",
        "DispensePrescription",
        "GetDispensingSummary",
        "GetPatient",
        "GetPatientHistory",
        "GetPrescription",
        "GetQrCode",
        "GetQrCodeImage",
        "IdentifyPatient",
        "ListDispensingHistory",
        "ListMedicalVisits",
        "ListPatients",
        "ListPrescriptionLog",
        "ListPrescriptions",
        "ListRecordVersions",
        "LookupPrescriptions",
        "ReissueQrCode",
        "RejectPrescription",
        "ReleasePrescription",
        "ResumePrescription",
        "ScanQrCode",
        "SendPrescriptionEmail",
        "UpdatePatient",
        "ValidatePrescription",
    }
)
"""The RPCs that count the patients whose data they show."""
PACKAGES: Final = frozenset({"medconnect.clinical.v1", "medconnect.pharmacy.v1"})
STAFF: Final = frozenset({"DO", "DX", "HC", "HM", "HX"})
_FILL: Final = text(
    """
    INSERT INTO patient_reads (account_id, patient_id, counted_at)
    SELECT CAST(:account AS uuid), gen_random_uuid(), now() FROM generate_series(1, 10000)
    """
)
_FORGET: Final = text("DELETE FROM patient_reads WHERE account_id = CAST(:account AS uuid)")


def permitted() -> list[Cell]:
    """Returns one cell for each RPC of the clinical and pharmacy services that staff may call."""
    found = {
        cell.rpc: cell
        for cell in CELLS
        if cell.expected == OK
        and cell.actor in STAFF
        and RPCS[cell.rpc].descriptor.containing_service.file.package
        in ("medconnect.clinical.v1", "medconnect.pharmacy.v1")
    }
    return list(found.values())


def set_counted(stage: SignedInStage, actor: Actor, *, full: bool) -> None:
    """Lets the account have read no patient, or as many others as the instance allows."""

    async def write() -> None:
        async with stage.actors.instance.core.work.begin() as tx:
            for statement in (_FORGET, _FILL)[: 1 + full]:
                await tx.connection.execute(statement, {"account": actor.user_id})

    stage.actors.instance.run(write())


def test_the_table_names_every_method_of_staff() -> None:
    assert {cell.rpc for cell in permitted()} == COUNTED


@control("S164")
@cells("face", FACES)
@cells("cell", permitted(), ids=str)
def test_staff_at_the_limit_are_shown_no_other_patient(stage: SignedInStage, face: str, cell: Cell) -> None:
    rpc, actor = RPCS[cell.rpc], stage[cell.actor]
    prescription = stage.prescription(cell.scene, fresh=True)
    request = request_for(stage, cell.rpc, prescription, actor)
    set_counted(stage, actor, full=True)
    before = stage.written()

    answer = FACES[face](stage.actors, rpc, request, actor)
    after = stage.written()
    set_counted(stage, actor, full=False)

    assert (answer.http, answer.reason) == (429, "PATIENT_READ_LIMIT")
    assert 1 <= int(answer.headers.get("retry-after", 1)) <= 3600
    assert after == before
