"""Builds the MIME message: headers, text, HTML and the inline picture.

The parts are joined here, line by line, because `EmailMessage` takes 4 ms per email to parse and fold what this module
has just written. Whatever could make a header ambiguous (an unusual address) still goes through `EmailMessage`.
"""

import binascii
import re
import secrets
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from server.mailer.entities import ClaimedEmail

POLICY: Final = SMTP.clone(cte_type="7bit")
"""RFC 5321 line ends; bodies are encoded so that every relay passes them on unchanged."""
_LONGEST_LINE: Final = 78
"""RFC 5322 section 2.1.1, without the line end."""
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
"""The dot-atom form of RFC 5322 section 3.4.1, in ASCII: it needs no quoting or encoding in a header."""
_INTERNATIONAL: Final = POLICY.clone(utf8=True)
"""RFC 6532: an address with letters of other scripts stands in a header as it is."""
_ENCODED_WORD: Final = "=?"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """The subject of an email, and its body as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """A complete email, with the addresses of its SMTP envelope."""

    sender: str
    recipient: str
    content: bytes
    """The message as sent, with CRLF line ends."""

    @property
    def needs_utf8(self) -> bool:
        """True if only a server with SMTPUTF8 (RFC 6531) can take it: the recipient's address is not in ASCII."""
        return not self.recipient.isascii()


def sender_domain(sender: str) -> str:
    """Returns the domain of `Name <local@domain>`. Raises ValueError if that is not exactly one address."""
    return _sender(sender).domain


def picture_id(mail: ClaimedEmail, domain: str) -> str:
    """Returns the Content-ID of an email's picture, without its angle brackets."""
    return f"qr.{mail.id}@{domain}"


def build_message(mail: ClaimedEmail, sender: str, rendered: RenderedEmail, picture: bytes | None) -> OutgoingEmail:
    """Returns the message for its one recipient; the same email always has the same Message-ID and Date.

    picture: a PNG that the HTML shows as `cid:` + picture_id. Raises ValueError, or an email.errors defect, when the
    address is invalid or a header would contain a line break.
    """
    written = _sender(sender)
    # A random boundary, as no one can put it into the text beforehand.
    outer, inner = (f"=_{kind}_{secrets.token_hex(12)}" for kind in ("a", "r"))
    html = _body(rendered.html, "html")
    recipient = _recipient(mail.recipient)
    if picture is not None:
        related = _picture(picture, picture_id(mail, written.domain))
        html = _multipart("related", inner, html, related)
    headers = (
        written.header,
        recipient.header,
        _unstructured("Subject", rendered.subject),
        f"Date: {format_datetime(mail.created_at)}\r\n",
        f"Message-ID: <{mail.id}@{written.domain}>\r\n",
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
        _multipart("alternative", outer, _body(rendered.text, "plain"), html),
    )
    return OutgoingEmail(written.address, recipient.address, "".join(headers).encode())


@dataclass(frozen=True, slots=True)
class _Party:
    """The sender or the recipient: the line of its header, and its address."""

    header: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


@lru_cache(maxsize=8)
def _sender(sender: str) -> _Party:
    try:
        found = _party("From", sender)
    except Exception:  # the parser of headers raises various errors for malformed addresses
        found = _Party("", "")
    if not found.domain:
        raise ValueError("must be one address, such as MedConnect <no-reply@hospital.example>")
    return found


def _recipient(address: str) -> _Party:
    line = f"To: {address}\r\n"
    if len(line) <= _LONGEST_LINE and _PLAIN_ADDRESS.fullmatch(address) and _ENCODED_WORD not in address:
        return _Party(line, address)
    return _party("To", Address(addr_spec=address), POLICY if address.isascii() else _INTERNATIONAL)


def _party(name: str, value: object, policy: "EmailPolicy[EmailMessage]" = POLICY) -> _Party:
    """Returns a header that must hold exactly one address."""
    message = EmailMessage(policy=policy)
    message[name] = value
    (address,) = message[name].addresses
    return _Party(policy.fold(name, message[name]), address.addr_spec)


def _unstructured(name: str, value: str) -> str:
    line = f"{name}: {value}\r\n"
    plain = len(line) <= _LONGEST_LINE and value.isascii() and value.isprintable() and _ENCODED_WORD not in value
    return line if plain else _folded(name, value)


def _folded(name: str, value: str) -> str:
    """Returns a header as the standard library writes it: checked, encoded and folded."""
    message = EmailMessage(policy=POLICY)
    message[name] = value
    line: str = POLICY.fold(name, message[name])
    return line


def _multipart(subtype: str, boundary: str, *parts: str) -> str:
    joined = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n{joined}--{boundary}--\r\n'


def _body(text: str, subtype: str) -> str:
    """Returns a text part: unchanged if every relay can pass it on, else as quoted-printable."""
    lines = _LINE_END.split(text)
    if lines[-1] == "":
        lines.pop()
    encoding, body = "7bit", "".join(f"{line}\r\n" for line in lines)
    if not body.isascii() or max(map(len, lines), default=0) > _LONGEST_LINE:
        encoding, body = "quoted-printable", binascii.b2a_qp(body.encode()).decode("ascii")
    return f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}'


def _picture(png: bytes, cid: str) -> str:
    encoded = binascii.b2a_base64(png, newline=False).decode("ascii")
    width = 76  # RFC 2045 section 6.8
    lines = "".join(f"{encoded[start : start + width]}\r\n" for start in range(0, len(encoded), width))
    return (
        "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-ID: <{cid}>\r\nContent-Disposition: inline; filename="qr-code.png"\r\n\r\n{lines}'
    )
