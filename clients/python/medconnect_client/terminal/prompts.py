"""Questions at the keyboard."""

import getpass
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from medconnect_client.terminal import screens
from medconnect_client.terminal.entries import EntryWrong

T = TypeVar("T")


class Prompts:
    """Asks, and asks again until the answer can be meant. Ctrl-C and Ctrl-D come through as exceptions."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, question: str) -> str:
        """One line; a scanner types it like a person."""
        return self._console.input(question, markup=False)

    def hidden(self, question: str) -> str:
        """One line that is not shown."""
        return getpass.getpass(question)

    def until(self, question: str, read: Callable[[str], T]) -> T:
        """The value of the first answer that can be read; the others are told what can."""
        while True:
            try:
                return read(self.line(question))
            except EntryWrong as wrong:
                self._console.print(screens.bad(str(wrong)))

    def agrees(self, question: str) -> bool:
        """Whether the answer is yes; anything but y and n is asked again."""
        return self.until(f"{question} (y/n) ", _yes_or_no)


def _yes_or_no(text: str) -> bool:
    answer = text.strip().lower()
    if answer not in ("y", "yes", "n", "no"):
        raise EntryWrong("y or n.")
    return answer.startswith("y")
