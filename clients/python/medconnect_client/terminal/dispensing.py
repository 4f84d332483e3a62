"""Dispensing from a script: claims first, and can be repeated with its idempotency key."""

import secrets
from collections.abc import Sequence

from medconnect_client import MedConnectError
from medconnect_client.models import Dispensing
from medconnect_client.terminal.desk import Desk
from medconnect_client.terminal.entries import read_line, written_line


def dispense(
    desk: Desk, prescription_id: str, written: Sequence[str], notes: str | None, key: str | None
) -> Dispensing:
    """Dispenses the given lines; without a key it claims first, with one it repeats the earlier command unchanged.

    If the outcome is unknown, it prints the command to repeat. Raises EntryWrong, and the errors of
    `Client.pharmacy.claim` and `Client.pharmacy.dispense`.
    """
    pharmacy = desk.client.pharmacy
    if key is not None:
        lines = [read_line(text, ()) for text in written]
        return desk.call("Dispensing", lambda: pharmacy.dispense(prescription_id, lines, notes, idempotency_key=key))
    key = secrets.token_urlsafe(24)
    with desk.waiting.doing("Dispensing"), pharmacy.claim(prescription_id) as claim:
        lines = [read_line(text, claim.prescription.items) for text in written]
        try:
            return claim.dispense(lines, notes, idempotency_key=key)
        except MedConnectError as error:
            if error.maybe_done:
                options = " ".join(f"--line {written_line(line)}" for line in lines)
                repeat = f"medconnect-pharmacy dispense {prescription_id} {options} --key {key}"
                desk.console.print(f"To see the outcome, run: {repeat}", markup=False, soft_wrap=True)
            raise
