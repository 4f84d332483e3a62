"""The words of each kind of mail, from templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from server.auth.entities import User
from server.clinical.entities import Patient, Prescription, PrescriptionStatus
from server.mailer.entities import Dispense
from server.mailer.message import RenderedEmail
from server.outbox.entities import EmailKind

ENDED: Final = frozenset(
    {
        PrescriptionStatus.DISPENSED,
        PrescriptionStatus.REJECTED,
        PrescriptionStatus.CANCELLED,
        PrescriptionStatus.EXPIRED,
    }
)
TEMPLATES: Final = Path(__file__).parent / "templates"
TAB_COLUMNS: Final = 4
_SPACES: Final = re.compile("^ +| {2,}")


@dataclass(frozen=True, slots=True)
class TemplateData:
    """What the templates may name."""

    recipient: User
    patient: Patient | None = None
    """The record of the patient the mail is about, or who is its recipient."""
    prescription: Prescription | None = None
    handed_out: Dispense | None = None
    """The dispense that the mail tells of."""
    code_works: bool = False
    """Pharmacies still take the prescription's QR code."""
    invited: bool = False
    """Somebody else made the account: it has no password yet."""
    picture_id: str = ""
    """The Content-ID of the QR picture; empty when there is none."""
    address: str = ""
    """Where the mail goes."""
    code: str = ""
    """The one-time code that the mail carries; empty when there is none."""
    code_expires_at: datetime | None = None
    changed_at: datetime | None = None
    """When that happened, or was asked for, which the mail tells of."""
    event_type: str = ""
    """The event that an admin named to try the machinery."""
    event_data: Mapping[str, str] = field(default_factory=dict)
    """What the admin gave with it."""

    @property
    def ended(self) -> str:
        """The word for how the prescription ended; empty while something can still be handed out."""
        status = None if self.prescription is None else self.prescription.status
        return status.value if status in ENDED else ""


class EmailRenderer:
    """Fills in the templates.

    full: whether diagnosis, medicines and reasons are named. zone: where moments are told. frontend_url: where links
    lead.
    """

    def __init__(self, *, full: bool, zone: ZoneInfo, frontend_url: str) -> None:
        self._zone = zone
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_flat,
        )
        self._templates.filters.update(moment=self._moment, indented=_indented, as_lines=_as_lines)
        self._templates.globals.update(full=full, frontend_url=frontend_url.rstrip("/"))

    def write(self, kind: EmailKind, contents: TemplateData) -> RenderedEmail:
        """The letter of that kind. Raises jinja2.UndefinedError when the contents lack what its templates name."""
        return RenderedEmail(
            subject=_subject(kind, contents),
            text=self._templates.get_template(f"{kind.value}.txt").render(it=contents),
            html=self._templates.get_template(f"{kind.value}.html").render(it=contents),
        )

    def _moment(self, moment: datetime) -> str:
        """In plain words, such as `26 December 2026, 10:30 UTC`."""
        local = moment.astimezone(self._zone)
        zone = f"{local:%Z}"
        named = zone if zone[0].isalpha() else f"UTC{zone}"  # many zones have no name of their own: Dubai is `+04`
        return f"{local:%-d %B %Y, %H:%M} {named}"


def _flat(value: object) -> object:
    """On one line, whatever was typed: it cannot pass for lines of the mail's own. What templates made stays."""
    return " ".join(value.split()) if isinstance(value, str) and not isinstance(value, Markup) else value


def _indented(block: str, columns: int) -> Markup:
    """Returns the lines of a text, those after the first indented: for the text part, where nothing is escaped.

    Indented they cannot pass for lines of the mail's own.
    """
    first, *others = (line.rstrip() for line in block.expandtabs(TAB_COLUMNS).splitlines() or [""])
    indented = (" " * columns + line if line else "" for line in others)
    return Markup("\n".join((first, *indented)))  # noqa: S704 - plain text, only spared from `_flat`


def _as_lines(block: str) -> Markup:
    """Returns the lines of a text as HTML. Some mail programs ignore `white-space`, so that indents are hard spaces."""
    lines = (_SPACES.sub(_hard_spaces, line.rstrip()) for line in block.expandtabs(TAB_COLUMNS).splitlines())
    return Markup("<br>").join(lines)


def _hard_spaces(spaces: re.Match[str]) -> str:
    return "\N{NO-BREAK SPACE}" * len(spaces[0])


def _subject(kind: EmailKind, contents: TemplateData) -> str:
    """Holds nothing that people typed."""
    number = "" if contents.prescription is None else f" {contents.prescription.number}"
    return SUBJECTS[kind] + number


SUBJECTS: Final = {
    EmailKind.WELCOME: "Welcome to MedConnect",
    EmailKind.PRESCRIPTION: "Your prescription",
    EmailKind.DISPENSED: "Medicines handed out for prescription",
    EmailKind.REJECTED: "A pharmacy rejected prescription",
    EmailKind.CANCELLED: "Your doctor cancelled prescription",
    EmailKind.PASSWORD_RESET: "Your code for a new MedConnect password",
    EmailKind.PASSWORD_CHANGED: "Your MedConnect password was changed",
    EmailKind.TEST: "A test of MedConnect's mails",
    EmailKind.HISTORY_CODE: "Your code for your medical history",
    EmailKind.EMAIL_CODE: "Your code to confirm this address for MedConnect",
    EmailKind.EMAIL_CHANGE: "A new address for your MedConnect account",
    EmailKind.ADDRESS_TAKEN: "Your address was entered at MedConnect",
}
