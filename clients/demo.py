"""A prescription from creation to the last dispense, against a real instance: `make demo`.

The doctor calls gRPC with the generated stubs, the pharmacist and the admin call REST. Every step verifies what it
prints; a failed check ends the program with exit code 1.
"""

import asyncio
import email
import email.policy
import io
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any, cast

import grpc.aio
import httpx
import typer
import zxingcpp
from medconnect.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2, clinical_service_pb2_grpc, patient_pb2, prescription_pb2
from medconnect.options.v1 import access_pb2
from PIL import Image
from rich.console import Console

from server import logs
from server.config.settings import read_settings
from server.qr import picture
from server.runtime import instance

MAIL_SECONDS = 20.0
console = Console(highlight=False, emoji=False)


class DemoFailed(Exception):
    """A check of the demo failed."""


@dataclass(frozen=True, slots=True)
class Target:
    """The instance that the demo calls."""

    grpc: str
    rest: str
    mail: Path
    admin_email: str
    admin_password: str


def expect(holds: bool, what: str) -> None:
    """Prints a step that succeeded. Raises DemoFailed otherwise."""
    if not holds:
        raise DemoFailed(what)
    console.print(f"  [green]✓[/green] {what}")


def chapter(title: str) -> None:
    """Prints a chapter's heading."""
    console.print(f"\n[bold]{title}[/bold]")


class Story:
    """The people of the demo and their calls."""

    def __init__(self, channel: grpc.aio.Channel, http: httpx.AsyncClient, target: Target) -> None:
        self._auth = auth_service_pb2_grpc.AuthServiceStub(channel)
        self._clinical = clinical_service_pb2_grpc.ClinicalServiceStub(channel)
        self._http = http
        self._target = target
        self._tag = secrets.token_hex(4)
        self._password = secrets.token_urlsafe(16)

    async def play(self) -> None:
        """Plays all chapters in order."""
        admin = await self._sign_in(self._target.admin_email, self._target.admin_password)
        doctor, pharmacist = await self._hire(admin)
        patient = await self._meet_patient(doctor)
        prescription = await self._prescribe(doctor, patient)
        text = await self._read_mail(patient.email, prescription.prescription_number)
        await self._visit_pharmacy(pharmacist, text, prescription)
        await self._look_back(doctor, pharmacist, prescription)
        await self._look_at_queue(admin)

    async def _sign_in(self, address: str, password: str) -> str:
        answer = await self._auth.Login(auth_service_pb2.LoginRequest(email=address, password=password))
        return answer.access_token

    async def _hire(self, admin: str) -> tuple[str, str]:
        chapter("The admin creates accounts for a doctor and a pharmacist")
        new = auth_service_pb2.CreateUserRequest
        doctor = new(full_name="Dr. Grace Okafor", role=access_pb2.ROLE_DOCTOR, hospital_name="St. Luke's")
        pharmacist = new(full_name="Samir Haddad", role=access_pb2.ROLE_PHARMACIST, pharmacy_name="Harbour Pharmacy")
        return await self._employ(admin, doctor), await self._employ(admin, pharmacist)

    async def _employ(self, admin: str, request: auth_service_pb2.CreateUserRequest) -> str:
        request.email = f"{request.full_name.split()[-1].lower()}-{self._tag}@example.org"
        request.password = self._password
        request.license_number = f"LIC-{self._tag}"
        made = await self._auth.CreateUser(request, metadata=bearer(admin))
        expect(made.user.email == request.email, f"{made.user.full_name}, {made.user.email}")
        return await self._sign_in(request.email, self._password)

    async def _meet_patient(self, doctor: str) -> patient_pb2.Patient:
        chapter("The doctor records a patient")
        request = clinical_service_pb2.CreatePatientRequest(
            email=f"maria-{self._tag}@example.org",
            full_name="María Núñez",
            date_of_birth="1984-02-29",
            gender=patient_pb2.GENDER_FEMALE,
            allergies=["Penicillin"],
            insurance_provider="Healthy Life",
            insurance_number="HL-20455",
        )
        made = (await self._clinical.CreatePatient(request, metadata=bearer(doctor))).patient
        expect(
            made.reference_number.startswith("PAT-"), f"{made.full_name} has reference number {made.reference_number}"
        )
        return made

    async def _prescribe(self, doctor: str, patient: patient_pb2.Patient) -> prescription_pb2.Prescription:
        chapter("The doctor creates a prescription")
        item = clinical_service_pb2.NewPrescriptionItem
        request = clinical_service_pb2.CreatePrescriptionRequest(
            patient_id=patient.id,
            diagnosis="Acute sinusitis",
            items=[
                item(medicine_name="Doxycycline", dosage="100 mg", frequency="twice a day", quantity=20),
                item(medicine_name="Xylometazoline spray", dosage="0.1 %", frequency="when needed", quantity=1),
            ],
        )
        key = (("idempotency-key", f"demo-create-{self._tag}-1"),)
        first = await self._clinical.CreatePrescription(request, metadata=bearer(doctor) + key)
        again = await self._clinical.CreatePrescription(request, metadata=bearer(doctor) + key)
        made = first.prescription
        expect(made.status == prescription_pb2.PRESCRIPTION_STATUS_PENDING, f"{made.prescription_number} is pending")
        expect(
            again.prescription.id == made.id, "the same call, repeated with its idempotency key, created no second one"
        )
        return made

    async def _read_mail(self, address: str, number: str) -> str:
        chapter("The patient receives an email with the number and the QR code")
        mail = await self._wait_for_mail(address, number)
        pictures = [part.get_content() for part in mail.walk() if part.get_content_type() == "image/png"]
        expect(len(pictures) == 1, f"“{mail['Subject']}” to {mail['To']}, with one picture inside")
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(pictures[0])))
        expect(len(found) == 1 and found[0].text.startswith("RX"), "the picture in the email is a QR code")
        console.print(picture.terminal(found[0].text), style="black on white", soft_wrap=True)
        return str(found[0].text)

    async def _wait_for_mail(self, address: str, number: str) -> EmailMessage:
        end = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < end:
            for mail in await asyncio.to_thread(mails, self._target.mail):
                if mail["To"] is not None and address in mail["To"] and number in mail["Subject"]:
                    return mail
            await asyncio.sleep(0.2)
        raise DemoFailed(f"no email about {number} arrived in {self._target.mail} within {MAIL_SECONDS:.0f} s")

    async def _visit_pharmacy(self, token: str, text: str, prescription: prescription_pb2.Prescription) -> None:
        chapter("The pharmacist scans the picture and dispenses, in two parts, over REST")
        scan = await self._rest("POST", "/pharmacy/scan", token, {"qrCode": text})
        seen = scan["prescription"]
        expect(seen["id"] == prescription.id and seen["status"] == "scanned", f"scanned: {seen['patientName']}")
        expect(seen["patientAllergies"] == ["Penicillin"], f"allergic to {', '.join(seen['patientAllergies'])}")
        path = f"/{prescription.id}"
        claim = await self._rest("POST", f"/pharmacy/validate{path}", token, {})
        expect(claim["prescription"]["status"] == "validated", f"validated: claimed until {claim['claimExpiresAt']}")
        first, second = seen["items"]
        part = await self._rest("POST", f"/pharmacy/dispense{path}", token, lines((first["id"], 12, "0.85")))
        expect(
            part["prescription"]["status"] == "partially_dispensed",
            f"12 of 20, {part['totalAmount']} {part['currency']}",
        )
        await self._rest("POST", f"/pharmacy/validate{path}", token, {})
        rest = lines((first["id"], 8, "0.85"), (second["id"], 1, "7.40"))
        done = await self._rest("POST", f"/pharmacy/dispense{path}", token, rest)
        expect(done["prescription"]["status"] == "dispensed", f"the rest, {done['totalAmount']} {done['currency']}")
        refused = await self._call("POST", "/pharmacy/scan", token, {"qrCode": text})
        expect(refused["error"]["type"] == "PRESCRIPTION_DISPENSED", f"scanned again: {refused['error']['message']}")

    async def _look_back(self, doctor: str, pharmacist: str, prescription: prescription_pb2.Prescription) -> None:
        chapter("Doctor and pharmacist see the result")
        request = clinical_service_pb2.GetPrescriptionRequest(prescription_id=prescription.id)
        seen = (await self._clinical.GetPrescription(request, metadata=bearer(doctor))).prescription
        expect(seen.status == prescription_pb2.PRESCRIPTION_STATUS_DISPENSED, "the doctor sees it dispensed")
        receipt = await self._rest("GET", f"/pharmacy/dispensing-summary/{prescription.id}", pharmacist)
        expect(
            receipt["totalAmount"] == "24.40", f"the receipt: {len(receipt['lines'])} lines, {receipt['totalAmount']}"
        )

    async def _look_at_queue(self, admin: str) -> None:
        chapter("The admin sees the email queue")
        end = time.monotonic() + MAIL_SECONDS
        status = await self._rest("GET", "/events/email-queue/status", admin)
        while status["pendingJobs"] + status["processingJobs"] and time.monotonic() < end:
            await asyncio.sleep(0.3)
            status = await self._rest("GET", "/events/email-queue/status", admin)
        sums = status["pendingJobs"] + status["processingJobs"] + status["completedJobs"] + status["failedJobs"]
        expect(status["totalJobs"] == sums and status["isHealthy"], f"{status['completedJobs']} sent, healthy")

    async def _rest(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._call(method, path, token, body)
        if not answer["success"]:
            raise DemoFailed(f"{method} {path}: {answer['error']}")
        return cast("dict[str, Any]", answer["data"])

    async def _call(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"}
        response = await self._http.request(method, f"/api/v1{path}", headers=headers, json=body)
        return cast("dict[str, Any]", response.json())


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata that carries an access token."""
    return (("authorization", f"Bearer {token}"),)


def lines(*items: tuple[str, int, str]) -> dict[str, Any]:
    """Returns the body of a dispense of lines of item id, quantity and unit price."""
    keys = ("itemId", "quantity", "unitPrice")
    batch = {"batchNumber": "B-2291", "expiryDate": "2031-12-31"}
    return {"items": [dict(zip(keys, item, strict=True)) | batch for item in items]}


def mails(folder: Path) -> list[EmailMessage]:
    """Returns the emails in a maildir, newest first."""
    found = sorted((folder / "new").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in found]


@asynccontextmanager
async def own_instance() -> AsyncIterator[Target]:
    """Starts an instance in a temporary folder; it ends with the block."""
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="medconnect-demo-") as folder:
        Path(folder).chmod(0o711)
        settings = read_settings(
            medconnect_home=Path(folder),
            _env_file=None,
            medconnect_env="development",
            database_url=None,
            db_host=None,
            grpc_address="127.0.0.1:0",
            grpc_direct_address=None,
            rest_address="127.0.0.1:0",
            admin_password=password,
            rate_limit_factor=100,
            rate_limits={},
            smtp_host=None,
            log_level="warning",
        )
        async with instance.up(settings) as running:
            yield Target(
                running.grpc_address, running.rest_address, Path(folder) / "mail", settings.admin_email, password
            )


@asynccontextmanager
async def running_instance(grpc_address: str, rest_address: str) -> AsyncIterator[Target]:
    """Yields an instance that is already running; ADMIN_PASSWORD is the password of its first admin."""
    settings = read_settings()
    if settings.admin_password is None:
        raise DemoFailed("set ADMIN_PASSWORD to the password that the instance printed at its first start")
    password = settings.admin_password.get_secret_value()
    yield Target(grpc_address, rest_address, settings.medconnect_home / "mail", settings.admin_email, password)


async def tell(grpc_address: str | None, rest_address: str) -> None:
    """Opens the connections and plays the demo."""
    instance_of = own_instance() if grpc_address is None else running_instance(grpc_address, rest_address)
    async with (
        instance_of as target,
        grpc.aio.insecure_channel(target.grpc) as channel,
        httpx.AsyncClient(base_url=f"http://{target.rest}", timeout=15) as http,
    ):
        await Story(channel, http, target).play()


def main(
    grpc_address: Annotated[str | None, typer.Option("--grpc", help="host:port of a running instance")] = None,
    rest_address: Annotated[str | None, typer.Option("--rest", help="REST address of that instance")] = None,
) -> None:
    """Play a prescription from creation to the last dispense and verify every step."""
    logs.configure("warning")
    try:
        asyncio.run(tell(grpc_address, rest_address or read_settings().rest_address))
    except (DemoFailed, grpc.aio.AioRpcError, httpx.HTTPError) as problem:
        said = problem.details() if isinstance(problem, grpc.aio.AioRpcError) else str(problem)
        console.print(f"  ✗ {said}", style="red", markup=False)
        raise typer.Exit(1) from problem
    console.print("\n[bold green]All steps succeeded.[/bold green]")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
