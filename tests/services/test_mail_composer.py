"""Tests how emails are composed from the database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from email.message import EmailMessage
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text

from server.auth.storage.accounts import AccountRepository
from server.clinical.entities import PrescriptionItem
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.db.connection import Connection
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import RecipientDeactivated
from server.mailer.composer import EmailComposer
from server.mailer.entities import ClaimedEmail, EmailDetail
from server.mailer.rendering import EmailRenderer
from server.mailer.storage.queue import EmailQueue
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from server.pharmacy.storage.tables import dispensed_lines, pharmacy_log
from tests.fixtures.auth import SEAL
from tests.fixtures.emails import compose_one
from tests.fixtures.pharmacy import QR_KEYS, PharmacyPeople, Written, open_pharmacy


@pytest.fixture
def composer(work: UnitOfWork) -> Iterator[EmailComposer]:
    letters = EmailRenderer(zone=ZoneInfo("UTC"), frontend_url="https://med.example")
    with ThreadPoolExecutor(1) as executor:
        codes = QrIssuer(QR_KEYS, timedelta(days=7))
        yield EmailComposer(
            work,
            letters,
            codes,
            QrPictures(executor),
            executor,
            "MedConnect <no-reply@hospital.example>",
            SEAL,
            detail=EmailDetail.FULL,
            writes_unconfirmed=False,
        )


async def claimed(work: UnitOfWork, mail: NewEmail) -> ClaimedEmail:
    async with work.begin() as tx:
        await tx[Outbox].add(mail)
        (claimed,) = await tx[EmailQueue].claim(1, 1)
        return claimed


async def prescribed(work: UnitOfWork) -> tuple[PharmacyPeople, Written]:
    async with work.begin() as tx:
        pharmacy_people = await open_pharmacy(tx.connection)
        return pharmacy_people, await pharmacy_people.prescribe(tx.connection)


async def hand_out(
    connection: Connection,
    written: Written,
    pharmacy_people: PharmacyPeople,
    item: PrescriptionItem,
    quantity: int,
) -> UUID:
    entry = {
        "id": new_id(),
        "prescription_id": written.id,
        "pharmacist_id": pharmacy_people.pharmacist.user_id,
        "action": "dispense",
        "from_status": "validated",
        "to_status": "partially_dispensed",
    }
    line = {
        "id": new_id(),
        "log_id": entry["id"],
        "item_id": item.id,
        "dispensed_before": 0,
        "quantity": quantity,
        "unit_price": 1,
        "currency": "EUR",
        "batch_number": "B-1",
        "expiry_date": date(2100, 1, 1),
    }
    await connection.execute(insert(pharmacy_log).values(entry))
    await connection.execute(insert(dispensed_lines).values(line))
    return UUID(str(entry["id"]))


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    content: str = body.get_content()
    return content


def types_of(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk()]


async def test_prescription_email_has_its_data_and_its_code(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, written = await prescribed(work)
    new = NewEmail(EmailKind.PRESCRIPTION, pharmacy_people.patient.user_id, "paula@example.org", written.id)
    mail = await compose_one(composer, await claimed(work, new))
    assert mail["To"] == "paula@example.org"
    assert mail["Subject"] == f"Your prescription {written.number}"
    for fact in (
        "Paula Patient",
        "Dora Doctor",
        "Bronchitis",
        "Medicine 1",
        written.number,
        pharmacy_people.reference_number,
    ):
        assert fact in text_of(mail)
    assert "image/png" in types_of(mail)


async def test_email_of_cancelled_prescription_has_no_code(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, written = await prescribed(work)
    async with work.begin() as tx:
        await written.alter(tx.connection, "status = 'cancelled'")
    new = NewEmail(EmailKind.PRESCRIPTION, pharmacy_people.patient.user_id, "paula@example.org", written.id)
    mail = await compose_one(composer, await claimed(work, new))
    assert "image/png" not in types_of(mail)
    assert "This prescription is cancelled now" in text_of(mail)


async def test_the_welcome_of_a_patient_and_of_an_invited_doctor(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, _ = await prescribed(work)
    own = NewEmail(EmailKind.WELCOME, pharmacy_people.patient.user_id, "paula@example.org")
    assert pharmacy_people.reference_number in text_of(await compose_one(composer, await claimed(work, own)))
    invited = NewEmail(
        EmailKind.WELCOME, pharmacy_people.doctor.user_id, "dora@example.org", details={"invited": "yes"}
    )
    assert "https://med.example/#/set-password" in text_of(await compose_one(composer, await claimed(work, invited)))


async def test_dispense_notice_lists_the_items_of_that_dispense(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, written = await prescribed(work)
    async with work.begin() as tx:
        first, second = (await tx[PrescriptionRepository].get(written.id)).items
        await hand_out(tx.connection, written, pharmacy_people, first, 3)
        log_id = await hand_out(tx.connection, written, pharmacy_people, second, 4)
    details = {"log_id": str(log_id)}
    new = NewEmail(EmailKind.DISPENSED, pharmacy_people.patient.user_id, "paula@example.org", written.id, details)
    text = text_of(await compose_one(composer, await claimed(work, new)))
    assert "Medicine 2: 4" in text
    assert "Medicine 1" not in text
    assert "Fred Pharmacist's" in text
    assert "You can still collect the rest" in text


@pytest.mark.parametrize("to_doctor", [True, False])
async def test_the_notice_of_a_rejection_speaks_to_its_reader(
    work: UnitOfWork, composer: EmailComposer, to_doctor: bool
) -> None:
    pharmacy_people, written = await prescribed(work)
    async with work.begin() as tx:
        await written.alter(tx.connection, "status = 'rejected', status_reason = 'Dose too high'")
    reader = pharmacy_people.doctor if to_doctor else pharmacy_people.patient
    new = NewEmail(EmailKind.REJECTED, reader.user_id, "reader@example.org", written.id)
    text = text_of(await compose_one(composer, await claimed(work, new)))
    assert "Dose too high" in text
    assert ("a prescription that you wrote" in text) is to_doctor
    assert ("Your doctor has been notified" in text) is not to_doctor


async def test_cancellation_notice_names_doctor_and_reason(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, written = await prescribed(work)
    async with work.begin() as tx:
        await written.alter(tx.connection, "status = 'cancelled', status_reason = 'Written by mistake'")
    new = NewEmail(EmailKind.CANCELLED, pharmacy_people.patient.user_id, "paula@example.org", written.id)
    text = text_of(await compose_one(composer, await claimed(work, new)))
    assert "Your doctor Dora Doctor has cancelled your prescription" in text
    assert "Written by mistake" in text


@pytest.mark.parametrize("kind", EmailKind)
async def test_email_for_deactivated_account_is_not_composed(
    work: UnitOfWork, composer: EmailComposer, kind: EmailKind
) -> None:
    pharmacy_people, written = await prescribed(work)
    details = {"data": "{}", "event_type": "", "log_id": str(new_id())}
    mail = await claimed(
        work, NewEmail(kind, pharmacy_people.patient.user_id, "paula@example.org", written.id, details)
    )
    async with work.begin() as tx:
        await tx[AccountRepository].deactivate(pharmacy_people.patient.user_id)
    with pytest.raises(RecipientDeactivated):
        await compose_one(composer, mail)


async def test_email_about_a_missing_row_raises(work: UnitOfWork, composer: EmailComposer) -> None:
    pharmacy_people, written = await prescribed(work)
    details = {"log_id": str(new_id())}
    new = NewEmail(EmailKind.DISPENSED, pharmacy_people.patient.user_id, "paula@example.org", written.id, details)
    mail = await claimed(work, new)
    with pytest.raises(LookupError):
        await compose_one(composer, mail)


@pytest.mark.parametrize("kind", [EmailKind.PRESCRIPTION, EmailKind.DISPENSED, EmailKind.REJECTED, EmailKind.CANCELLED])
async def test_email_about_past_action_uses_names_of_that_time(
    work: UnitOfWork, composer: EmailComposer, kind: EmailKind
) -> None:
    pharmacy_people, written = await prescribed(work)
    async with work.begin() as tx:
        prescription = await tx[PrescriptionRepository].get(written.id)
        log_id = await hand_out(tx.connection, written, pharmacy_people, prescription.items[0], 5)
    new = NewEmail(kind, pharmacy_people.patient.user_id, "paula@example.org", written.id, {"log_id": str(log_id)})
    mail = await claimed(work, new)
    before = text_of(await compose_one(composer, mail)).splitlines()
    async with work.begin() as tx:
        for change in ("users SET full_name = 'Renamed'", "users SET pharmacy_name = 'Renamed'"):
            await tx.connection.execute(text(f"UPDATE {change}"))
        await tx.connection.execute(text("UPDATE patients SET full_name = 'Renamed'"))
    after = text_of(await compose_one(composer, mail)).splitlines()
    assert (before[0], after[0]) == ("Hello Paula Patient,", "Hello Renamed,")  # the current name
    assert after[1:] == before[1:]
