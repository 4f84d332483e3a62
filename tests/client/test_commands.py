"""The commands for scripts: each prints one JSON document, and its exit code states the outcome."""

import json
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from medconnect_client import RetryPolicy, errors
from medconnect_client.errors import Failure, MedConnectError
from medconnect_client.terminal import desk
from medconnect_client.terminal.commands import app
from medconnect_client.terminal.exit_codes import Exit, exit_code
from typer.testing import CliRunner, Result

from tests.client.conftest import Service
from tests.client.messages import DISPENSED, RELEASED, VALIDATED, found, signed_in
from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.proofs import control
from tests.fixtures.scripted_service import refusal


class Terminal:
    """Runs commands against a server, with a session kept in a folder."""

    def __init__(self, address: str, home: Path) -> None:
        self._where = ["--address", address, "--home", str(home)]

    def run(self, command: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, [*self._where, *shlex.split(command)], input=stdin)

    def json(self, command: str, stdin: str = "") -> Any:
        result = self.run(f"{command} --json", stdin)
        assert result.exit_code == Exit.DONE, result.output
        return json.loads(result.stdout)

    def refused(self, command: str, code: Exit) -> Any:
        result = self.run(f"{command} --json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)["error"]


@pytest.fixture
def terminal(actors: Actors, tmp_path: Path) -> Terminal:
    found = Terminal(actors.instance.grpc, tmp_path)
    pharmacist = actors.new_pharmacist()
    assert (
        found.json(f"sign-in --email {pharmacist.email} --password-stdin", PASSWORD + "\n")["id"] == pharmacist.user_id
    )
    return found


@pytest.fixture
def number(actors: Actors) -> str:
    return actors.prescribe(actors.new_patient("Paula Patient").patient_id, 20, 1).prescription_number


def test_a_prescription_by_commands_alone(terminal: Terminal, number: str) -> None:
    assert terminal.json("status")["role"] == "pharmacist"
    (found,) = terminal.json(f"scan {number}")
    assert found["canDispense"]
    assert found["prescription"]["patientAllergies"] == ["Penicillin"]
    prescription_id = found["prescription"]["id"]
    assert terminal.json(f"claim {number}")["prescription"]["status"] == "validated"
    assert terminal.json(f"release {number}")["status"] == "scanned"
    done = terminal.json(f"dispense {number} --line 1:12:0.85:B-1:12/2031 --notes 'first part'")
    assert (done["totalAmount"], done["prescription"]["status"]) == ("10.20", "partially_dispensed")
    done = terminal.json(f"dispense {number} --line 1:8:0.85:B-1:12/2031 --line 2:1:7.40:B-2:2031-12-31")
    assert done["prescription"]["status"] == "dispensed"
    assert terminal.json(f"receipt {prescription_id}")["totalAmount"] == "24.40"
    assert [entry["totalAmount"] for entry in terminal.json("history --action dispense")] == ["14.20", "10.20"]
    assert len(terminal.json("history --limit 3")) == 3
    assert terminal.json(f"log {prescription_id}")[-1]["toStatus"] == "dispensed"
    error = terminal.refused(f"scan {number}", Exit.REFUSED)
    assert (error["reason"], error["metadata"]["state"]) == ("PRESCRIPTION_DISPENSED", "dispensed")


def test_administrator_ends_a_colleagues_claim(actors: Actors, number: str, tmp_path: Path) -> None:
    colleague, administrator = (actors.new_pharmacist("Quay 8") for _ in range(2))
    actors.make_administrator(administrator, actors.organisation_of(administrator))
    one, other = (Terminal(actors.instance.grpc, tmp_path / name) for name in ("one", "other"))
    for terminal, actor in ((one, colleague), (other, administrator)):
        terminal.json(f"sign-in --email {actor.email} --password-stdin", PASSWORD + "\n")
    one.json(f"scan {number}")
    claimed = one.json(f"claim {number}")["prescription"]["id"]
    assert one.refused(f"end-claim {claimed}", Exit.REFUSED)["reason"] == "RESOURCE_NOT_FOUND"
    assert other.json(f"end-claim {number}") == {"prescriptionId": claimed, "status": "scanned"}


def test_a_refused_dispense_leaves_no_claim_behind(terminal: Terminal, number: str) -> None:
    assert terminal.refused(f"dispense {number} --line 1:21:1:B:12/2031", Exit.REFUSED)["reason"] == "VALIDATION_FAILED"
    assert terminal.json(f"scan {number}")[0]["prescription"]["status"] == "scanned"


def test_a_rejected_prescription(terminal: Terminal, number: str) -> None:
    terminal.json(f"scan {number}")
    assert terminal.json(f"reject {number} 'The dose is unusual.'")["status"] == "rejected"


def test_the_rest_of_a_prescription_is_closed(terminal: Terminal, number: str) -> None:
    done = terminal.json(f"dispense {number} --line 1:12:0.85:B-1:12/2031")["prescription"]
    assert terminal.json(f"close {number} 'Not available.'")["status"] == "closed"
    assert terminal.json(f"receipt {done['id']}")["closingReason"] == "Not available."
    assert "The rest was closed: Not available." in terminal.run(f"receipt {done['id']}").output
    assert terminal.refused(f"scan {number}", Exit.REFUSED)["reason"] == "PRESCRIPTION_CLOSED"


def test_another_product_is_given_with_a_reason(terminal: Terminal, number: str) -> None:
    other = "--substitute '1:Generic 0:Not in stock: since May'"
    assert terminal.run(f"dispense {number} {other} --line 2:1:0.85:B-1:12/2031").exit_code == Exit.USAGE
    done = terminal.json(f"dispense {number} {other} --line 1:12:0.85:B-1:12/2031")["prescription"]
    (line,) = terminal.json(f"receipt {done['id']}")["lines"]
    assert (line["dispensedMedicineName"], line["substitutionReason"]) == ("Generic 0", "Not in stock: since May")
    for command in (f"receipt {done['id']}", "history --action dispense"):
        words = " ".join(terminal.run(command).output.split())
        assert "Generic 0" in words, command


def test_what_people_see_fits_into_80_columns(terminal: Terminal, number: str) -> None:
    for command in (f"scan {number}", f"claim {number}", "history", f"log {number}", "status", "sessions", "--help"):
        result = terminal.run(command)
        assert result.exit_code == Exit.DONE, result.output
        assert max(map(len, result.output.splitlines())) <= 80


def test_without_a_session_one_is_told_to_sign_in(actors: Actors, tmp_path: Path) -> None:
    terminal = Terminal(actors.instance.grpc, tmp_path)
    assert terminal.refused("history", Exit.SIGN_IN)["message"] == "Sign in first."
    result = terminal.run("sign-in --email unknown@example.org --password-stdin --json", "wrong\n")
    assert (result.exit_code, json.loads(result.stdout)["error"]["reason"]) == (Exit.SIGN_IN, "INVALID_CREDENTIALS")


def test_signing_out_ends_the_session(terminal: Terminal) -> None:
    terminal.json("sign-out")
    terminal.refused("history", Exit.SIGN_IN)


@control("S101")
def test_sessions_are_listed_and_ended_by_commands(terminal: Terminal, actors: Actors) -> None:
    own, first = terminal.json("sessions")
    assert (own["device"], own["current"], first["current"]) == ("MedConnect client", True, False)
    email = terminal.json("status")["email"]
    others = [actors.session_id(actors.sign_in(email)) for _ in range(2)]
    assert terminal.json(f"end-session {first['id']}") == {"endedSessions": 1}
    assert {session["id"] for session in terminal.json("sessions")} == {own["id"], *others}
    assert terminal.json("end-session --others") == {"endedSessions": 2}
    assert [session["id"] for session in terminal.json("sessions")] == [own["id"]]
    assert terminal.refused(f"end-session {uuid4()}", Exit.REFUSED)["reason"] == "RESOURCE_NOT_FOUND"
    for both_or_none in ("end-session", f"end-session {own['id']} --others"):
        assert terminal.refused(both_or_none, Exit.USAGE)["reason"] == "USAGE"


def test_what_is_not_understood_is_not_sent(terminal: Terminal) -> None:
    assert terminal.refused("scan hello", Exit.USAGE)["reason"] == "USAGE"
    assert terminal.refused("history --from yesterday", Exit.USAGE)["reason"] == "USAGE"
    assert terminal.run("dispense").exit_code == Exit.USAGE


@pytest.fixture
def scripted_terminal(service: Service, tmp_path: Path) -> Terminal:
    found = Terminal(service.script.address, tmp_path)
    service.script.answer(signed_in())
    found.json("sign-in --email p@example.org --password-stdin", "secret\n")
    return found


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PATIENCE", RetryPolicy(attempts=2, throttled=False))


def test_a_server_that_is_away(tmp_path: Path) -> None:
    terminal = Terminal("127.0.0.1:1", tmp_path)
    error = terminal.refused("sign-in --email p@example.org --password-stdin", Exit.UNREACHABLE)
    assert error["maybeDone"] is False


def test_a_lost_answer_tells_the_command_that_settles_it(service: Service, scripted_terminal: Terminal) -> None:
    away = grpc.StatusCode.UNAVAILABLE
    service.script.answer(VALIDATED, away, away, RELEASED)
    prescription_id = str(uuid4())
    result = scripted_terminal.run(f"dispense {prescription_id} --line 1:20:1.22:B-1:12/2031")
    assert result.exit_code == Exit.MAYBE_DONE
    sent = service.script.asked[1].metadata["idempotency-key"]
    told = result.output.replace("\n", "").partition("medconnect-pharmacy ")[2].partition("✗")[0]
    assert told == f"dispense {prescription_id} --line i1:20:1.22:B-1:2031-12-31 --key {sent}"
    service.script.answer(DISPENSED)
    assert scripted_terminal.json(told)["totalAmount"] == "24.40"
    (repeated,) = service.script.asked
    assert repeated.metadata["idempotency-key"] == sent


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.PrescriptionDispensed, Exit.REFUSED),
        (errors.NotFound, Exit.REFUSED),
        (errors.RateLimitExceeded, Exit.REFUSED),
        (errors.RefreshTokenInvalid, Exit.SIGN_IN),
        (errors.Unavailable, Exit.UNREACHABLE),
        (errors.DeadlineExceeded, Exit.UNREACHABLE),
        (errors.InternalError, Exit.FAILED),
    ],
)
def test_exit_codes(error: type[MedConnectError], expected: Exit) -> None:
    failed = error(Failure("failed"))
    assert exit_code(failed) is expected
    failed.maybe_done = True
    assert exit_code(failed) is Exit.MAYBE_DONE


def test_the_manual_names_every_exit_code() -> None:
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert all(f"{code.value} " in help_text.partition("Exit codes:")[2] for code in Exit)


def test_lookup_states_that_a_patient_has_more_open(service: Service, scripted_terminal: Terminal) -> None:
    answer = found()
    answer.prescriptions.append(answer.prescriptions[0])
    answer.has_more = True
    service.script.answer(answer, answer)
    result = scripted_terminal.run("scan PAT-20261130-7K3M9QTD")
    assert "These are the newest 2. There are more" in result.output
    result = scripted_terminal.run("scan PAT-20261130-7K3M9QTD --json")
    assert len(json.loads(result.stdout)) == 2
    assert "There are more" in result.stderr


def test_a_refusal_of_the_service_keeps_its_details(service: Service, scripted_terminal: Terminal) -> None:
    service.script.answer(refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", retry_after=600))
    error = scripted_terminal.refused("scan RX-20261130-7K3M9QTD", Exit.REFUSED)
    assert (error["retryAfter"], error["requestId"]) == (600, "req-1")


@control("S99")
def test_sign_in_with_a_second_factor_reads_its_code(actors: Actors, tmp_path: Path) -> None:
    pharmacist, terminal = actors.new_pharmacist(), Terminal(actors.instance.grpc, tmp_path)
    actors.app(pharmacist)
    command, code = f"sign-in --email {pharmacist.email} --password-stdin", actors.recovery_code(pharmacist)
    assert terminal.run(f"{command} --json", f"{PASSWORD}\nwrong\n").exit_code == Exit.REFUSED
    assert terminal.json(command, f"{PASSWORD}\n{code}\n")["id"] == pharmacist.user_id
