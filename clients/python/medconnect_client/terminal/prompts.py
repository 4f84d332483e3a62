"""Prompts for input from the keyboard."""

import getpass
from collections.abc import Callable
from typing import Final, TypeVar

from rich.console import Console

from medconnect_client.terminal import screens
from medconnect_client.terminal.entries import EntryWrong

T = TypeVar("T")

CODE_QUESTION: Final = "Code of your authenticator app, or a recovery code: "


class Prompts:
    """Prompts that repeat until the input is valid. Ctrl-C and Ctrl-D raise KeyboardInterrupt and EOFError."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, question: str) -> str:
        """Returns one line, typed by a person or a scanner."""
        return self._console.input(question, markup=False)

    def hidden(self, question: str) -> str:
        """Returns one line that is not shown while it is typed."""
        return getpass.getpass(question)

    def until(self, question: str, read: Callable[[str], T]) -> T:
        """Returns the value of the first valid input; shows the message of each EntryWrong before."""
        while True:
            try:
                return read(self.line(question))
            except EntryWrong as wrong:
                self._console.print(screens.bad(str(wrong)))

    def agrees(self, question: str) -> bool:
        """Returns True for yes and False for no; asks again for any other input."""
        return self.until(f"{question} (y/n) ", _yes_or_no)


def _yes_or_no(text: str) -> bool:
    answer = text.strip().lower()
    if answer not in ("y", "yes", "n", "no"):
        raise EntryWrong("Enter y or n.")
    return answer.startswith("y")
