"""Turns documented examples into calls that a running instance accepts: with its ids, codes and tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from protos.openapi.example import Example
from tests.fixtures.actors import Actor, Actors
from tests.rpc.access_table import CELLS
from tests.rpc.methods import RPCS, WRITES, json_of, rest_request
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage
from tests.rpc.sound_requests import sound
from tests.rpc.sound_world import World

REAL: Final = frozenset(
    {
        *("patientId", "prescriptionId", "visitId", "userId", "emailId", "itemId", "sessionId"),
        "organisationId",
        *("qrCode", "referenceNumber", "otpCode", "refreshToken", "version"),
        *("challenge", "code", "factorId", "token"),
    }
)
"""The fields whose value must exist in the instance."""
REAL_TOO: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("Register", "CreateUser", "CreatePatient", "BindPatientEmail", "ResetPassword", "AddMember"),
        frozenset({"email"}),
    ),
    "Login": frozenset({"email", "password"}),
    **dict.fromkeys(("CreateOrganisation", "UpdateOrganisation"), frozenset({"name"})),
    "ListPatients": frozenset({"search"}),
}
"""More such fields by method, including those whose value must not exist yet."""
CELL_OF: Final = {cell.rpc: cell for cell in CELLS}


@dataclass(frozen=True, slots=True)
class Play:
    """A call of a method: its fields by JSON names, and the caller."""

    rpc: str
    fields: Mapping[str, Any]
    actor: Actor | None

    def request(self, http: httpx.Client) -> httpx.Request:
        """Returns the call as a REST request."""
        rpc = RPCS[self.rpc]
        path, content = rest_request(rpc, self.fields)
        headers = self.actor.headers if self.actor else {}
        if rpc.verb == "GET":
            query = {name: value for name, value in self.fields.items() if name not in rpc.in_path}
            return http.build_request("GET", path, params=query, headers=headers)
        return http.build_request(
            rpc.verb, path, content=content, headers={**headers, "content-type": "application/json"}
        )


class Plays:
    """Prepares the data that each method needs."""

    def __init__(self, actors: Actors) -> None:
        self._stage = SignedInStage(actors)
        self._world = World(actors)
        self._stage.prescription("history", fresh=False)  # only once: an account is sent at most ten codes a day

    def of(self, name: str, example: Example) -> Play:
        """Returns the example with the instance's own ids, codes and tokens."""
        known, actor = self.known(name)
        real = REAL | REAL_TOO.get(name, frozenset())
        return Play(name, _with_real(example.request, known, real), actor)

    def known(self, name: str) -> tuple[Mapping[str, Any], Actor | None]:
        """Returns the fields of a request that the instance accepts, and a caller who may send it."""
        rpc, cell = RPCS[name], CELL_OF[name]
        if rpc in WRITES and (rpc.descriptor.input_type.fields or name == "RenewRecoveryCodes"):
            request, actor = next(iter(sound(name, self._world).sent()))
            return json_of(request), actor
        request = request_for(self._stage, name, self._stage.prescription(cell.scene, fresh=False))
        if name == "Logout":  # in a session that no other test needs
            return {}, self._stage.another_session(self._stage.lodger)[0]
        return json_of(request), self._stage.by_name[cell.first_allowed]


def _with_real(example: Any, known: Any, real: frozenset[str]) -> Any:
    if isinstance(example, Mapping):
        return {
            name: known[name] if name in real else _with_real(value, known.get(name), real)
            for name, value in example.items()
        }
    if isinstance(example, Sequence) and not isinstance(example, str) and known:
        return [_with_real(one, other, real) for one, other in zip(example, known, strict=False)]
    return example
