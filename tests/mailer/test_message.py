"""Compares each kind of email, as a mail program parses it, with the one that the standard library builds."""

from collections.abc import Iterator
from dataclasses import replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import pytest

from server.mailer.entities import EmailDetail
from server.mailer.message import POLICY, RenderedEmail, build_message, picture_id, sender_domain
from server.outbox.entities import EmailKind
from server.qr import picture
from tests.fixtures.emails import parsed
from tests.fixtures.rendered_emails import FULL, HOSTILE, MAIL, SENDER, contents_of, spoken_by

PNG = picture.png("MC1.one." + "a" * 91)
SENDERS = (SENDER, "Hôpital Saint-Éloi, Service des Ordonnances <no-reply@hospital.example>", "a@b.example")
ADDRESSES = (
    *("maria@example.org", "m.o'neill+rx@mail.example.co.uk", "x" * 64 + "@" + "long-label." * 12 + "example"),
    *('"maria silva"@example.org', "=?utf-8?q?x?=@example.org"),
)


def from_the_library(sender: str, to: str, rendered: RenderedEmail, png: bytes | None) -> bytes:
    """Returns the same email, built by the standard library."""
    domain = sender_domain(sender)
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = Address(addr_spec=to)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(MAIL.created_at)
    message["Message-ID"] = f"<{MAIL.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    if png is not None:
        _, html = message.iter_parts()
        assert isinstance(html, EmailMessage)
        cid = f"<{picture_id(MAIL, domain)}>"
        html.add_related(png, "image", "png", cid=cid, filename="qr-code.png", disposition="inline")
    return message.as_bytes()


def seen(content: bytes) -> Iterator[tuple[object, ...]]:
    """Yields what a mail program shows and uses: headers, and each part with its type, names and content."""
    mail = parsed(content)
    yield tuple((name, str(value)) for name, value in mail.items() if name not in ("Content-Type", "MIME-Version"))
    for part in mail.walk():
        yield (
            part.get_content_type(),
            part.get_content_charset(),
            part["Content-ID"],
            part.get_content_disposition(),
            part.get_filename(),
            None if part.is_multipart() else part.get_payload(decode=True),
        )
        assert not part.defects


def both(sender: str, to: str, rendered: RenderedEmail, png: bytes | None) -> tuple[list[object], list[object]]:
    built = build_message(replace(MAIL, recipient=to), sender, rendered, png).content
    assert max(map(len, built.splitlines())) <= 78
    assert built.isascii()
    assert built.count(b"\n") == built.count(b"\r") == built.count(b"\r\n")
    return list(seen(built)), list(seen(from_the_library(sender, to, rendered, png)))


@pytest.mark.parametrize("detail", EmailDetail)
@pytest.mark.parametrize("kind", EmailKind)
def test_every_kind_is_parsed_as_the_librarys_message(kind: EmailKind, detail: EmailDetail) -> None:
    png = PNG if kind is EmailKind.PRESCRIPTION else None
    letter = FULL.write(kind, replace(contents_of(kind), detail=detail))
    ours, theirs = both(SENDER, MAIL.recipient, letter, png)
    assert ours == theirs
    assert len(ours) == (6 if png else 4)


@pytest.mark.parametrize("words", [*HOSTILE, "Łucja Żółć", "Ирина " * 30, "漢字" * 40, " trailing  ", "=?utf-8?q?x?="])
def test_any_text_is_parsed_as_in_the_librarys_message(words: str) -> None:
    ours, theirs = both(
        SENDER, MAIL.recipient, FULL.write(EmailKind.PRESCRIPTION, spoken_by(EmailKind.PRESCRIPTION, words)), PNG
    )
    assert ours == theirs


@pytest.mark.parametrize("text", ["a", "\n", "a\n\nb\n", "a\r\nb\rc\n", ".\n..\n", "a " * 60, "tab\t\n", "é\n.\n"])
def test_line_ends_dots_and_long_lines_arrive_unchanged(text: str) -> None:
    ours, theirs = both(SENDER, MAIL.recipient, RenderedEmail("Test", text, "<p>\n.\n</p>"), None)
    assert ours == theirs


@pytest.mark.parametrize("to", ADDRESSES)
@pytest.mark.parametrize("sender", SENDERS)
def test_addresses_are_written_as_by_the_library(sender: str, to: str) -> None:
    rendered = RenderedEmail("Überschriften mit Umlauten, die nicht in eine Zeile passen, für jedes Rezept", "a\n", "b")
    try:
        expected = list(seen(from_the_library(sender, to, rendered, None)))
    except Exception as refusal:
        with pytest.raises(type(refusal)):
            build_message(replace(MAIL, recipient=to), sender, rendered, None)
    else:
        assert list(seen(build_message(replace(MAIL, recipient=to), sender, rendered, None).content)) == expected
