"""QR codes in use: rotated keys, expired codes, and one answer for every kind of damage."""

from uuid import UUID

import pytest
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb

from server.date_range import Period
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import DeclaredError, QrCodeExpired, QrCodeInvalid, QrCodeReplaced
from server.pharmacy.entities import HistoryFilter
from server.pharmacy.services.pharmacy import PharmacyService
from server.qr import signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.signed_code import QrContent
from tests.fixtures.actors import Actors
from tests.fixtures.pharmacy import QR_KEYS, QR_SECRET, PharmacyPeople, Written, a_service
from tests.fixtures.pharmacy_steps import ENDS, FIRST_PAGE, alter, current, run
from tests.fixtures.proofs import control
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS

EVERYTHING = HistoryFilter(Period(), None)
NEW_SECRET = "another-secret-for-tests-that-is-long"


def sealed(prescription_id: UUID, code_id: UUID, keys: QrKeyRing = QR_KEYS) -> str:
    content = QrContent(prescription_id, code_id)
    return signed_code.encode(content, signed_code.new_nonce(), keys.key_ids[0], keys)


@control("S44")
async def test_old_codes_scan_until_their_key_is_removed(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written
) -> None:
    old_kid = QR_KEYS.key_ids[0]
    rotated = QrKeyRing.parse(f"k2:{NEW_SECRET},{old_kid}:{QR_SECRET}")
    found = await a_service(work, keys=rotated).scan(pharmacy_people.pharmacist, written.qr_text)
    assert found.prescription.qr_code.scan_count == 1
    assert signed_code.decode(sealed(written.id, written.code_id, rotated), QrKeyRing.parse(f"k2:{NEW_SECRET}"))

    retired = a_service(work, keys=QrKeyRing.parse(f"k2:{NEW_SECRET}"))
    refusals = set()
    for text in (written.qr_text, written.qr_text[:-1], "MC1.k2." + "A" * 91):
        with pytest.raises(QrCodeInvalid) as refusal:
            await retired.scan(pharmacy_people.pharmacist, text)
        refusals.add((refusal.value.text, refusal.value.violations, str(refusal.value.metadata)))
    assert len(refusals) == 1


@control("S42")
@pytest.mark.parametrize("face", FACES)
def test_every_damage_is_answered_alike(actors: Actors, face: str) -> None:
    text = actors.qr_text(actors.prescribe(actors.new_patient().patient_id).id)
    body = text.removeprefix("RX")
    damaged = [
        *(text[:place] + ("B" if text[place] == "X" else "X") + text[place + 1 :] for place in range(0, len(text), 9)),
        *(text[:-cut] for cut in (1, 2, 40, len(text) - 1)),
        *(text + more for more in ("B", "A", "7", "\u00e9\u00e9\u00e9")),
        f"MC1.k1.{body[:91]}",
        f"MC2{body}",
        f"RX{body[16:]}{body[:16]}",
        sealed(new_id(), new_id(), QrKeyRing.parse("0" * 32)),
        "x",
    ]
    requests = [pb.ScanQrCodeRequest(qr_code=each) for each in damaged]
    answers = [FACES[face](actors, RPCS["ScanQrCode"], request, actors.pharmacist) for request in requests]
    assert {answer.reason for answer in answers} == {"QR_CODE_INVALID"}
    assert len({(answer.status, str(answer.body)) for answer in answers}) == 1


@control("S46")
async def test_a_replaced_code_is_refused_and_the_new_one_works(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    new_code = new_id()
    await run(work, "UPDATE qr_codes SET replaced_at = now() WHERE id = :id", id=written.code_id)
    await run(
        work,
        "INSERT INTO qr_codes (id, prescription_id, key_id, nonce, qr_hash, issued_at, expires_at)"
        " VALUES (:id, :prescription, 'k', '', 'other', now(), now() + interval '7 days')",
        id=new_code,
        prescription=written.id,
    )
    with pytest.raises(QrCodeReplaced):
        await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    found = await pharmacy.scan(pharmacy_people.pharmacist, sealed(written.id, new_code))
    assert found.prescription.qr_code.scan_count == 1


@control("S45")
async def test_stored_expiry_overrides_expiry_in_code_text(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    found = await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    assert found.prescription.qr_code.scan_count == 1
    await run(work, "UPDATE qr_codes SET expires_at = now() + interval '1 s' WHERE id = :id", id=written.code_id)
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    await run(work, "UPDATE qr_codes SET expires_at = now() WHERE id = :id", id=written.code_id)
    with pytest.raises(QrCodeExpired) as refusal:
        await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    assert set(refusal.value.metadata) == {"expired_at"}
    assert (await current(work, written)).qr_code.scan_count == 2


@control("S46")
@pytest.mark.parametrize(("changes", "error"), ENDS)
async def test_final_prescription_scan_names_end_uncounted(
    work: UnitOfWork,
    pharmacy_people: PharmacyPeople,
    pharmacy: PharmacyService,
    written: Written,
    changes: str,
    error: type[DeclaredError],
) -> None:
    await alter(work, written, changes)
    with pytest.raises(error) as scanned:
        await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    with pytest.raises(error):
        await pharmacy.look_up(pharmacy_people.pharmacist, written.number)
    assert set(scanned.value.metadata) == {"state", "changed_at"}
    assert (await current(work, written)).qr_code.scan_count == 0
    assert (await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, FIRST_PAGE)).items == ()
