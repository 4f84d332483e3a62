"""Composes emails, attempts to deliver them, and decides the outcomes."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import structlog

from server.errors import RecipientDeactivated, Unavailable
from server.mailer.circuit_breaker import CircuitBreaker
from server.mailer.entities import AddressUnconfirmed, ClaimedEmail
from server.mailer.message import OutgoingEmail
from server.mailer.outcome import (
    ADDRESS_UNCONFIRMED,
    EXPIRED,
    FIRST_PAUSES_SECONDS,
    LEAST_SPREAD,
    MOST_SPREAD,
    DeliveryOutcome,
    GivenUp,
    Held,
    Postponed,
    Sent,
    after_failed_composing,
    after_failed_delivery,
)
from server.mailer.transport import DeliveryFailed, Mailer, MailSystemAway

Compose = Callable[[Sequence[ClaimedEmail]], Awaitable[Mapping[UUID, OutgoingEmail | Exception]]]
"""Returns each email by its id, or the error because of which it cannot be composed. Raises Unavailable."""
Prepared = Mapping[UUID, OutgoingEmail | DeliveryOutcome]

_log = structlog.get_logger()
_random = secrets.SystemRandom()


class Delivery:
    """Composes emails and passes them to the mailer; its circuit breaker opens while the mail server is unreachable.

    Its methods raise nothing, because a faulty email must not stop the others. max_attempts: the number of attempts for
    an email that cannot be composed.
    """

    def __init__(self, compose: Compose, mailer: Mailer, *, max_attempts: int) -> None:
        self.circuit = CircuitBreaker()
        self.mailer = mailer
        self._compose = compose
        self._max_attempts = max_attempts

    async def prepare(self, mails: Sequence[ClaimedEmail]) -> Prepared:
        """Returns each email, composed for `send`, or the outcome of one that is not to be sent, by its id."""
        expired = GivenUp(EXPIRED, harmless=True, counted=False)
        current = [mail for mail in mails if not mail.expired]
        composed = await self._compose_together(current) if current else {}
        faults = {mail.id: self._judge(mail, composed[mail.id]) for mail in current}
        return {mail.id: expired for mail in mails if mail.expired} | faults

    async def send(self, mail: ClaimedEmail, email: OutgoingEmail) -> DeliveryOutcome:
        """Attempts a delivery once and returns the outcome."""
        try:
            await self.mailer.send(email)
        except MailSystemAway as failure:
            self.circuit.failed()
            return after_failed_delivery(mail, failure, _spread())
        except DeliveryFailed as failure:
            self.circuit.succeeded()
            return after_failed_delivery(mail, failure, _spread())
        except Exception as fault:  # for example an address that SMTP cannot encode
            _log.exception("email_not_sent", email_id=str(mail.id), kind=mail.kind.value)
            return self._after_fault(mail, "sent", fault)
        self.circuit.succeeded()
        return Sent()

    async def probe(self) -> bool:
        """Checks the mail server and closes the circuit if it answers; returns True if it does."""
        try:
            await self.mailer.check()
        except MailSystemAway:
            return False
        self.circuit.succeeded()
        return True

    async def _compose_together(self, mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
        """Composes emails together; after an unexpected error one by one, so that it costs only its own email."""
        try:
            return await self._compose(mails)
        except Unavailable as failure:
            return dict.fromkeys((mail.id for mail in mails), failure)
        except Exception as fault:
            if len(mails) == 1:
                return {mails[0].id: fault}
        composed: dict[UUID, OutgoingEmail | Exception] = {}
        for mail in mails:
            composed |= await self._compose_together([mail])
        return composed

    def _judge(self, mail: ClaimedEmail, composed: OutgoingEmail | Exception) -> OutgoingEmail | DeliveryOutcome:
        match composed:
            case OutgoingEmail():
                return composed
            case AddressUnconfirmed():
                return Held(ADDRESS_UNCONFIRMED)
            case RecipientDeactivated():
                return GivenUp(composed.reason, harmless=True, counted=False)
            case Unavailable():
                return Postponed(FIRST_PAUSES_SECONDS[0], "the database was unavailable", counted=False)
        _log.error(
            "email_not_composed",
            email_id=str(mail.id),
            kind=mail.kind.value,
            exc_info=(type(composed), composed, composed.__traceback__),
        )
        return self._after_fault(mail, "composed", composed)

    def _after_fault(self, mail: ClaimedEmail, done: str, fault: Exception) -> DeliveryOutcome:
        error = f"could not be {done}: {type(fault).__name__}"
        return after_failed_composing(mail, error, self._max_attempts, _spread())


def _spread() -> float:
    return _random.uniform(LEAST_SPREAD, MOST_SPREAD)
