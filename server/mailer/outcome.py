"""Decides the outcome of a delivery attempt: pure functions over values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.mailer.entities import ClaimedEmail
from server.mailer.transport import DeliveryFailed, MailRefused, MailSystemAway, RecipientRefused
from server.outbox.masking import without_address

FIRST_PAUSES_SECONDS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""The pauses after the first attempts. Greylisting servers refuse for minutes, full mailboxes for hours."""
LATER_PAUSE_SECONDS: Final = 3600.0
LEAST_SPREAD: Final = 0.8
MOST_SPREAD: Final = 1.2
"""Pauses vary by 20 % either way, so that emails refused together do not come back together."""
LONGEST_WAIT: Final = timedelta(hours=24)
"""How long an email waits, from when it was queued, for a mail server that is unreachable or defers it."""
EXPIRED: Final = "EXPIRED"
"""The error of an email whose code expired before it could be sent."""
ADDRESS_UNCONFIRMED: Final = "ADDRESS_UNCONFIRMED"
"""The error of an email that waits until its address is confirmed."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The email was delivered."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """The email is to be sent again in `seconds`."""

    seconds: float
    error: str
    counted: bool
    """True if this counts as an attempt; an unreachable mail server does not."""
    deferred: bool = False
    """True if the mail server refused the email temporarily."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The email will not be delivered."""

    error: str
    harmless: bool = False
    """True if the cause is this email's recipient or age, so that the queue still counts as healthy."""
    counted: bool = True
    """True if this counts as an attempt."""


@dataclass(frozen=True, slots=True)
class Held:
    """The email waits until the owner of the address has confirmed it."""

    error: str


DeliveryOutcome = Sent | Postponed | GivenUp | Held


def after_failed_delivery(mail: ClaimedEmail, failure: DeliveryFailed, spread: float) -> DeliveryOutcome:
    """Returns the outcome after a failure of the mailer. `spread`: a random factor from LEAST_SPREAD to MOST_SPREAD."""
    error = without_address(str(failure), mail.recipient)
    late = mail.claimed_at - mail.queued_at >= LONGEST_WAIT
    match failure:
        case MailRefused():
            return GivenUp(error, harmless=isinstance(failure, RecipientRefused))
        case MailSystemAway():
            return GivenUp(error) if late else Postponed(FIRST_PAUSES_SECONDS[0], error, counted=False)
    # Even after an outage of a day an email is sent again within minutes, as greylisting servers require.
    if late and mail.deferrals >= len(FIRST_PAUSES_SECONDS):
        return GivenUp(error)
    return Postponed(_before_expiry(mail, pause_seconds(mail.deferrals)) * spread, error, counted=True, deferred=True)


def after_failed_composing(mail: ClaimedEmail, error: str, max_attempts: int, spread: float) -> DeliveryOutcome:
    """Returns the outcome for an email that cannot be composed: given up after `max_attempts`.

    The cause may be temporary or lie in the email itself. `spread`: as in after_failed_delivery.
    """
    faults = mail.attempts - mail.deferrals
    if faults + 1 >= max_attempts:
        return GivenUp(error)
    return Postponed(pause_seconds(faults) * spread, error, counted=True)


def pause_seconds(tries: int) -> float:
    """Returns the pause after this number of earlier attempts: 5 s, 30 s, 2 min, 10 min, 30 min, then an hour."""
    return FIRST_PAUSES_SECONDS[tries] if tries < len(FIRST_PAUSES_SECONDS) else LATER_PAUSE_SECONDS


def _before_expiry(mail: ClaimedEmail, seconds: float) -> float:
    """Returns the pause, at most half of a code's remaining validity, so that one more attempt precedes its expiry."""
    if mail.expires_at is None:
        return seconds
    left = (mail.expires_at - mail.claimed_at).total_seconds()
    return min(seconds, max(left / 2, FIRST_PAUSES_SECONDS[0]))
