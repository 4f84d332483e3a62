"""Dispensing from a script: claims first, and can be repeated with its idempotency key."""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from medconnect_client import MedConnectError
from medconnect_client.models import DispenseLine, Dispensing, PrescriptionItem
from medconnect_client.terminal.desk import Desk
from medconnect_client.terminal.entries import EntryWrong, read_line, read_substitute, written_line, written_substitute


@dataclass(frozen=True, slots=True)
class Written:
    """The lines of a script, and the products that are given instead of the prescribed medicines."""

    lines: Sequence[str]
    substitutes: Sequence[str] = ()

    def read(self, items: tuple[PrescriptionItem, ...]) -> list[DispenseLine]:
        """Returns the lines of a prescription with these items. Raises EntryWrong."""
        lines = [read_line(text, items) for text in self.lines]
        given = dict(read_substitute(text, items) for text in self.substitutes)
        if given.keys() - {line.item_id for line in lines}:
            raise EntryWrong("Each --substitute needs a --line of the same medicine.")
        return [line.instead(*given[line.item_id]) if line.item_id in given else line for line in lines]


def dispense(desk: Desk, prescription_id: str, written: "Written", notes: str | None, key: str | None) -> Dispensing:
    """Dispenses the given lines; without a key it claims first, with one it repeats the earlier command unchanged.

    If the outcome is unknown, it prints the command to repeat. Raises EntryWrong, and the errors of
    `Client.pharmacy.claim` and `Client.pharmacy.dispense`.
    """
    pharmacy = desk.client.pharmacy
    if key is not None:
        lines = written.read(())
        return desk.call("Dispensing", lambda: pharmacy.dispense(prescription_id, lines, notes, idempotency_key=key))
    key = secrets.token_urlsafe(24)
    with desk.waiting.doing("Dispensing"), pharmacy.claim(prescription_id) as claim:
        lines = written.read(claim.prescription.items)
        try:
            return claim.dispense(lines, notes, idempotency_key=key)
        except MedConnectError as error:
            if error.maybe_done:
                repeat = f"medconnect-pharmacy dispense {prescription_id} {_options(lines)} --key {key}"
                desk.console.print(f"To see the outcome, run: {repeat}", markup=False, soft_wrap=True)
            raise


def _options(lines: Sequence[DispenseLine]) -> str:
    """Returns the options of the command that dispenses these lines."""
    stated = [f"--line {written_line(line)}" for line in lines]
    substitutes = {written_substitute(line): None for line in lines if line.dispensed_medicine_name}
    return " ".join((*stated, *(f"--substitute {shlex.quote(text)}" for text in substitutes)))
