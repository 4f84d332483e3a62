"""Circuit breaker: stops sending while the mail server is unreachable, and probes it from time to time."""

from typing import Final

FAILURES: Final = 5
"""Consecutive failed connections that open the circuit; refused emails do not count."""
PROBE_SECONDS: Final = 5.0
"""The interval of probes of the mail server while the circuit is open."""


class CircuitBreaker:
    """The state of the circuit to the mail server; while it is open, nothing is sent."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def open(self) -> bool:
        """True while emails stay in the queue."""
        return self._failures >= FAILURES

    def failed(self) -> None:
        """Counts a connection to the mail server that failed or broke off."""
        self._failures += 1

    def succeeded(self) -> None:
        """Closes the circuit: the mail server has answered, even if it refused an email."""
        self._failures = 0
