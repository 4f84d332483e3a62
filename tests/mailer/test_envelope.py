"""Tests the envelope of emails: headers, escaping and the QR picture."""

import io
from dataclasses import replace
from email.errors import HeaderParseError
from email.message import EmailMessage

import pytest
import zxingcpp
from PIL import Image

from server.mailer.message import OutgoingEmail, build_message, picture_id, sender_domain
from server.mailer.qr_codes import qr_text
from server.outbox.entities import EmailKind
from server.qr import picture
from server.qr.signed_code import decode
from tests.fixtures.cells import cells
from tests.fixtures.emails import parsed
from tests.fixtures.proofs import control
from tests.fixtures.rendered_emails import (
    CODES,
    FULL,
    HOSTILE,
    KEYS,
    MAIL,
    PRESCRIPTION,
    SENDER,
    contents_of,
    prescription_contents,
    spoken_by,
)


def sent(mail: OutgoingEmail) -> EmailMessage:
    """Returns the email as its reader's program parses it."""
    return parsed(mail.content)


def part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body(preferencelist=(subtype,))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


@control("S58")
@cells("words", HOSTILE)
@cells("kind", EmailKind)
def test_hostile_words_reach_one_recipient_escaped(words: str, kind: EmailKind) -> None:
    raw = build_message(MAIL, SENDER, FULL.write(kind, spoken_by(kind, words)), None)
    assert b"\r\n.\r\n" not in raw.content
    mail = sent(raw)
    assert [mail["To"], mail["From"]] == ["maria@example.org", SENDER]
    assert mail.get_all("To") == ["maria@example.org"]
    assert mail["Bcc"] is None
    assert mail["Cc"] is None
    assert words.split()[0] not in mail["Subject"]
    assert f"Hello {' '.join(words.split())}," in part(mail, "plain")
    html = part(mail, "html")
    assert "<img src=x" not in html
    escaped = " ".join(words.split()).replace("<", "&lt;").replace(">", "&gt;")
    assert escaped in html


@control("S57")
@pytest.mark.parametrize(
    "address",
    [
        *("a@b.example,d@e.example", "a@b.example>\r\nRCPT TO:<x@y.example", '"a\r\n"@b.example', "nobody", ""),
        *("=?utf-8?q?a=0d=0aBcc:x=40evil?=@b.example", "=?utf-8?q?x=40evil.example=3e?=@b.example", "a..b@c.example"),
    ],
)
def test_text_other_than_one_address_is_no_recipient(address: str) -> None:
    rendered = FULL.write(EmailKind.WELCOME, contents_of(EmailKind.WELCOME))
    with pytest.raises((ValueError, LookupError, HeaderParseError)):
        build_message(replace(MAIL, recipient=address), SENDER, rendered, None)


def test_email_has_stable_message_id_and_auto_generated_header() -> None:
    rendered = FULL.write(EmailKind.WELCOME, contents_of(EmailKind.WELCOME))
    first, second = (sent(build_message(replace(MAIL, fence=fence), SENDER, rendered, None)) for fence in (1, 2))
    assert first["Message-ID"] == second["Message-ID"] == f"<{MAIL.id}@hospital.example>"
    assert first["Date"] == second["Date"] == "Thu, 26 Nov 2026 10:30:00 +0000"
    assert first["Auto-Submitted"] == "auto-generated"


def test_picture_in_the_email_decodes_to_the_codes_text() -> None:
    text = qr_text(PRESCRIPTION, CODES)
    assert text is not None
    cid = picture_id(MAIL, sender_domain(SENDER))
    rendered = FULL.write(EmailKind.PRESCRIPTION, prescription_contents(picture_id=cid))
    mail = sent(build_message(MAIL, SENDER, rendered, picture.png(text)))
    (png,) = [found for found in mail.walk() if found.get_content_type() == "image/png"]
    assert png["Content-ID"] == f"<{cid}>"
    assert png.get_content_disposition() == "inline"
    assert f'src="cid:{cid}"' in part(mail, "html")
    (seen,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png.get_content())).convert("L"))
    assert seen.text == text
    assert decode(seen.text, KEYS).prescription_id == PRESCRIPTION.id
    related = [found for found in mail.walk() if found.get_content_type() == "multipart/related"]
    assert [child.get_content_type() for child in related[0].iter_parts()] == ["text/html", "image/png"]
