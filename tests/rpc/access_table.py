"""The table of permitted actions by actor and object, from which the access tests are generated.

Actors: 0 an anonymous caller · PO the patient · PX another patient · DO the author doctor · DX another doctor · UD,
UP a doctor and a pharmacist without verification · HC the pharmacist who scanned and took the claim, if there is
one · HM their colleague of the same pharmacy · HX a pharmacist of another one · A an admin · Z a revoked session of
the first permitted actor. In a table of their own: HA a colleague of HC who administers the pharmacy · HF a former
member of it and of no other one.

Scenes are the situations of the named prescription (`signed_in_stage.py` sets them): `open` not scanned · `scanned`
by HC · `contested` claimed by HC, scanned by HX as well · `held` claimed by HC, who has dispensed a part ·
`own_visit` refers to a visit that DO recorded · `suspended` written by a doctor of DO's hospital whose account was
stolen · `history` as `held`, and PO and PX have opened their histories · `-` no prescription is named.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

_CODE = grpc.StatusCode
PUBLIC: Final = frozenset(
    path.rpartition("/")[2]
    for path in (Path(__file__).parents[1] / "security/public_methods.txt").read_text().split()
    if path.startswith("/medconnect.")
)
"""The methods that need no token."""

OK, OWN_ONLY = "+", "o"
"""`+` is permitted; `o` is permitted, and the answer contains nothing of the owner's."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The form of a refusal over gRPC and REST."""

    grpc: grpc.StatusCode
    rest: int
    reason: str


REFUSALS: Final = {
    "U": Refusal(_CODE.UNAUTHENTICATED, 401, "UNAUTHENTICATED"),
    "P": Refusal(_CODE.PERMISSION_DENIED, 403, "ROLE_NOT_ALLOWED"),
    "V": Refusal(_CODE.PERMISSION_DENIED, 403, "ACCOUNT_NOT_VERIFIED"),
    "R": Refusal(_CODE.PERMISSION_DENIED, 403, "ORGANISATION_REQUIRED"),
    "M": Refusal(_CODE.PERMISSION_DENIED, 403, "SECOND_FACTOR_MISSING"),
    "O": Refusal(_CODE.PERMISSION_DENIED, 403, "OTP_REQUIRED"),
    "N": Refusal(_CODE.NOT_FOUND, 404, "RESOURCE_NOT_FOUND"),
    "F": Refusal(_CODE.FAILED_PRECONDITION, 400, "CLAIMED_BY_OTHER"),
    "S": Refusal(_CODE.FAILED_PRECONDITION, 400, "PRESCRIPTION_STATE"),
}

TABLE: Final = """
RPC                    scene      0  PO PX DO DX UD UP HC HM HX A  Z
Register               -          +  +  +  +  +  +  +  +  +  +  +  +
Login                  -          +  +  +  +  +  +  +  +  +  +  +  +
RefreshToken           -          +  +  +  +  +  +  +  +  +  +  +  +
Logout                 -          U  +  +  +  +  +  +  +  +  +  +  U
ListSessions           -          U  +  +  +  +  +  +  +  +  +  +  U
EndSession             -          U  +  N  N  N  N  N  N  N  N  N  U
EndOtherSessions       -          U  +  +  +  +  +  +  +  +  +  +  U
ForgotPassword         -          +  +  +  +  +  +  +  +  +  +  +  +
ResetPassword          -          +  +  +  +  +  +  +  +  +  +  +  +
ChangePassword         -          U  +  +  +  +  +  +  +  +  +  +  U
GetKeySet              -          +  +  +  +  +  +  +  +  +  +  +  +
GetCurrentUser         -          U  +  o  o  o  o  o  o  o  o  o  U
UpdateCurrentUser      -          U  +  o  o  o  o  o  o  o  o  o  U
ConfirmEmail           -          U  +  o  o  o  o  o  o  o  o  o  U
UndoEmailChange        -          +  +  +  +  +  +  +  +  +  +  +  +
CreateUser             -          U  P  P  P  P  P  P  P  P  P  +  U
ListUsers              -          U  P  P  P  P  P  P  P  P  P  +  U
GetUser                -          U  P  P  P  P  P  P  P  P  P  +  U
DeactivateUser         -          U  P  P  P  P  P  P  P  P  P  +  U
ReactivateUser         -          U  P  P  P  P  P  P  P  P  P  +  U
VerifyUser             -          U  P  P  P  P  P  P  P  P  P  +  U
ListUserSessions       -          U  P  P  P  P  P  P  P  P  P  +  U
EndUserSessions        -          U  P  P  P  P  P  P  P  P  P  +  U
CompleteSignIn         -          +  +  +  +  +  +  +  +  +  +  +  +
GetSecondFactors       -          U  +  +  +  +  +  +  +  +  +  +  U
EnrolTotp              -          U  +  +  +  +  +  +  +  +  +  +  U
ConfirmTotp            -          U  N  N  N  N  N  N  N  N  N  N  U
RemoveSecondFactor     -          U  N  N  N  N  N  N  N  N  N  N  U
RenewRecoveryCodes     -          U  M  M  M  M  M  M  M  M  M  M  U
VerifySecondFactor     -          U  +  +  +  +  +  +  +  +  +  +  U
ResetSecondFactors     -          U  P  P  P  P  P  P  P  P  P  +  U
CreateOrganisation     -          U  P  P  P  P  P  P  P  P  P  +  U
ListOrganisations      -          U  P  P  P  P  P  P  P  P  P  +  U
GetOrganisation        -          U  P  P  N  N  V  V  N  N  N  +  U
UpdateOrganisation     -          U  P  P  P  P  P  P  P  P  P  +  U
CloseOrganisation      -          U  P  P  P  P  P  P  P  P  P  +  U
ListMembers            -          U  P  P  N  N  V  V  N  N  N  +  U
AddMember              -          U  P  P  N  N  V  V  N  N  N  +  U
ChangeMemberRight      -          U  P  P  N  N  V  V  N  N  N  +  U
EndMembership          -          U  P  P  N  N  V  V  N  N  N  +  U
ListMyMemberships      -          U  +  +  +  +  +  +  +  +  +  +  U
ChooseOrganisation     -          U  N  N  N  N  N  N  +  +  N  N  U
ListAuditRecords       -          U  P  P  P  P  P  P  P  P  P  +  U
ListPatients           -          U  P  P  +  +  V  P  P  P  P  P  U
CreatePatient          -          U  P  P  +  +  V  P  P  P  P  P  U
GetPatient             -          U  P  P  +  +  V  P  P  P  P  P  U
UpdatePatient          -          U  P  P  +  +  V  P  P  P  P  P  U
IdentifyPatient        -          U  P  P  +  +  V  P  P  P  P  P  U
BindPatientEmail       -          U  P  P  +  +  V  P  P  P  P  P  U
DetachPatientEmail     -          U  P  P  +  +  V  P  P  P  P  P  U
CreatePrescription     -          U  P  P  +  +  V  P  P  P  P  P  U
CreatePrescription     own_visit  U  P  P  +  N  V  P  P  P  P  P  U
CreateMedicalVisit     -          U  P  P  +  +  V  P  P  P  P  P  U
ListPrescriptions      held       U  P  P  +  o  V  P  P  P  P  P  U
ListMedicalVisits      own_visit  U  P  P  +  o  V  P  P  P  P  P  U
GetPrescription        held       U  P  P  +  N  V  P  P  P  P  P  U
CancelPrescription     open       U  P  P  +  N  V  P  P  P  P  P  U
ResumePrescription     open       U  P  P  N  N  V  P  P  P  P  P  U
ResumePrescription     suspended  U  P  P  +  N  V  P  P  P  P  P  U
GetProfile             -          U  +  o  P  P  P  P  P  P  P  P  U
UpdateProfile          -          U  +  o  P  P  P  P  P  P  P  P  U
ListMyPrescriptions    held       U  +  o  P  P  P  P  P  P  P  P  U
RequestHistoryAccess   -          U  +  +  P  P  P  P  P  P  P  P  U
ConfirmHistoryAccess   -          U  +  +  P  P  P  P  P  P  P  P  U
GetMedicalHistory      -          U  O  O  P  P  P  P  P  P  P  P  U
GetMedicalHistory      history    U  +  o  P  P  P  P  P  P  P  P  U
GetPatientHistory      history    U  P  P  +  +  V  P  P  P  P  P  U
ListRecordVersions     history    U  P  P  +  +  V  P  P  P  P  P  U
ListMyRecordVersions   -          U  O  O  P  P  P  P  P  P  P  P  U
ListMyRecordVersions   history    U  +  o  P  P  P  P  P  P  P  P  U
ListAccessLog          held       U  +  o  P  P  P  P  P  P  P  P  U
GetQrCode              open       U  +  N  +  N  V  P  P  P  P  P  U
GetQrCodeImage         open       U  +  N  +  N  V  P  P  P  P  P  U
ReissueQrCode          open       U  +  N  +  N  V  P  P  P  P  P  U
SendPrescriptionEmail  open       U  +  N  +  N  V  P  P  P  P  P  U
ScanQrCode             open       U  P  P  P  P  P  V  +  +  +  P  U
ScanQrCode             held       U  P  P  P  P  P  V  +  +  +  P  U
LookupPrescriptions    open       U  P  P  P  P  P  V  +  +  +  P  U
ValidatePrescription   open       U  P  P  P  P  P  V  N  N  N  P  U
ValidatePrescription   scanned    U  P  P  P  P  P  V  +  N  N  P  U
ValidatePrescription   contested  U  P  P  P  P  P  V  +  +  F  P  U
DispensePrescription   open       U  P  P  P  P  P  V  N  N  N  P  U
DispensePrescription   held       U  P  P  P  P  P  V  +  +  F  P  U
RejectPrescription     open       U  P  P  P  P  P  V  N  N  N  P  U
RejectPrescription     scanned    U  P  P  P  P  P  V  +  N  N  P  U
RejectPrescription     contested  U  P  P  P  P  P  V  +  +  F  P  U
ClosePrescription      open       U  P  P  P  P  P  V  N  N  N  P  U
ClosePrescription      held       U  P  P  P  P  P  V  +  +  F  P  U
ReleasePrescription    open       U  P  P  P  P  P  V  N  N  N  P  U
ReleasePrescription    held       U  P  P  P  P  P  V  +  +  F  P  U
EndClaim               open       U  S  N  P  P  P  V  N  N  N  P  U
EndClaim               held       U  +  N  P  P  P  V  N  N  N  P  U
ListDispensingHistory  held       U  P  P  P  P  P  V  +  +  o  P  U
ListPrescriptionLog    held       U  P  P  P  P  P  V  +  +  N  P  U
GetDispensingSummary   held       U  +  N  P  P  P  V  +  +  N  P  U
GetEmailQueueStatus    -          U  P  P  P  P  P  P  P  P  P  +  U
WatchEmailQueueStatus  -          U  P  P  P  P  P  P  P  P  P  +  U
WatchEmails            -          U  P  P  P  P  P  P  P  P  P  +  U
ListEmails             -          U  P  P  P  P  P  P  P  P  P  +  U
RetryEmail             -          U  P  P  P  P  P  P  P  P  P  +  U
ClearCompletedEmails   -          U  P  P  P  P  P  P  P  P  P  +  U
EmitTestEvent          -          U  P  P  P  P  P  P  P  P  P  +  U
GetRateLimitUsage      -          U  P  P  P  P  P  P  P  P  P  +  U
"""

OF_MEMBERS: Final = """
RPC                    scene      HA HF
GetOrganisation        -          +  R
ListMembers            -          +  R
AddMember              -          +  R
ChangeMemberRight      -          +  R
EndMembership          -          +  R
ChooseOrganisation     -          +  N
ScanQrCode             open       +  R
ScanQrCode             held       +  R
LookupPrescriptions    open       +  R
ValidatePrescription   open       N  R
ValidatePrescription   scanned    N  R
ValidatePrescription   contested  +  R
DispensePrescription   open       N  R
DispensePrescription   held       +  R
RejectPrescription     open       N  R
RejectPrescription     scanned    N  R
RejectPrescription     contested  +  R
ClosePrescription      open       N  R
ClosePrescription      held       +  R
ReleasePrescription    open       N  R
ReleasePrescription    held       +  R
EndClaim               open       N  R
EndClaim               held       +  R
ListDispensingHistory  held       +  R
ListPrescriptionLog    held       +  R
GetDispensingSummary   held       +  R
"""
"""The same for two colleagues of HC, of the methods of organisations and pharmacies."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The expected answer to one actor."""

    rpc: str
    scene: str
    actor: str
    expected: str
    first_allowed: str
    """The first permitted actor of the row."""

    def __str__(self) -> str:
        scene = "" if self.scene == "-" else f"[{self.scene}]"
        return f"{self.rpc}{scene}-{self.actor}-{self.expected}"

    @property
    def allowed(self) -> bool:
        return self.expected in (OK, OWN_ONLY)


def _read(table: str) -> tuple[Cell, ...]:
    head, *lines = (line.split() for line in table.strip().splitlines())
    actors = head[2:]
    cells = []
    for rpc, scene, *letters in lines:
        row = dict(zip(actors, letters, strict=True))
        first = next((actor for actor in actors if actor != "0" and row[actor] == OK), "HC")
        cells += [Cell(rpc, scene, actor, letter, first) for actor, letter in row.items()]
    return tuple(cells)


CELLS: Final = (*_read(TABLE), *_read(OF_MEMBERS))
