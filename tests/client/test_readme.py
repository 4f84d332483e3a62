"""Runs the examples of the documentation unchanged."""

import re
import subprocess
from pathlib import Path

import pytest

from clients.integration import hospital
from protos.openapi.example import read_examples
from server.runtime import example_hospital
from tests.fixtures.actors import Actors

ROOT = Path(__file__).parents[2]
README = (ROOT / "clients/python/README.md").read_text()


@pytest.fixture(scope="module")
def seeded(actors: Actors) -> Actors:
    """Loads the example hospital of `make seed`."""
    actors.instance.run(example_hospital.load(actors.instance.services))
    return actors


def test_the_first_example(seeded: Actors, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (example, *_) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert sum(map(bool, example.splitlines())) <= 11
    number = seeded.prescribe(seeded.new_patient("Ines Duarte").patient_id, 3).prescription_number
    monkeypatch.setattr("builtins.input", lambda _: number)
    exec(example.replace("127.0.0.1:50051", seeded.instance.grpc), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out == "Ines Duarte, allergies: Penicillin\n2.55\n"


def test_the_hospital_with_stubs_alone(seeded: Actors, capsys: pytest.CaptureFixture[str]) -> None:
    hospital.main(seeded.instance.grpc)
    first, second, third = capsys.readouterr().out.splitlines()
    number = re.fullmatch(r"Ines Duarte \(PAT-.{17}\) has (RX-.{17})", first)
    assert number is not None
    assert second == f"{number[1]} PRESCRIPTION_STATUS_PENDING"
    assert third == "refused: VALIDATION_FAILED"


def test_tutorial_commands_dispense_a_prescription(seeded: Actors) -> None:
    tutorial = (ROOT / "docs/tutorial.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", tutorial, re.S)
    assert blocks[:2] == ["make run\n", "make seed\n"]  # the fixture's part
    commands = "".join(blocks[2:]).replace("http://127.0.0.1:3000", seeded.instance.rest)
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    number, claim_end, total, refusal = run.stdout.split()
    assert number.startswith("RX-")
    assert claim_end > "2026"
    assert (total, refusal) == ("17.00", "PRESCRIPTION_DISPENSED")


def test_tutorial_client_lists_the_history(seeded: Actors, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(), re.S)
    exec(example.replace("127.0.0.1:50051", seeded.instance.grpc), {})  # noqa: S102 - our own page
    assert "dispense" in capsys.readouterr().out


def test_links_of_documents_lead_to_files() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/README.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_login_example_of_the_api_page_signs_in(seeded: Actors) -> None:
    response = seeded.http.post("auth/login", json=dict(read_examples()["Login"].request))
    assert (response.status_code, response.json()["data"]["user"]["fullName"]) == (200, "Dr. Ada Lindqvist")
