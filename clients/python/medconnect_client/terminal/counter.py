"""The interactive terminal: scan, claim, dispense, reject and list past actions, by keyboard alone."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console, RenderableType
from rich.text import Text

from medconnect_client import Client, errors
from medconnect_client.models import FoundPrescription, FoundPrescriptions, User
from medconnect_client.terminal import screens
from medconnect_client.terminal.entries import Entry, EntryWrong, Kind, read_entry
from medconnect_client.terminal.pictures import read_picture
from medconnect_client.terminal.prescription import PrescriptionDesk
from medconnect_client.terminal.prompts import CODE_QUESTION, Prompts
from medconnect_client.terminal.waiting import Waiting

T = TypeVar("T")

SIGN_IN_TRIES: Final = 3
HISTORY_LINES: Final = 20


class Counter:
    """The main prompt, and the screens that it opens."""

    def __init__(self, client: Client, console: Console, prompts: Prompts, waiting: Waiting, address: str) -> None:
        self._client = client
        self._console = console
        self._prompts = prompts
        self._waiting = waiting
        self._address = address

    def run(self) -> None:
        """Runs until the pharmacist quits. Raises Unauthenticated if all sign-in attempts fail."""
        self._welcome()
        entry: str | None = ""
        while entry is not None:
            try:
                entry = self._serve(entry) if entry else self._main_line()
            except errors.Unauthenticated as error:
                self._show(screens.failure(error))
                self.sign_in()
                entry = ""
            except (errors.MedConnectError, EntryWrong) as error:
                told = screens.failure(error) if isinstance(error, errors.MedConnectError) else screens.bad(str(error))
                self._show(told)
                entry = ""
            except KeyboardInterrupt:
                self._show(screens.bad("Stopped waiting."))
                entry = ""

    def sign_in(self) -> None:
        """Asks for email and password. Raises the error of the third failed attempt."""
        for left in reversed(range(SIGN_IN_TRIES)):
            email = self._prompts.line("Email: ")
            password = self._prompts.hidden("Password: ")
            try:
                user = self._sign_in_with(email, password)
            except errors.MedConnectError as error:
                self._show(screens.failure(error))
                if not left:
                    raise
            else:
                self._show(screens.good(f"{user.full_name}, {user.pharmacy_name}"))
                return

    def _sign_in_with(self, email: str, password: str) -> User:
        """Signs in, with a second factor if the account has one; a wrong code is asked for again."""
        try:
            return self._call("Signing in", lambda: self._client.sign_in(email, password))
        except errors.SecondFactorRequired as required:
            challenge = required.challenge
        while True:
            code = self._prompts.hidden(CODE_QUESTION)
            try:
                with self._waiting.doing("Signing in"):
                    return self._client.complete_sign_in(challenge, code)
            except errors.SecondFactorInvalid as error:
                self._show(screens.failure(error))

    def _welcome(self) -> None:
        """Shows the server and the signed-in account, or asks to sign in."""
        self._show(Text.assemble(("MedConnect ", "bold"), self._address))
        try:
            if self._client.signed_in:
                user = self._call("Connecting", self._client.auth.current_user)
                self._show(screens.good(f"{user.full_name}, {user.pharmacy_name}"))
                return
        except errors.Unauthenticated as error:
            self._show(screens.failure(error))
        except errors.MedConnectError as error:
            self._show(screens.failure(error))
            return
        self.sign_in()

    def _main_line(self) -> str | None:
        """Returns the entry that was typed at the main prompt, empty if it is handled; None to quit."""
        self._show(Text())
        self._show(screens.connection(self._address, self._waiting.reachable))
        self._show(Text("Scan a QR code, or type a number (RX-… or PAT-…) or the path of a picture."))
        self._show(screens.keys(h="history", o="sign out", q="quit"))
        try:
            text = self._prompts.line("› ").strip()
        except (EOFError, KeyboardInterrupt):
            return None
        if text.lower() == "q":
            return None
        if text.lower() == "o":
            with suppress(errors.Unauthenticated):  # the session has expired
                self._call("Signing out", self._client.sign_out)
            return None
        if text.lower() == "h":
            self._history()
            return ""
        return text

    def _serve(self, text: str) -> str:
        """Opens the prescription of an entry; returns the next entry if one was scanned there, otherwise empty text."""
        found = self._find_prescription(read_entry(text))
        if found is None:
            return ""
        desk = PrescriptionDesk(self._client, self._console, self._prompts, self._waiting, found.prescription)
        return desk.serve()

    def _find_prescription(self, entry: Entry) -> FoundPrescription | None:
        if entry.kind is Kind.REFERENCE:
            found = self._call("Looking up", lambda: self._client.pharmacy.lookup(entry.text))
            return found[0] if len(found) == 1 else self._choose_prescription(found)
        text = read_picture(Path(entry.text)) if entry.kind is Kind.PICTURE else entry.text
        return self._call("Scanning", lambda: self._client.pharmacy.scan(text))

    def _choose_prescription(self, found: FoundPrescriptions) -> FoundPrescription | None:
        """Lets the pharmacist choose a prescription; returns None if they choose none."""
        self._show(screens.found_table(found))
        if found.has_more:
            self._show(screens.more_open(found))
        place = self._prompts.until("Number of the prescription (Enter: none): ", lambda text: _place(text, len(found)))
        return None if place is None else found[place - 1]

    def _history(self) -> None:
        entries = self._call("Reading", lambda: list(islice(self._client.pharmacy.history(), HISTORY_LINES)))
        self._show(screens.history_table(entries))

    def _call(self, doing: str, call: Callable[[], T]) -> T:
        with self._waiting.doing(doing):
            return call()

    def _show(self, what: RenderableType) -> None:
        self._console.print(what)


def _place(text: str, most: int) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not 1 <= int(text) <= most:
        raise EntryWrong(f"Enter a number from 1 to {most}.")
    return int(text)
