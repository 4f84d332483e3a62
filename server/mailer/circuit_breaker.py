"""Whether it makes sense to send: a mail server that does not answer is left alone, and asked from time to time."""

from typing import Final

FAILURES: Final = 5
"""So many in a row, of connections and not of mails, open the circuit."""
PROBE_SECONDS: Final = 5.0
"""How often the mail server is asked while it is open."""


class CircuitBreaker:
    """Open while nothing is to be sent."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def open(self) -> bool:
        """Whether mails stay in the queue for the time being."""
        return self._failures >= FAILURES

    def failed(self) -> None:
        """No dialog with the mail server was possible, or it broke off."""
        self._failures += 1

    def succeeded(self) -> None:
        """The mail server has answered, whatever it said of a mail."""
        self._failures = 0
