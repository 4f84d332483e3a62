"""The screen of one prescription and its actions, until the pharmacist leaves it."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Final, TypeVar

from rich.console import Console
from rich.text import Text

from medconnect_client import Claim, Client, DispenseLine, MedConnectError
from medconnect_client.errors import DeadlineExceeded, FailedPrecondition, RateLimitExceeded, Unavailable
from medconnect_client.models import PharmacyPrescription, PrescriptionItem, PrescriptionStatus
from medconnect_client.models._quantities import in_words
from medconnect_client.terminal import entries, screens
from medconnect_client.terminal.prompts import Prompts
from medconnect_client.terminal.waiting import Waiting

T = TypeVar("T")

PASSING: Final = (Unavailable, DeadlineExceeded, RateLimitExceeded)
"""Failures after which the same command may succeed."""
FINAL: Final = (PrescriptionStatus.DISPENSED, PrescriptionStatus.REJECTED, PrescriptionStatus.CLOSED)
"""The final states that an action of this desk leads to."""
MAYBE_DONE: Final = "It may have been done. Trying again shows the outcome and never does it twice."
NOT_DONE: Final = "Nothing was changed."


class Unsettled(Exception):
    """The pharmacist stopped waiting for a command that may have been carried out."""


class PrescriptionDesk:
    """Shows a prescription and runs actions on it; keeps the claim until the pharmacist leaves."""

    def __init__(
        self, client: Client, console: Console, prompts: Prompts, waiting: Waiting, prescription: PharmacyPrescription
    ) -> None:
        self._client = client
        self._console = console
        self._prompts = prompts
        self._waiting = waiting
        self._prescription = prescription
        self._claim: Claim | None = None
        self._held = ExitStack()
        """Closing it releases the claim."""
        self._actions = {
            "v": self._validate,
            "d": self._dispense,
            "s": lambda: self._dispense(substitutes=True),
            "r": self._reject,
            "c": self._close,
            "b": self._give_back,
            "l": self._log,
        }

    def serve(self) -> str:
        """Runs actions until the pharmacist leaves; returns the next entry if one was scanned here, otherwise empty."""
        try:
            return self._serve()
        finally:
            if self._claim is not None:
                self._give_back()
            self._held.close()

    def _serve(self) -> str:
        self._console.print(screens.prescription_panel(self._prescription))
        while not self._is_final:
            self._console.print(self._keys())
            text = self._line()
            action = self._actions.get(text.lower())
            if action is not None:
                self._try(action)
            elif not text or _is_entry(text):
                return text
            else:
                self._console.print(screens.bad("This is not one of these keys, a QR code or a number."))
        return ""

    @property
    def _is_final(self) -> bool:
        return self._prescription.status in FINAL

    def _keys(self) -> Text:
        first = {"b": "give back"} if self._claim else {"v": "validate"}
        begun = any(item.dispensed for item in self._prescription.items)
        end = {"c": "close the rest"} if begun else {"r": "reject"}
        return screens.keys(**first, d="dispense", s="substitute", **end, l="log", Enter="leave")

    def _line(self) -> str:
        try:
            return self._prompts.line(f"{self._prescription.prescription_number} › ").strip()
        except (EOFError, KeyboardInterrupt):
            return ""

    def _try(self, action: Callable[[], None]) -> None:
        """Runs an action; if it fails, the prescription stays open."""
        try:
            action()
        except MedConnectError as error:
            self._console.print(screens.failure(error))
            if isinstance(error, FailedPrecondition):
                self._forget_claim()  # the claim is lost, or the prescription's state has changed
        except Unsettled:
            self._console.print(screens.bad("Outcome unknown: look the number up again to check."))
        except (EOFError, KeyboardInterrupt):
            self._console.print(screens.bad("Cancelled."))

    def _validate(self) -> None:
        claim = self._ensure_claim()
        self._console.print(screens.good(f"Claimed until {screens.moment(claim.expires_at)}."))

    def _ensure_claim(self) -> Claim:
        if self._claim is None:
            with self._waiting.doing("Claiming"):
                self._claim = self._held.enter_context(self._client.pharmacy.claim(self._prescription.id))
            self._prescription = self._claim.prescription
        return self._claim

    def _give_back(self) -> None:
        if self._claim is None:
            self._console.print(screens.bad("You have no claim to give back. Press v to claim this prescription."))
            return
        self._forget_claim()
        self._console.print(screens.good("Claim released."))

    def _forget_claim(self) -> None:
        """Releases the claim; if that fails, the claim expires at the end of its lease."""
        self._claim = None
        with self._waiting.doing("Releasing"):
            self._held.close()

    def _dispense(self, *, substitutes: bool = False) -> None:
        """Dispenses what the pharmacist enters; substitutes: asks for each line whether another product is given."""
        claim = self._ensure_claim()
        opened = [item for item in claim.prescription.items if item.remaining]
        lines = [line for item in opened for line in self._ask_for(item, substitutes=substitutes)]
        if not lines:
            self._console.print(screens.bad("Nothing to dispense."))
            return
        self._console.print(screens.lines_table(lines, claim.prescription.items))
        if not self._prompts.agrees(f"Dispense these for {screens.total(lines):.2f}?"):
            return
        done = self._settle_command("Dispensing", lambda key: claim.dispense(lines, idempotency_key=key))
        self._finish_with(done.prescription)
        self._console.print(screens.dispensed(done))

    def _ask_for(self, item: PrescriptionItem, *, substitutes: bool) -> list[DispenseLine]:
        """Asks for the lines of one medicine, one for each batch; there are none if none of it is dispensed."""
        left = item.remaining
        self._console.print(Text(f"{item.medicine_name} {item.dosage}", style="bold"))
        quantities = self._prompts.until(
            f"  Quantity (5+15: of two batches, Enter: all {in_words(left, item.quantity_unit)}, 0: none): ",
            lambda text: entries.read_quantities(text, left),
        )
        several = len(quantities) > 1
        lines = [self._ask_for_batch(item, quantity, several) for quantity in quantities]
        return [self._ask_for_product(item, line) for line in lines] if substitutes else lines

    def _ask_for_product(self, item: PrescriptionItem, line: DispenseLine) -> DispenseLine:
        """Returns the line with the product that is given and the reason, if that is not the prescribed medicine."""
        if item.substitution_allowed is False:
            self._console.print("  The doctor allows no substitute for this medicine.")
            return line
        name = self._prompts.line(f"  Product given from {line.batch_number} (Enter: {item.medicine_name}): ").strip()
        if not name:
            return line
        return line.instead(name, self._prompts.until("  Reason (the patient sees it): ", entries.read_reason))

    def _ask_for_batch(self, item: PrescriptionItem, quantity: Decimal, several: bool) -> DispenseLine:
        """Asks for the batch of a quantity; the package's code answers most of it. several: names the quantity."""
        if several:
            self._console.print(f"  {in_words(quantity, item.quantity_unit)} from:")
        package = self._prompts.until("  Batch number (or scan the package): ", entries.read_batch)
        batch = package.batch_number or self._prompts.until("  Batch number: ", entries.read_printed_batch)
        expiry = package.expiry_date or self._prompts.until("  Expires (YYYY-MM-DD or MM/YYYY): ", entries.read_day)
        price = self._prompts.until("  Price per unit: ", entries.read_price)
        code = package.product_code
        return DispenseLine.of(item.id, quantity, price, batch, expiry, item.quantity_unit, code)

    def _reject(self) -> None:
        reason = self._prompts.line("Reason (patient and doctor see it; Enter: do not reject): ").strip()
        if not reason:
            return
        claim = self._ensure_claim()
        rejected = self._settle_command("Rejecting", lambda key: claim.reject(reason, idempotency_key=key))
        self._finish_with(rejected)
        self._console.print(screens.good("Rejected. The patient and the doctor are notified."))

    def _close(self) -> None:
        reason = self._prompts.line("Reason (patient and doctor see it; Enter: do not close): ").strip()
        if not reason:
            return
        claim = self._ensure_claim()
        closed = self._settle_command("Closing", lambda key: claim.close(reason, idempotency_key=key))
        self._finish_with(closed)
        self._console.print(screens.good("Closed. The patient and the doctor are notified."))

    def _log(self) -> None:
        with self._waiting.doing("Reading"):
            found = list(self._client.pharmacy.log(self._prescription.id))
        self._console.print(screens.log_table(found))

    def _finish_with(self, prescription: PharmacyPrescription) -> None:
        self._prescription = prescription
        self._claim = None

    def _settle_command(self, doing: str, command: Callable[[str], T]) -> T:
        """Runs a command until its outcome is known: without a response it offers to repeat it with the same key.

        Raises MedConnectError if the service rejects the command, or if the pharmacist stops waiting and nothing was
        changed; Unsettled if they stop waiting and the command may have been carried out.
        """
        key = secrets.token_urlsafe(24)
        maybe_done = False
        while True:
            try:
                with self._waiting.doing(doing):
                    return command(key)
            except MedConnectError as error:
                if not error.maybe_done and not isinstance(error, PASSING):
                    raise
                maybe_done |= error.maybe_done
                ended = error if not maybe_done else Unsettled()
                self._console.print(screens.failure(error))
            except KeyboardInterrupt:
                maybe_done, ended = True, Unsettled()
                self._console.print(screens.bad("Stopped waiting."))
            self._console.print(Text(MAYBE_DONE if maybe_done else NOT_DONE, style="bold yellow"))
            if not self._tries_again():
                raise ended

    def _tries_again(self) -> bool:
        try:
            return self._prompts.line("Enter: try again, q: stop › ").strip().lower() != "q"
        except (EOFError, KeyboardInterrupt):
            return False


def _is_entry(text: str) -> bool:
    try:
        entries.read_entry(text)
    except entries.EntryWrong:
        return False
    return True
