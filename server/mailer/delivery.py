"""Attempts to deliver an email, and decides its outcome."""

import secrets
from collections.abc import Awaitable, Callable
from email.message import EmailMessage

import structlog

from server.errors import RecipientDeactivated, Unavailable
from server.mailer.circuit_breaker import CircuitBreaker
from server.mailer.entities import ClaimedEmail
from server.mailer.outcome import (
    EXPIRED,
    FIRST_PAUSES_SECONDS,
    LEAST_SPREAD,
    MOST_SPREAD,
    DeliveryOutcome,
    GivenUp,
    Postponed,
    Sent,
    after_failed_composing,
    after_failed_delivery,
)
from server.mailer.transport import DeliveryFailed, Mailer, MailSystemAway

Compose = Callable[[ClaimedEmail], Awaitable[EmailMessage]]

_log = structlog.get_logger()
_random = secrets.SystemRandom()


class Delivery:
    """Composes emails and passes them to the mailer; its circuit breaker opens while the mail server is unreachable.

    max_attempts: the number of attempts for an email that cannot be composed.
    """

    def __init__(self, compose: Compose, mailer: Mailer, *, max_attempts: int) -> None:
        self.circuit = CircuitBreaker()
        self.mailer = mailer
        self._compose = compose
        self._max_attempts = max_attempts

    async def attempt(self, mail: ClaimedEmail) -> DeliveryOutcome:
        """Attempts a delivery once and returns the outcome. Raises nothing: a faulty email must not stop the others."""
        if mail.expired:
            return GivenUp(EXPIRED, harmless=True, counted=False)
        spread = _random.uniform(LEAST_SPREAD, MOST_SPREAD)
        try:
            message = await self._compose(mail)
        except RecipientDeactivated as refusal:
            return GivenUp(refusal.reason, harmless=True, counted=False)
        except Unavailable:
            return Postponed(FIRST_PAUSES_SECONDS[0], "the database was unavailable", counted=False)
        except Exception as fault:
            _log.exception("email_not_composed", email=str(mail.id), kind=mail.kind.value)
            return self._after_fault(mail, "composed", fault, spread)
        return await self._send(mail, message, spread)

    async def probe(self) -> bool:
        """Checks the mail server and closes the circuit if it answers; returns True if it does."""
        try:
            await self.mailer.check()
        except MailSystemAway:
            return False
        self.circuit.succeeded()
        return True

    async def _send(self, mail: ClaimedEmail, message: EmailMessage, spread: float) -> DeliveryOutcome:
        try:
            await self.mailer.send(message)
        except MailSystemAway as failure:
            self.circuit.failed()
            return after_failed_delivery(mail, failure, spread)
        except DeliveryFailed as failure:
            self.circuit.succeeded()
            return after_failed_delivery(mail, failure, spread)
        except Exception as fault:  # for example an address that SMTP cannot encode
            _log.exception("email_not_sent", email=str(mail.id), kind=mail.kind.value)
            return self._after_fault(mail, "sent", fault, spread)
        self.circuit.succeeded()
        return Sent()

    def _after_fault(self, mail: ClaimedEmail, done: str, fault: Exception, spread: float) -> DeliveryOutcome:
        error = f"could not be {done}: {type(fault).__name__}"
        return after_failed_composing(mail, error, self._max_attempts, spread)
