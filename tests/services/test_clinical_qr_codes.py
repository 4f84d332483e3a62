"""Tests QR codes for patients and doctors, on a real database."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import zxingcpp
from PIL import Image

from server.clinical.entities import PatientEmailStatus, PrescriptionStatus, QrCode
from server.clinical.services.qr_codes import QrCodeService
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clinical.storage.qr_codes import QrCodeRepository
from server.db.engine import create_pool
from server.errors import (
    EmailLimitExceeded,
    NotFound,
    PatientHasNoEmail,
    PrescriptionCancelled,
    PrescriptionClosed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionRejected,
    RecipientDeactivated,
)
from server.identity import Caller, Role
from server.qr import signed_code
from server.qr.key_ring import QrKeyRing
from server.runtime.work import unit_of_work
from tests.fixtures.clinical import QR_KEYS, Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.statements import noted_statements

WEEK = timedelta(days=7)
FINAL = [
    ({"status": "'dispensed'", "fulfilled_at": "now()"}, PrescriptionDispensed),
    ({"status": "'rejected'"}, PrescriptionRejected),
    ({"status": "'closed'"}, PrescriptionClosed),
    ({"status": "'cancelled'"}, PrescriptionCancelled),
    ({"status": "'expired'"}, PrescriptionExpired),
    ({"expires_at": "now() - interval '1 second'"}, PrescriptionExpired),
]


async def stored(clinic: Clinic, code_id: UUID) -> QrCode:
    async with clinic.work.read() as tx:
        code = await tx[QrCodeRepository].get(code_id)
    assert code is not None
    return code


async def queued(clinic: Clinic, prescription_id: UUID) -> int:
    query = "SELECT count(*) FROM emails WHERE kind = 'prescription' AND prescription_id = :id"
    [row] = await clinic.execute(query, id=prescription_id)
    return int(row["count"])


async def test_patient_and_doctor_get_same_code_and_matching_picture(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    shown = await clinic.qr_codes.show(clinic.doctor, written.id)
    assert await clinic.qr_codes.show(clinic.paula_caller, written.id) == shown
    assert shown.prescription.qr_code == written.qr_code
    assert signed_code.fingerprint(shown.text) == written.qr_code.qr_hash
    content = signed_code.decode(shown.text, QR_KEYS)
    assert (content.prescription_id, content.code_id) == (written.id, written.qr_code.id)
    [read] = zxingcpp.read_barcodes(Image.open(io.BytesIO(shown.png)))
    assert read.text == shown.text


async def test_a_code_is_shown_by_one_statement(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    with noted_statements() as ran:
        await clinic.qr_codes.show(clinic.doctor, written.id)
    assert len(ran) == 1


async def test_code_for_any_other_caller_is_not_found(clinic: Clinic) -> None:
    written = await clinic.prescribe(clinic.quiet)
    strangers = [clinic.colleague, clinic.paula_caller, Caller(uuid4(), Role.PATIENT, uuid4())]
    for stranger, prescription_id in [(s, written.id) for s in strangers] + [(clinic.doctor, uuid4())]:
        for method in (clinic.qr_codes.show, clinic.qr_codes.reissue, clinic.qr_codes.send_by_mail):
            with pytest.raises(NotFound) as refused:
                await method(stranger, prescription_id)
            assert refused.value.text == "There is no such prescription."
    assert (await clinic.prescriptions.get(clinic.doctor, written.id)).qr_code == written.qr_code


@pytest.mark.parametrize("by", ["doctor", "paula_caller"])
async def test_a_new_code_closes_the_old_one(clinic: Clinic, by: str) -> None:
    written = await clinic.prescribe()
    reissued = await clinic.qr_codes.reissue(getattr(clinic, by), written.id)
    assert reissued.qr_code.id != written.qr_code.id
    assert (await stored(clinic, written.qr_code.id)).replaced_at is not None
    assert await stored(clinic, reissued.qr_code.id) == reissued.qr_code
    assert (await clinic.qr_codes.show(clinic.doctor, written.id)).prescription.qr_code == reissued.qr_code


@pytest.mark.parametrize(("columns", "refusal"), FINAL)
async def test_final_prescription_gets_no_new_code_and_no_email(
    clinic: Clinic, columns: dict[str, Any], refusal: type[Exception]
) -> None:
    written = await clinic.prescribe(**columns)
    for method in (clinic.qr_codes.reissue, clinic.qr_codes.send_by_mail):
        with pytest.raises(refusal):
            await method(clinic.doctor, written.id)
    assert (await clinic.prescriptions.get(clinic.doctor, written.id)).qr_code == written.qr_code
    assert await queued(clinic, written.id) == 1


async def test_a_claimed_prescription_can_get_a_new_code(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    await clinic.claim(written.id)
    reissued = await clinic.qr_codes.reissue(clinic.doctor, written.id)
    assert (reissued.status, reissued.qr_code == written.qr_code) == (PrescriptionStatus.VALIDATED, False)


async def test_code_valid_for_another_day_is_emailed_unchanged(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    await clinic.execute(
        "UPDATE qr_codes SET expires_at = now() + interval '24 hours' WHERE id = :id", id=written.qr_code.id
    )
    sent = await clinic.qr_codes.send_by_mail(clinic.paula_caller, written.id)
    assert sent.qr_code.id == written.qr_code.id
    assert await queued(clinic, written.id) == 2


async def test_code_that_expires_sooner_is_replaced_before_emailing(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    await clinic.execute(
        "UPDATE qr_codes SET expires_at = now() + interval '23 hours 59 minutes 59 seconds' WHERE id = :id",
        id=written.qr_code.id,
    )
    sent = await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    assert sent.qr_code.id != written.qr_code.id
    assert sent.qr_code.expires_at > datetime.now(UTC) + timedelta(days=6)
    assert (await clinic.prescriptions.get(clinic.doctor, written.id)).qr_code == sent.qr_code
    assert await queued(clinic, written.id) == 2


async def test_email_code_to_patient_without_address_is_rejected(clinic: Clinic) -> None:
    written = await clinic.prescribe(clinic.quiet)
    await clinic.execute("UPDATE qr_codes SET expires_at = now() WHERE id = :id", id=written.qr_code.id)
    with pytest.raises(PatientHasNoEmail):
        await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    assert (await stored(clinic, written.qr_code.id)).replaced_at is None


async def test_a_patient_whose_account_is_deactivated_is_not_emailed(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    assert written.patient_email_status is PatientEmailStatus.REACHABLE
    await clinic.execute("UPDATE users SET status = 'deactivated' WHERE id = :id", id=clinic.paula_caller.user_id)
    with pytest.raises(RecipientDeactivated):
        await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    assert await queued(clinic, written.id) == 1
    later = await clinic.prescribe()
    assert await queued(clinic, later.id) == 0
    for status in (
        later.patient_email_status,
        (await clinic.prescriptions.get(clinic.doctor, written.id)).patient_email_status,
        (await clinic.patients.get(written.patient_id)).email_status,
    ):
        assert status is PatientEmailStatus.ACCOUNT_DEACTIVATED


@control("S48")
async def test_code_with_lost_key_is_replaced_when_shown_or_sent(clinic: Clinic) -> None:
    one, other = await clinic.prescribe(), await clinic.prescribe()
    new_ring = QrKeyRing.parse("k2:another-secret-for-tests-that-is-long")
    later = QrCodeService(clinic.work, QrIssuer(new_ring, WEEK), QrPictures(ThreadPoolExecutor(1)))
    shown = await later.show(clinic.paula_caller, one.id)
    sent = await later.send_by_mail(clinic.doctor, other.id)
    assert signed_code.decode(shown.text, new_ring).code_id == shown.prescription.qr_code.id
    assert {shown.prescription.qr_code.key_id, sent.qr_code.key_id} == {"k2"}
    assert await later.show(clinic.doctor, one.id) == shown
    recorded = await clinic.execute(
        "SELECT object_id, event FROM audit_records"
        " WHERE object_kind = 'prescription' AND event <> 'prescription_created' ORDER BY occurred_at"
    )
    assert recorded == [
        (one.id, "qr_code_read"),
        (one.id, "qr_code_reissued"),
        (other.id, "qr_code_reissued"),
        (other.id, "prescription_mailed"),
        (one.id, "qr_code_read"),
    ]


async def test_ten_new_codes_at_once_leave_one_open(database_url: str, clock: SettableClock) -> None:
    pool = create_pool(database_url, pool_size=10)
    try:
        clinic = await open_clinic(unit_of_work(pool), clock.clock)
        written = await clinic.prescribe()
        reissued = await asyncio.gather(*(clinic.qr_codes.reissue(clinic.doctor, written.id) for _ in range(10)))
        rows = await clinic.execute(
            "SELECT id FROM qr_codes WHERE prescription_id = :id AND replaced_at IS NULL", id=written.id
        )
        assert len({prescription.qr_code.id for prescription in reissued}) == 10
        assert len(rows) == 1
        assert rows[0]["id"] in {prescription.qr_code.id for prescription in reissued}
        assert await clinic.execute("SELECT count(*) FROM qr_codes WHERE prescription_id = :id", id=written.id) == [
            (11,)
        ]
    finally:
        await pool.close()


class CountingExecutor(ThreadPoolExecutor):
    """Counts the pictures that it is asked to draw."""

    asked = 0

    def submit(self, *arguments: Any, **options: Any) -> Any:
        self.asked += 1
        return super().submit(*arguments, **options)


async def test_picture_is_drawn_once_and_least_recent_is_evicted() -> None:
    executor = CountingExecutor(1)
    pictures = QrPictures(executor, kept=2)
    first = await pictures.png("a", "text a")
    await pictures.png("b", "text b")
    assert await pictures.png("a", "text a") == first
    assert executor.asked == 2
    await pictures.png("c", "text c")
    await pictures.png("a", "text a")
    assert executor.asked == 3
    await pictures.png("b", "text b")
    assert executor.asked == 4


async def test_patient_gets_20_requested_emails_a_day_and_every_notice(
    clinic: Clinic,
) -> None:
    written = await clinic.prescribe()  # The welcome email and this one are two of the twenty.
    for _ in range(18):
        await clinic.qr_codes.send_by_mail(clinic.paula_caller, written.id)
    with pytest.raises(EmailLimitExceeded) as refused:
        await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    assert 0 < (refused.value.retry_after or 0) <= 86_400
    assert await queued(clinic, written.id) == 19
    assert await queued(clinic, (await clinic.prescribe()).id) == 1
