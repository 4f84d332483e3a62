"""Renders the subject, text and HTML of each kind of email from templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from server.auth.entities import SignInOrigin, User
from server.clinical.entities import Patient, Prescription, PrescriptionItem, PrescriptionStatus
from server.clinical.quantities import in_words
from server.mailer.entities import Dispense, DispensedMedicine, EmailDetail, Workplace
from server.mailer.message import RenderedEmail
from server.outbox.entities import EmailKind

ENDED: Final = frozenset(
    {
        PrescriptionStatus.DISPENSED,
        PrescriptionStatus.REJECTED,
        PrescriptionStatus.CANCELLED,
        PrescriptionStatus.EXPIRED,
        PrescriptionStatus.CLOSED,
    }
)
TEMPLATES: Final = Path(__file__).parent / "templates"
TAB_COLUMNS: Final = 4
_SPACES: Final = re.compile("^ +| {2,}")


@dataclass(frozen=True, slots=True)
class TemplateData:
    """The values that templates can use."""

    recipient: User
    patient: Patient | None = None
    """The record of the patient whose prescription the email concerns, or who is its recipient."""
    prescription: Prescription | None = None
    dispense: Dispense | None = None
    """The dispense that the email reports."""
    hospital: Workplace | None = None
    """The hospital of the doctor who wrote the prescription."""
    pharmacy: Workplace | None = None
    """The pharmacy that rejected the prescription or closed its rest."""
    code_works: bool = False
    """True if pharmacies still accept the prescription's QR code."""
    invited: bool = False
    """True if an admin or a doctor created the account: it has no password yet."""
    picture_id: str = ""
    """The Content-ID of the QR picture; empty when there is none."""
    address: str = ""
    """The address to which the email is sent."""
    code: str = ""
    """The one-time code in the email; empty when there is none."""
    code_expires_at: datetime | None = None
    changed_at: datetime | None = None
    """The time of the change or request that the email reports."""
    factor_change: str = ""
    """The change of the account's second factors that the email reports: added, removed or reset."""
    origin: SignInOrigin | None = None
    """The origin of the sign-in that the email reports."""
    reader_id: str = ""
    """The id of the account that was shown the data of many patients."""
    patients: str = ""
    """The number of these patients."""
    staff_role: str = ""
    """The role of the new account that the email reports to an admin."""
    staff_waits: bool = False
    """True if that account waits for its verification."""
    event_type: str = ""
    """The event type that an admin named in a test event."""
    event_data: Mapping[str, str] = field(default_factory=dict)
    """The data that the admin entered with it."""
    knows_recipient: bool = True
    """True if the owner of the address has confirmed it; only then may the email name them."""
    detail: EmailDetail = EmailDetail.FULL
    """How much an email about a prescription tells."""

    @property
    def ended(self) -> str:
        """The prescription's final state; empty while a part can still be dispensed."""
        status = None if self.prescription is None else self.prescription.status
        return status.value if status in ENDED else ""


class EmailRenderer:
    """Renders emails from the templates.

    zone: the time zone of all times. frontend_url: the base of links.
    """

    def __init__(self, *, zone: ZoneInfo, frontend_url: str) -> None:
        self._zone = zone
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_flat,
            auto_reload=False,  # else each email looks at the time stamps of eight files
        )
        self._templates.filters.update(
            moment=self._moment, indented=_indented, as_lines=_as_lines, amount=_amount, day=_day
        )
        self._templates.globals.update(frontend_url=frontend_url.rstrip("/"))

    def write(self, kind: EmailKind, contents: TemplateData) -> RenderedEmail:
        """Returns the rendered email. Raises jinja2.UndefinedError when its templates use a value that is missing."""
        name = kind.value
        if contents.prescription is not None and contents.detail is EmailDetail.CODE:
            name = "prescription_code" if kind is EmailKind.PRESCRIPTION else "prescription_news"
        values = {"it": contents, "full": contents.detail is EmailDetail.FULL}
        return RenderedEmail(
            subject=_subject(kind, contents),
            text=self._templates.get_template(f"{name}.txt").render(values),
            html=self._templates.get_template(f"{name}.html").render(values),
        )

    def _moment(self, moment: datetime) -> str:
        """Returns a time in words, such as `26 December 2026, 10:30 UTC`."""
        local = moment.astimezone(self._zone)
        zone = f"{local:%Z}"
        named = zone if zone[0].isalpha() else f"UTC{zone}"  # many zones have no name of their own: Dubai is `+04`
        return f"{local:%-d %B %Y, %H:%M} {named}"


def _day(day: date) -> str:
    """Returns a day in words, such as `26 December 2026`."""
    return f"{day:%-d %B %Y}"


def _amount(line: PrescriptionItem | DispensedMedicine) -> str:
    """Returns the quantity of an item or a dispensed medicine in words."""
    return in_words(line.quantity, line.quantity_unit)


def _flat(value: object) -> object:
    """Returns a text on one line, so that user input cannot imitate lines of the email; leaves markup unchanged."""
    return " ".join(value.split()) if isinstance(value, str) and not isinstance(value, Markup) else value


def _indented(block: str, columns: int) -> Markup:
    """Returns the lines of a text, those after the first indented: for the text part, where nothing is escaped.

    The indent keeps user input from imitating lines of the email.
    """
    first, *others = (line.rstrip() for line in block.expandtabs(TAB_COLUMNS).splitlines() or [""])
    indented = (" " * columns + line if line else "" for line in others)
    return Markup("\n".join((first, *indented)))  # noqa: S704 - plain text; Markup exempts it from `_flat`


def _as_lines(block: str) -> Markup:
    """Returns the lines of a text as HTML, indented by no-break spaces: some mail programs ignore `white-space`."""
    lines = (_SPACES.sub(_hard_spaces, line.rstrip()) for line in block.expandtabs(TAB_COLUMNS).splitlines())
    return Markup("<br>").join(lines)


def _hard_spaces(spaces: re.Match[str]) -> str:
    return "\N{NO-BREAK SPACE}" * len(spaces[0])


def _subject(kind: EmailKind, contents: TemplateData) -> str:
    """Returns the subject; it contains no user input, and no health data for an address that is not confirmed."""
    if contents.prescription is None:
        return SUBJECTS[kind]
    silent = contents.detail is EmailDetail.CODE and kind is not EmailKind.PRESCRIPTION
    return f"{NEWS if silent else SUBJECTS[kind]} {contents.prescription.number}"


NEWS: Final = "News about prescription"


SUBJECTS: Final = {
    EmailKind.WELCOME: "Welcome to MedConnect",
    EmailKind.PRESCRIPTION: "Your prescription",
    EmailKind.DISPENSED: "Medicines dispensed for prescription",
    EmailKind.REJECTED: "A pharmacy rejected prescription",
    EmailKind.CLOSED: "A pharmacy closed the rest of prescription",
    EmailKind.CANCELLED: "Your doctor cancelled prescription",
    EmailKind.SUSPENDED: "Pharmacies cannot dispense prescription",
    EmailKind.PASSWORD_RESET: "Your code for a new MedConnect password",
    EmailKind.PASSWORD_CHANGED: "Your MedConnect password was changed",
    EmailKind.SECOND_FACTOR: "The second factor of your MedConnect account was changed",
    EmailKind.NEW_SIGN_IN: "A new sign-in to your MedConnect account",
    EmailKind.PATIENT_READS: "An account has read the records of many patients",
    EmailKind.STAFF_ACCOUNT: "A new staff account at MedConnect",
    EmailKind.TEST: "MedConnect test email",
    EmailKind.HISTORY_CODE: "Your code for your medical history",
    EmailKind.EMAIL_CODE: "Your code to confirm this address for MedConnect",
    EmailKind.EMAIL_CHANGE: "A new address for your MedConnect account",
    EmailKind.ADDRESS_TAKEN: "Your address was entered at MedConnect",
    EmailKind.EMAIL_REPLACED: "The address of your MedConnect account was changed",
    EmailKind.EMAIL_DETACHMENT: "Your address is to be removed from MedConnect",
}
