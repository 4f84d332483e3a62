"""Builds the terminal's output, at 80 columns: plain functions from values to renderables."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from medconnect_client import DispenseLine
from medconnect_client.errors import FailedPrecondition, InvalidArgument, MedConnectError
from medconnect_client.models import (
    DispensedLine,
    Dispensing,
    DispensingHistoryEntry,
    FoundPrescription,
    FoundPrescriptions,
    LogEntry,
    OpenSession,
    PharmacyPrescription,
    PrescriptionItem,
    PrescriptionStatus,
    Receipt,
)
from medconnect_client.models._quantities import in_words, price_of

COLOURS: Final = {
    PrescriptionStatus.PENDING: "cyan",
    PrescriptionStatus.SCANNED: "cyan",
    PrescriptionStatus.VALIDATED: "yellow",
    PrescriptionStatus.PARTIALLY_DISPENSED: "magenta",
    PrescriptionStatus.DISPENSED: "green",
}
"""All other states are red: nothing will be dispensed."""


PRESCRIBER_INACTIVE: Final = "The prescriber is no longer active. The prescription stays valid."


def prescription_panel(prescription: PharmacyPrescription) -> RenderableType:
    """Returns a panel with all that a pharmacist needs before dispensing."""
    lines: list[RenderableType] = [
        Text.assemble((prescription.patient_name, "bold"), _born(prescription), _insurance_text(prescription)),
        Text.assemble("Allergies: ", _allergies(prescription)),
        Text(f"{prescription.diagnosis} · {prescription.doctor_name}, licence {prescription.doctor_license_number}"),
        *([Text(PRESCRIBER_INACTIVE, "bold yellow")] if prescription.prescriber_inactive else []),
        Text(f"written {moment(prescription.created_at)}, valid {_validity(prescription)}"),
        Text(),
        medicines(prescription.items),
    ]
    return Panel(
        Group(*lines),
        title=Text.assemble((prescription.prescription_number, "bold")),
        subtitle=status(prescription.status),
        title_align="left",
        subtitle_align="right",
    )


def _validity(prescription: PharmacyPrescription) -> str:
    begins = "" if prescription.valid_from is None else f"from {prescription.valid_from} "
    return f"{begins}until {moment(prescription.expires_at)}"


def _allergies(prescription: PharmacyPrescription) -> tuple[str, str]:
    """Returns what is known about the patient's allergies, and its style."""
    if prescription.patient_allergies:
        return ", ".join(prescription.patient_allergies), "bold white on red"
    asked = prescription.patient_allergies_asked
    if asked is None:
        return "not recorded", "bold yellow"
    return f"none known (asked {asked.asked_at.astimezone():%Y-%m-%d}, {asked.asked_by})", "dim"


def medicines(items: Sequence[PrescriptionItem]) -> Table:
    """Returns the medicines, with the remaining quantity of each."""
    table = _table("#", "Medicine", "Remaining", "How to take it", right=("Remaining",))
    for place, item in enumerate(items, start=1):
        style = "bold" if item.remaining else "dim"
        whole = in_words(item.prescribed, item.quantity_unit)
        open_units = Text(f"{item.remaining.normalize():f} of {whole}", style=style)
        days = f"for {item.duration_days} days" if item.duration_days else ""
        how = ", ".join(filter(None, (item.frequency, item.route, days)))
        fixed = "no substitute allowed" if item.substitution_allowed is False else ""
        taking = Text("\n".join(filter(None, (how, item.instructions, fixed))))
        table.add_row(str(place), Text(f"{item.medicine_name} {item.dosage}"), open_units, taking)
    return table


def found_table(found: Sequence[FoundPrescription]) -> Table:
    """Returns a table of prescriptions to choose from."""
    table = _table("#", "Number", "Written", "State", "Medicines")
    for place, one in enumerate(found, start=1):
        prescription = one.prescription
        names = ", ".join(item.medicine_name for item in prescription.items)
        state = status(prescription.status)
        day = f"{prescription.created_at.astimezone():%Y-%m-%d}"
        table.add_row(str(place), prescription.prescription_number, day, state, Text(names))
    return table


def more_open(found: FoundPrescriptions) -> Text:
    """Returns the notice that a patient has more open prescriptions than the table shows."""
    return Text(
        f"These are the newest {len(found)}. There are more: look them up by their own numbers (RX-…).", "yellow"
    )


def lines_table(lines: Iterable[DispenseLine], items: Sequence[PrescriptionItem]) -> Table:
    """Returns a table of the lines to dispense."""
    by_id = {item.id: item for item in items}
    table = _table("Medicine", "Quantity", "Batch", "Expires", "Price", "Total", right=("Quantity", "Price", "Total"))
    for line in lines:
        item = by_id[line.item_id]
        cells = (in_words(line.amount, item.quantity_unit), Text(line.batch_number), str(line.expiry_date))
        amount = price_of(line.amount, line.unit_price)
        names = filter(None, (item.medicine_name, _given(line, item.medicine_name)))
        table.add_row(Text("\n".join(names)), *cells, f"{line.unit_price:.2f}", f"{amount:.2f}")
    return table


def total(lines: Iterable[DispenseLine]) -> Decimal:
    """Returns the total price of the lines."""
    return sum((price_of(line.amount, line.unit_price) for line in lines), Decimal())


def dispensed(done: Dispensing) -> Text:
    """Returns a summary of a dispense and of the remaining quantities."""
    left = ", ".join(
        f"{in_words(item.remaining, item.quantity_unit)} {item.medicine_name}"
        for item in done.prescription.items
        if item.remaining
    )
    rest = f"Remaining: {left}." if left else "Nothing remains."
    return good(f"Dispensed for {done.total_amount} {done.currency}. {rest}")


def receipt_table(receipt: Receipt) -> RenderableType:
    """Returns the dispensed lines of a prescription."""
    table = _table("Medicine", "Quantity", "Batch", "Expires", "Price", "Total", right=("Quantity", "Price", "Total"))
    for line in receipt.lines:
        cells = (in_words(line.amount, line.quantity_unit), Text(line.batch_number), str(line.expiry_date))
        medicine = "\n".join(filter(None, (line.medicine_name, line.product_code, _given(line, line.medicine_name))))
        table.add_row(Text(medicine), *cells, str(line.unit_price), str(line.line_total))
    title = Text(f"{receipt.prescription_number}, {receipt.patient_name}")
    total = Text(f"Total {receipt.total_amount} {receipt.currency}", style="bold")
    closed = [Text(f"The rest was closed: {receipt.closing_reason}")] if receipt.closing_reason else []
    return Group(title, table, total, *closed)


def history_table(entries: Iterable[DispensingHistoryEntry]) -> Table:
    """Returns a table of the pharmacist's actions."""
    table = _table("Time", "Action", "Number", "Patient", "Total", right=("Total",))
    for entry in entries:
        amount = "" if entry.total_amount is None else f"{entry.total_amount} {entry.currency}"
        when = moment(entry.occurred_at)
        given = filter(None, (_given(line, line.medicine_name) for line in entry.lines))
        who = Text("\n".join((entry.patient_name, *given)))
        table.add_row(when, str(entry.action), entry.prescription_number, who, amount)
    return table


def log_table(entries: Iterable[LogEntry]) -> Table:
    """Returns a table of the actions on a prescription."""
    table = _table("Time", "Action", "Pharmacist", "New state", "Notes")
    for entry in entries:
        who = Text(f"{entry.pharmacist_name}, {entry.pharmacy_name}")
        table.add_row(moment(entry.occurred_at), str(entry.action), who, status(entry.to_status), Text(entry.notes))
    return table


def sessions_table(sessions: Iterable[OpenSession]) -> Table:
    """Returns a table of the caller's sessions."""
    table = _table("Id", "Device", "Address", "Last used")
    for session in sessions:
        device = f"{session.device} (this one)" if session.current else session.device
        table.add_row(session.id, Text(device), session.address, moment(session.last_used_at))
    return table


def failure(error: MedConnectError) -> Text:
    """Returns the message of a failed call, with the details that help the user."""
    text = Text.assemble(("✗ ", "bold red"), (str(error), "red"))
    if isinstance(error, FailedPrecondition) and error.changed_at is not None:
        text.append(f" Since {moment(error.changed_at)}.", style="red")
    if isinstance(error, FailedPrecondition) and error.claim_expires_at is not None:
        text.append(f" Claimed until {moment(error.claim_expires_at)}.", style="red")
    if error.retry_after is not None:
        text.append(f" Try again in {error.retry_after:.0f} s.", style="red")
    if not isinstance(error, FailedPrecondition | InvalidArgument) and error.request_id:
        text.append(f" Request {error.request_id}.", style="dim")
    return text


def good(what: str) -> Text:
    """Returns a message of success."""
    return Text.assemble(("✓ ", "bold green"), (what, "green"))


def bad(what: str) -> Text:
    """Returns a message of failure."""
    return Text.assemble(("✗ ", "bold red"), (what, "red"))


def keys(**meanings: str) -> Text:
    """Returns the line of available keys: `d dispense · r reject`."""
    parts = Text()
    for key, meaning in meanings.items():
        parts.append(" · " if parts else "")
        parts.append(key, style="bold reverse")
        parts.append(f" {meaning}")
    return parts


def connection(address: str, reachable: bool) -> Text:
    """Returns the server's address and whether it is reachable."""
    state = ("● connected", "green") if reachable else ("○ not reachable", "bold red")
    return Text.assemble(("MedConnect ", "bold"), address, "  ", state)


def status(of: PrescriptionStatus) -> Text:
    """Returns a state as coloured text."""
    return Text(str(of).replace("_", " "), style=f"bold {COLOURS.get(of, 'red')}")


def moment(when: datetime) -> str:
    """Returns a time in the local time zone."""
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


def _given(line: DispenseLine | DispensedLine, medicine_name: str) -> str:
    """Returns which product is given instead of the prescribed medicine, and why; empty if that medicine is given."""
    name = line.dispensed_medicine_name
    return f"Given: {name} (instead of {medicine_name}): {line.substitution_reason}" if name else ""


def _born(prescription: PharmacyPrescription) -> str:
    born = prescription.patient_date_of_birth
    return f", born {born}" if born else ", date of birth unknown"


def _insurance_text(prescription: PharmacyPrescription) -> str:
    insured = f"{prescription.insurance_provider} {prescription.insurance_number}".strip()
    return f" · {insured}" if insured else ""


def _table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table
