"""Builds the MIME message: headers, text, HTML and the inline picture."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from server.mailer.entities import ClaimedEmail

POLICY: Final = SMTP.clone(cte_type="7bit")
"""RFC 5321 line ends; bodies are encoded so that every relay passes them on unchanged."""


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """The subject of an email, and its body as text and as HTML."""

    subject: str
    text: str
    html: str


def sender_domain(sender: str) -> str:
    """Returns the domain of `Name <local@domain>`. Raises ValueError if that is not exactly one address."""
    message = EmailMessage(policy=POLICY)
    try:
        message["From"] = sender
        domains: list[str] = [address.domain for address in message["From"].addresses]
    except Exception:  # the parser of headers raises various errors for malformed addresses
        domains = []
    if len(domains) != 1 or not domains[0]:
        raise ValueError("must be one address, such as MedConnect <no-reply@hospital.example>")
    return domains[0]


def picture_id(mail: ClaimedEmail, domain: str) -> str:
    """Returns the Content-ID of an email's picture, without its angle brackets."""
    return f"qr.{mail.id}@{domain}"


def build_message(mail: ClaimedEmail, sender: str, letter: RenderedEmail, picture: bytes | None) -> EmailMessage:
    """Returns the message for its one recipient; the same email always has the same Message-ID and Date.

    picture: a PNG that the HTML shows as `cid:` + picture_id. Raises ValueError, or an email.errors defect, when the
    address is invalid or a header would contain a line break.
    """
    domain = sender_domain(sender)
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = Address(addr_spec=mail.recipient)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    if picture is not None:
        _, html = message.iter_parts()
        assert isinstance(html, EmailMessage)  # noqa: S101 - add_alternative has just added it
        html.add_related(
            picture,
            maintype="image",
            subtype="png",
            cid=f"<{picture_id(mail, domain)}>",
            filename="qr-code.png",
            disposition="inline",
        )
    return message
