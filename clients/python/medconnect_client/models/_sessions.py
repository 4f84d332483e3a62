"""Sessions, as their owner and admins see them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeactivationReason(StrEnum):
    """Why an admin deactivates an account; all but `LEFT` suspend the open prescriptions of a doctor."""

    LEFT = "left"
    LICENCE_WITHDRAWN = "licence_withdrawn"
    ACCOUNT_STOLEN = "account_stolen"


class EndSessionsReason(StrEnum):
    """Why an admin ends the sessions of an account."""

    DEVICE_LOST = "device_lost"
    """A device was lost or stolen."""
    MISUSE_SUSPECTED = "misuse_suspected"
    """Another person may have used the account."""
    LEFT_SIGNED_IN = "left_signed_in"
    """A device was left signed in."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that has not ended: one sign-in on one device."""

    id: str
    device: str
    """The device or program that signed in, such as `Firefox on Windows`."""
    address: str
    """The client address of the last use; empty if it was not recorded."""
    created_at: datetime
    """The time of the sign-in."""
    last_used_at: datetime
    """The sign-in, or the last refresh of the tokens after a person acted."""
    expires_at: datetime
    """The time when the session ends unless it is used before."""
    current: bool
    """Whether it is the session of this client."""
