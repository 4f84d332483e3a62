"""S88: clients must send JSON by RFC 8259, in UTF-8, with each member once; a refusal names the position."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb

from tests.edge.bench import Bench, run_bench
from tests.edge.conftest import Stand
from tests.edge.test_refusals import assert_refused
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control

SCAN = "pharmacy/scan"
NAMED = '{"qrCode":"a"}'
BOM = "\ufeff"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with run_bench(tmp_path_factory.mktemp("bench")) as running:
        yield running


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("pharmacy/validate/1", '{"notes":"a","notes":"a"}', "notes"),
        ("pharmacy/validate/1", '{"notes":"a","note\\u0073":"b"}', "notes"),
        ("pharmacy/validate/1", '{"notes":null,"notes":"b"}', "notes"),
        ("pharmacy/dispense/1", '{"items":[{"quantity":1},{"quantity":1,"quantity":2}]}', "items[1].quantity"),
        ("pharmacy/dispense/1", '{"items":[{"unitPrice":"1","unit_price":"2"}]}', "items[0].unitPrice"),
        ("users", '{"role":"patient","role":"admin"}', "role"),
        ("users", '{"role":"admin","\\u0072ole":"patient"}', "role"),
        ("users", '{"fullName":"a","full_name":"b"}', "fullName"),
        ("users", '{"full_name":"b","fullName":"a"}', "fullName"),
        ("users", '{"unknown":[[{"x":{},"x":1}]]}', "unknown[0][0].x"),
        ("users", '{"":1,"":1}', None),
    ],
)
async def test_a_member_that_is_given_twice_is_refused(stand: Stand, path: str, body: str, field: str | None) -> None:
    response = await stand.post(f"/api/v1/{path}", body)
    assert_refused(response, 400, "VALIDATION_FAILED")
    assert response.json()["error"]["message"] == f"{field or 'A name'} must be given once."
    named = [{"field": field, "message": "must be given once"}] if field else []
    assert response.json()["error"]["details"] == named


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
@cells(
    ("body", "place", "message"),
    [
        ("{'qrCode':'a'}", "line 1, column 2", "a name in double quotes is expected here"),
        ("{\"qrCode\":'a'}", "line 1, column 11", "strings must be in double quotes"),
        ('{qrCode:"a"}', "line 1, column 2", "a name in double quotes is expected here"),
        ('{"qrCode":"a",}', "line 1, column 15", "a name in double quotes is expected here"),
        ('{"qrCode":["a",]}', "line 1, column 16", "a value is expected here"),
        ('{"qrCode":"a" "b"}', "line 1, column 15", "a comma or a closing brace is expected here"),
        ('{"qrCode":["a" "b"]}', "line 1, column 16", "a comma or a closing bracket is expected here"),
        ('{"qrCode" "a"}', "line 1, column 11", "a colon is expected here"),
        ('{"qrCode":"a"/* why */}', "line 1, column 14", "a comma or a closing brace is expected here"),
        ('{\n  // why\n  "qrCode":"a"}', "line 2, column 3", "a name in double quotes is expected here"),
        ('{"qrCode": /* why */ "a"}', "line 1, column 12", "JSON has no comments"),
        ('{"é":1,\n"漢😀":x}', "line 2, column 6", "a value is expected here"),
        *(
            (f'{{"qrCode":{word}}}', "line 1, column 11", "a value is expected here")
            for word in ("NaN", "Infinity", "True")
        ),
        *(
            (f'{{"qrCode":{word}}}', "line 1, column 11", "a value is expected here")
            for word in ("undefined", "+1", ".5", "-")
        ),
        *(
            (f'{{"qrCode":{word}}}', f"line 1, column {at}", "a comma or a closing brace is expected here")
            for word, at in (("01", 12), ("1.", 12), ("1.e5", 12), ("1e", 12), ("0x10", 12), ("nulls", 15), ("1 2", 13))
        ),
        (NAMED + "x", "line 1, column 15", "nothing may follow the object"),
        (NAMED + NAMED, "line 1, column 15", "nothing may follow the object"),
        (BOM + BOM + NAMED, "line 1, column 1", "the body must be an object"),
        (BOM, "line 1, column 1", "the text ends unexpectedly"),
        (BOM + "{\n}}", "line 2, column 2", "nothing may follow the object"),
        (NAMED + BOM, "line 1, column 15", "nothing may follow the object"),
        ("[1]", "line 1, column 1", "the body must be an object"),
        ('"x"', "line 1, column 1", "the body must be an object"),
        ('{"qrCode":', "line 1, column 11", "the text ends unexpectedly"),
        ('{"qrCode":"a', "line 1, column 13", "the text ends unexpectedly"),
        (" \n ", "line 2, column 2", "the text ends unexpectedly"),
        ('{"qrCode":"a\nb"}', "line 1, column 13", "control characters in strings must be escaped"),
        ('{"qrCode":"\x00"}', "line 1, column 12", "control characters in strings must be escaped"),
        ('{"qrCode":"\\x41"}', "line 1, column 12", "this escape sequence does not exist"),
        ('{"qrCode":"\\u12g4"}', "line 1, column 12", "this escape sequence does not exist"),
        ('{"qrCode":"\\ud800"}', "line 1, column 12", "half of a surrogate pair is not a character"),
        ('{"qrCode":"\\udc00\\ud800"}', "line 1, column 12", "half of a surrogate pair is not a character"),
        ('{"a":' * 101 + "1" + "}" * 101, "line 1, column 501", "values may be nested at most 100 levels deep"),
    ],
)
async def test_what_is_no_json_is_refused_with_its_place(stand: Stand, body: str, place: str, message: str) -> None:
    response = await stand.post(f"/api/v1/{SCAN}", body)
    assert_refused(response, 400, "MALFORMED_BODY")
    assert response.json()["error"]["message"] == f"The body is not valid JSON ({place}): {message}."


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_field_that_is_malformed_is_named(stand: Stand) -> None:
    response = await stand.post("/api/v1/pharmacy/dispense/1", '{"items":[{},\n{"unit_price":x}]}')
    message = "line 2, column 15: a value is expected here"
    assert response.json()["error"]["details"] == [{"field": "items[1].unitPrice", "message": message}]


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("text", [b"\xff", b"\xc3\x28", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
async def test_what_is_no_utf8_is_refused(stand: Stand, text: bytes) -> None:
    headers = {"content-type": "application/json"}
    body = b'{"qrCode":"' + text + b'"}'
    response = await stand.rest.post(f"/api/v1/{SCAN}", content=body, headers=headers)
    assert_refused(response, 400, "MALFORMED_BODY")
    assert "(line 1, column 12): this is not UTF-8." in response.json()["error"]["message"]


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("body", [b'{"role":"admin"}', b"{}", b" "])
async def test_a_call_without_a_body_is_given_none(stand: Stand, body: bytes) -> None:
    request = stand.rest.build_request(
        "GET", "/api/v1/users", content=body, headers={"content-type": "application/json"}
    )
    assert_refused(await stand.rest.send(request), 400, "MALFORMED_REQUEST")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("body", [f" \t\r\n{NAMED}\n", '{"qrCode":"\\ud83d\\ude00\\/\x7f é漢😀"}'])
async def test_json_is_taken_however_it_is_written(stand: Stand, body: str) -> None:
    assert (await stand.post(f"/api/v1/{SCAN}", body)).is_success
    assert stand.toy.seen.request.qr_code == json.loads(body)["qrCode"]  # type: ignore[union-attr] # of ScanQrCode


@control("S88")
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("chunked", [False, True], ids=["with length", "in chunks"])
async def test_a_byte_order_mark_before_the_object_is_ignored(stand: Stand, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for byte in (BOM + NAMED).encode():
            yield bytes([byte])

    content = chunks() if chunked else (BOM + NAMED).encode()
    headers = {"content-type": "application/json"}
    assert (await stand.rest.post(f"/api/v1/{SCAN}", content=content, headers=headers)).is_success
    assert stand.toy.seen.request == pb.ScanQrCodeRequest(qr_code="a")


@pytest.mark.asyncio(loop_scope="session")
@cells(
    ("path", "body", "field"),
    [
        ("doctors/patients", '{"fullName":"a","allergy":["penicillin"]}', "allergy"),
        ("doctors/prescriptions", '{"items":[{"quantity":2},{"quantity":2,"unit":"ml"}]}', "items[1].unit"),
        ("doctors/prescriptions", '{"items":[{"un\\u0069t":[{"unit":{}}]}]}', "items[0].unit"),
        ("doctors/medical-visits", '{"vital_signs":{"heartRate":70,"pulse":70}}', "vitalSigns.pulse"),
        ("pharmacy/dispense/1", '{"items":[{"itemId":"i","medicineName":"b"}]}', "items[0].medicineName"),
        ("pharmacy/scan", '{"qrCode":"a","x":-0.5e+3}', "x"),
    ],
)
async def test_unknown_field_of_a_clinical_write_is_refused(stand: Stand, path: str, body: str, field: str) -> None:
    stand.toy.seen.request = None
    response = await stand.post(f"/api/v1/{path}", body)
    assert_refused(response, 400, "VALIDATION_FAILED")
    assert response.json()["error"]["message"] == f"{field} is not a field of this call."
    assert response.json()["error"]["details"] == [{"field": field, "message": "is not a field of this call"}]


def test_a_field_has_one_name_for_its_two(bench: Bench) -> None:
    told = bench.ask("judge", ['{"shoe_size":1,"footLength":2}', '{"shoe_size":1,"shoeSize":2}'])
    assert told == ["footLength|must be given once|line 1, column 16", "fine"]


def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)


def refuse_constant(word: str) -> None:
    raise ValueError(word)


def is_fine(text: str) -> bool:
    """Returns whether Python's reader, made strict, accepts a body."""
    try:
        read = json.loads(text, object_pairs_hook=refuse_repeated, parse_constant=refuse_constant)
        json.dumps(read, ensure_ascii=False).encode()
    except ValueError:
        return False
    return isinstance(read, dict)


@control("S88")
def test_random_damage_is_judged_as_another_reader_does(bench: Bench) -> None:
    chance = random.Random(88)
    whole = json.dumps({"a": [1, -2.5e7, True, None, {"b": 'é😀\\"\n'}], "c": {"d": {}, "e": []}, "f": "x"}, indent=1)
    texts = [whole]
    while len(texts) < 4000:
        text = whole
        for _ in range(chance.choice((1, 1, 2, 4))):
            at, end = (
                sorted(chance.choices(range(len(text)), k=2))
                if chance.random() < 0.1
                else [chance.randrange(len(text))] * 2
            )
            text = (
                text[:at]
                + chance.choice(['"', "\\", "{", "}", "[", "]", ",", ":", "0", "e", "-", ".", "\\u12", "", " ", "a"])
                + text[end + chance.randrange(2) :]
            )
            if not text:
                break
        texts += [text] if text else []
    told = bench.ask("judge", texts)
    differing = [text for text, judged in zip(texts, told, strict=True) if (judged == "fine") != is_fine(text)]
    assert not differing
    assert 100 < told.count("fine") < 3900
