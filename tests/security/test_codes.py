"""One-time codes from outside: their form, how often they work, and for which caller."""

import re
from collections import Counter
from uuid import UUID

import grpc
import pytest
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from sqlalchemy import text

from server.auth.rules.one_time_codes import CodeScope, Purpose, issue
from tests.fixtures.actors import PASSWORD, Actor, Actors
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender
from tests.rpc.methods import RPCS

HISTORY_MAIL = "Your code for your medical history"
SECRETS = re.compile(r"otp|token|password|secret|code|key")
NO_SECRET = {"page_token", "allow_password_reset"}
"""A token that continues a list for its caller, and an admin's choice."""


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def confirm(actors: Actors, actor: Actor, code: str) -> tuple[int, str]:
    """Returns the status, and the reason of a refusal."""
    status, answer = actors.rest("POST", "/patients/medical-history/confirm", actor, {"otpCode": code})
    return status, "" if status == 200 else answer["error"]["type"]


def reset(actors: Actors, actor: Actor, code: str) -> tuple[int, str]:
    body = {"email": actor.email, "otpCode": code, "newPassword": PASSWORD}
    status, answer = actors.rest("POST", "/auth/reset-password", None, body)
    return status, "" if status == 200 else answer["error"]["type"]


def reads(actors: Actors, actor: Actor) -> bool:
    status, answer = actors.rest("GET", "/patients/medical-history", actor)
    if status == 200:
        return True
    error = answer["error"]
    assert (status, error["type"], error["requiresOtp"]) == (403, "OTP_REQUIRED", True)
    return False


@control("S10")
def test_codes_are_six_digits_that_begin_with_any(sender: Sender, actors: Actors, patient: Actor) -> None:
    codes = [issue(CodeScope(UUID(int=1), Purpose.HISTORY_ACCESS, UUID(int=2)), b"k" * 32).text for _ in range(300)]
    assert all(re.fullmatch(r"[0-9]{6}", code) for code in codes)
    assert any(code.startswith("0") for code in codes)  # missing by chance in 2 of 10^14 runs
    seen = Counter("".join(codes))
    assert sum((seen[digit] - 180) ** 2 / 180 for digit in "0123456789") < 45  # chi-square: exceeded in one run of 10^6
    mailed = []
    for number in range(1, 4):
        assert actors.rest("POST", "/patients/medical-history/otp", patient, {})[0] == 200
        mailed.append(sender.code(patient.email, HISTORY_MAIL, number))
    assert len(set(mailed)) == 3


@control("S11")
def test_a_mailed_code_opens_once_and_a_new_one_ends_it(actors: Actors, patient: Actor, sender: Sender) -> None:
    for number, code in ((1, "first"), (2, "second")):
        assert actors.rest("POST", "/patients/medical-history/otp", patient, {})[0] == 200
        code = sender.code(patient.email, HISTORY_MAIL, number)
        if number == 1:
            first = code
    if first != code:
        assert confirm(actors, patient, first) == (400, "OTP_INVALID")
    assert confirm(actors, patient, code) == (200, "")
    assert confirm(actors, patient, code) == (400, "OTP_INVALID")


@control("S11")
def test_five_wrong_tries_end_a_code(actors: Actors, patient: Actor) -> None:
    code = actors.history_code(patient)
    for _ in range(5):
        assert confirm(actors, patient, another(code)) == (400, "OTP_INVALID")
    assert confirm(actors, patient, code) == (400, "OTP_INVALID")


@control("S11")
def test_of_fifty_uses_at_once_one_succeeds(actors: Actors, patient: Actor) -> None:
    request = clinical.ConfirmHistoryAccessRequest(otp_code=actors.history_code(patient))
    calls = [actors.clinical.ConfirmHistoryAccess.future(request, metadata=patient.metadata) for _ in range(50)]
    codes = Counter(call.code() for call in calls)
    assert codes == {grpc.StatusCode.OK: 1, grpc.StatusCode.INVALID_ARGUMENT: 49}


@control("S12")
def test_code_is_bound_to_purpose_account_and_session(actors: Actors, patient: Actor) -> None:
    other, elsewhere = actors.new_patient(), actors.sign_in(patient.email)
    history, forgotten = actors.history_code(patient), actors.reset_code(patient)
    actors.history_code(other)
    for answer in (
        reset(actors, patient, history),
        confirm(actors, patient, forgotten),
        confirm(actors, other, history),
        confirm(actors, elsewhere, history),
    ):
        assert answer == (400, "OTP_INVALID")
    assert confirm(actors, patient, history) == (200, "")
    assert reset(actors, patient, forgotten) == (200, "")


@control("S14")
@cells("name", RPCS)
def test_no_secret_travels_in_a_path_or_a_query(name: str) -> None:
    rpc = RPCS[name]
    fields = rpc.descriptor.input_type.fields
    in_url = [field.name for field in fields if rpc.verb == "GET" or field.json_name in rpc.in_path]
    assert not [field for field in in_url if SECRETS.search(field) and field not in NO_SECRET]


@control("S14")
def test_the_sweep_recognises_secrets() -> None:
    names = {field.name for rpc in RPCS.values() for field in rpc.descriptor.input_type.fields}
    secrets = {"otp_code", "password", "new_password", "current_password", "refresh_token", "qr_code"}
    secrets |= {"code", "second_factor_code", "token"}
    assert {name for name in names if SECRETS.search(name)} == secrets | NO_SECRET


@control("S14")
def test_a_history_is_open_to_one_session_for_ten_minutes(actors: Actors, patient: Actor) -> None:
    elsewhere = actors.sign_in(patient.email)
    assert not reads(actors, patient)
    actors.open_history(patient)
    assert reads(actors, patient)
    assert not reads(actors, elsewhere)

    async def ten_minutes_later() -> None:
        async with actors.instance.core.work.begin() as tx:
            earlier = "UPDATE sessions SET history_until = history_until - interval '10 min' WHERE user_id = :id"
            await tx.connection.execute(text(earlier), {"id": UUID(patient.user_id)})

    actors.instance.run(ten_minutes_later())
    assert not reads(actors, patient)
