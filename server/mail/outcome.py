"""What becomes of a mail after a try: plain rules over values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.mail.entities import ClaimedMail
from server.mail.mailer import DeliveryFailed, MailRefused, MailSystemAway, RecipientRefused
from server.mail.masking import without_address

FIRST_PAUSE_SECONDS: Final = 5.0
PAUSE_GROWTH: Final = 6
"""The second pause is six times the first: 5 s, 30 s, 3 min."""
LEAST_SPREAD: Final = 0.8
MOST_SPREAD: Final = 1.2
"""Pauses vary by 20 % either way, so that mails refused together do not come back together."""
COMPOSE_ATTEMPTS: Final = 3
"""How often a mail that cannot be composed is tried: the fault may lie in a moment, or in the mail."""
EXPIRED: Final = "EXPIRED"
"""The error of a mail whose code had ended before it could be sent."""
LONGEST_OUTAGE: Final = timedelta(hours=24)
"""How long a mail waits for a mail system that is away."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The mail was delivered."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """The mail is to be tried again in `seconds`; `counted` tries are limited."""

    seconds: float
    error: str
    counted: bool


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The mail will not be delivered."""

    error: str
    harmless: bool = False
    """It lies with this mail's recipient or its age, and says nothing of how mails flow."""
    counted: bool = True
    """It was tried."""


Outcome = Sent | Postponed | GivenUp


def after_failed_delivery(mail: ClaimedMail, failure: DeliveryFailed, max_attempts: int, spread: float) -> Outcome:
    """What follows from a failure of the mailer. `spread`: a random factor from LEAST_SPREAD to MOST_SPREAD."""
    error = without_address(str(failure), mail.recipient)
    match failure:
        case MailRefused():
            return GivenUp(error, harmless=isinstance(failure, RecipientRefused))
        case MailSystemAway() if mail.claimed_at - mail.queued_at < LONGEST_OUTAGE:
            return Postponed(FIRST_PAUSE_SECONDS, error, counted=False)
        case MailSystemAway():
            return GivenUp(error)
    return _again(mail, error, max_attempts, spread)


def after_failed_composing(mail: ClaimedMail, error: str, spread: float) -> Outcome:
    """What follows when a mail cannot be made: it is set aside after a few tries, and others flow on."""
    return _again(mail, error, COMPOSE_ATTEMPTS, spread)


def _again(mail: ClaimedMail, error: str, max_attempts: int, spread: float) -> Outcome:
    if mail.attempts + 1 >= max_attempts:
        return GivenUp(error)
    return Postponed(FIRST_PAUSE_SECONDS * PAUSE_GROWTH**mail.attempts * spread, error, counted=True)
