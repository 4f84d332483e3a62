"""A pharmacist's workday, typed into the real program in a pseudo-terminal of 80 columns."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pexpect
import pytest
from medconnect.clinical.v1 import clinical_service_pb2

from tests.client.conftest import Service
from tests.client.dispensary import Dispensary
from tests.client.messages import DISPENSED, RELEASED, VALIDATED, found, signed_in
from tests.fixtures.actors import PASSWORD, Actors

COLUMNS = 80
SECONDS = 20
MAIN = " quit"
MENU = " leave"
PROMPT = "› "
"""The prompt after a menu; earlier input is printed above it, and the next question next to it."""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\r\x07]")
LINE_END = re.compile(r"\r|\n|\x1b\[\d*[AK]")
"""The ends of a line, including control sequences after which the next line overwrites it."""
ALWAYS = grpc.StatusCode.UNAVAILABLE


class Screen:
    """The running program, with its keyboard and its output."""

    def __init__(self, address: str, home: Path) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "", "COLUMNS": str(COLUMNS)}
        command = ["-c", "from medconnect_pharmacy import main; main()"]
        self.child = pexpect.spawn(
            sys.executable,
            [*command, "--address", address, "--home", str(home)],
            dimensions=(30, COLUMNS),
            encoding="utf-8",
            timeout=SECONDS,
            env=environment,
        )
        self.child.delaybeforesend = None
        self.shown = ""

    def see(self, *expected: str) -> str:
        """Waits until each of these texts has been shown, in this order, and returns the output up to then.

        After a menu as the last text, it also waits for the prompt.
        """
        seen = ""
        for text in (*expected, PROMPT) if expected[-1] in (MAIN, MENU) else expected:
            self.child.expect_exact(text)
            seen += self.child.before + self.child.after
        self.shown += seen
        return CONTROL.sub("", seen)

    def type(self, text: str) -> None:
        """Types a line, as a person or a scanner does."""
        self.child.sendline(text)

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture
def screen(actors: Actors, tmp_path: Path) -> Iterator[Screen]:
    opened = Screen(actors.instance.grpc, tmp_path)
    yield opened
    opened.close()


def test_the_whole_story(screen: Screen, actors: Actors, tmp_path: Path) -> None:
    pharmacist, patient = actors.new_pharmacist(), actors.new_patient("María Núñez")
    first, second = (actors.prescribe(patient.patient_id, 20, 1) for _ in range(2))
    picture = tmp_path / "code.png"
    request = clinical_service_pb2.GetQrCodeImageRequest(prescription_id=second.id)
    picture.write_bytes(actors.clinical.GetQrCodeImage(request, metadata=actors.doctor.metadata).image.data)
    _sign_in(screen, pharmacist.email)

    screen.type(actors.qr_text(first.id))
    screen.see("María Núñez", "Penicillin", "Medicine 0", "20 of 20", "1 of 1", MENU)
    screen.type("b")
    screen.see("You have no claim to give back", MENU)
    screen.type("v")
    screen.see("Claimed until", " give back", MENU)
    screen.type("d")
    _dispense(screen, {"Medicine 0": ("12,0", "B-2291", "12/2031", "0,85"), "Medicine 1": ("0",)})
    screen.see("10.20", "(y/n) ")
    screen.type("y")
    screen.see("Dispensed for 10.20 USD", "8 pieces Medicine 0", MENU)
    screen.type("d")
    _dispense(screen, {"Medicine 0": ("", "B-2291", "12/2031", "0.85"), "Medicine 1": ("", "B-1", "2031-12-31", "7.4")})
    screen.see("14.20", "(y/n) ")
    screen.type("y")
    screen.see("Nothing remains", MAIN)

    screen.type(first.prescription_number.replace("-", " ").lower())
    screen.see("Since 20", MAIN)
    screen.type(str(picture))
    screen.see(second.prescription_number, MENU)
    screen.type("r")
    screen.see("do not reject): ")
    screen.type("The dose is unusual.")
    screen.see("The patient and the doctor are notified", MAIN)
    screen.type("h")
    screen.see("reject", "María Núñez", "14.20 USD", MAIN)
    screen.type("q")
    screen.child.expect(pexpect.EOF)
    screen.child.wait()
    assert screen.child.exitstatus == 0
    lines = [CONTROL.sub("", line) for line in LINE_END.split(screen.shown)]
    assert [line for line in lines if _width(line) > COLUMNS] == []


def test_the_rest_is_closed_with_a_reason(screen: Screen, actors: Actors) -> None:
    pharmacist = actors.new_pharmacist()
    prescription = actors.prescribe(actors.new_patient().patient_id, 5)
    _sign_in(screen, pharmacist.email)
    screen.type(prescription.prescription_number)
    screen.see("reject", MENU)
    screen.type("c")
    screen.see("do not close): ")
    screen.type("Not available.")
    screen.see("does not allow", MENU)
    screen.type("d")
    _dispense(screen, {"Medicine 0": ("2,5", "B-1", "12/2031", "1")})
    screen.type("y")
    screen.see("Dispensed for 2.50 USD", "close the rest", MENU)
    screen.type("c")
    screen.see("do not close): ")
    screen.type("Not available.")
    screen.see("Closed. The patient and the doctor are notified.", MAIN)


def test_another_product_is_given_where_the_doctor_allows_it(screen: Screen, actors: Actors) -> None:
    request = clinical_service_pb2.CreatePrescriptionRequest(
        patient_id=actors.new_patient().patient_id, diagnosis="Flu"
    )
    for name, allowed in (("Free", True), ("Fixed", False)):
        request.items.add(medicine_name=name, dosage="1", frequency="daily", quantity=5, substitution_allowed=allowed)
    written = actors.clinical.CreatePrescription(request, metadata=actors.doctor.metadata).prescription
    _sign_in(screen, actors.new_pharmacist().email)
    screen.type(written.prescription_number)
    screen.see("no substitute allowed", "substitute", MENU)
    screen.type("s")
    _dispense(screen, {"Free": ("2", "B-1", "12/2031", "1")})
    screen.see("(Enter: Free): ")
    screen.type("Generic")
    screen.see("the patient sees it): ")
    screen.type("")
    screen.see("Enter the reason", "the patient sees it): ")
    screen.type("Not in stock.")
    _dispense(screen, {"Fixed": ("2", "B-2", "12/2031", "1")})
    screen.see("allows no substitute", "Given: Generic", "(y/n) ")
    screen.type("y")
    screen.see("Dispensed for 4.00 USD", MENU)


def test_a_code_scanned_over_a_prescription_gives_its_claim_back(screen: Screen, actors: Actors) -> None:
    pharmacist, patient = actors.new_pharmacist(), actors.new_patient()
    first, second = (actors.prescribe(patient.patient_id) for _ in range(2))
    _sign_in(screen, pharmacist.email)
    screen.type(first.prescription_number)
    screen.see(MENU)
    screen.type("v")
    screen.see("Claimed until", MENU)
    screen.type(actors.qr_text(second.id))
    screen.see("Claim released", second.prescription_number, MENU)
    get = clinical_service_pb2.GetPrescriptionRequest(prescription_id=first.id)
    seen = actors.clinical.GetPrescription(get, metadata=actors.doctor.metadata).prescription
    assert seen.status == 2, "scanned, and free for others"


def test_signed_in_once_is_signed_in_the_next_morning(actors: Actors, screen: Screen, tmp_path: Path) -> None:
    pharmacist = actors.new_pharmacist()
    _sign_in(screen, pharmacist.email)
    screen.type("q")
    screen.child.expect(pexpect.EOF)
    again = Screen(actors.instance.grpc, tmp_path)
    again.see("Corner Pharmacy", MAIN)
    again.type("o")
    again.child.expect(pexpect.EOF)
    assert list(tmp_path.glob("tokens-*.json")) == []


def test_a_lost_answer_is_asked_for_until_it_is_known(service: Service, tmp_path: Path) -> None:
    service.script.answer(signed_in(), found(), VALIDATED, *[ALWAYS] * 8, DISPENSED, RELEASED)
    screen = Screen(service.script.address, tmp_path)
    try:
        _sign_in(screen, "p@example.org")
        screen.type("RX-20261130-7K3M9QTD")
        screen.see(MENU)
        screen.type("d")
        _dispense(screen, {"Doxycycline": ("", "B-1", "12/2031", "1.22")})
        screen.type("y")
        screen.see("the server cannot be reached", "attempt 3 of 8", "It may have been done", "try again")
        screen.type("")
        screen.see("Dispensed for 24.40 USD")
    finally:
        screen.close()
    dispenses = [asked for asked in service.script.asked if asked.method.endswith("/DispensePrescription")]
    assert len({asked.metadata["idempotency-key"] for asked in dispenses}) == 1
    assert len(dispenses) == 9


def test_lost_claim_is_reported_and_can_be_taken_again(screen: Screen, actors: Actors) -> None:
    pharmacist = actors.new_pharmacist()
    prescription = actors.prescribe(actors.new_patient().patient_id, 5)
    _sign_in(screen, pharmacist.email)
    screen.type(prescription.prescription_number)
    screen.see(MENU)
    screen.type("d")
    screen.see("Medicine 0")
    Dispensary(actors).lose_claim(prescription.id)
    _fill_in(screen, ("", "B-1", "12/2031", "1"))
    screen.see("Dispense these for 5.00?")
    screen.type("y")
    screen.see("✗", "does not allow this", "validate", MENU)
    screen.type("d")
    _dispense(screen, {"Medicine 0": ("", "B-1", "12/2031", "1")})
    screen.type("y")
    screen.see("Dispensed for 5.00 USD")


def test_a_server_that_is_away_is_told_at_once_and_kept_in_sight(tmp_path: Path) -> None:
    screen = Screen("127.0.0.1:1", tmp_path)
    try:
        screen.see("Email: ")
        screen.type("p@example.org")
        screen.see("Password: ")
        screen.type("secret")
        screen.see("the server cannot be reached, attempt 2 of 8")
    finally:
        screen.close()


def _sign_in(screen: Screen, email: str) -> None:
    screen.see("Email: ")
    screen.type(email)
    screen.see("Password: ")
    screen.type(PASSWORD)
    seen = screen.see(MAIN)
    assert PASSWORD not in seen
    assert "● connected" in seen


def _dispense(screen: Screen, answers: dict[str, tuple[str, ...]]) -> None:
    for medicine, typed in answers.items():
        screen.see(medicine)
        _fill_in(screen, typed)


def _fill_in(screen: Screen, typed: tuple[str, ...]) -> None:
    for question, text in zip(("0: none): ", "scan the package): ", "MM/YYYY): ", "per unit: "), typed, strict=False):
        screen.see(question)
        screen.type(text)


def _width(line: str) -> int:
    """Returns the columns of a line, 0 for one with a scanned code, which may wrap."""
    return 0 if re.search("RX[B-X]{60}", line) or "code.png" in line else len(line)


def test_grpc_is_told_to_be_silent_before_it_is_imported() -> None:
    said = "import sys, medconnect_pharmacy; print('grpc' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
