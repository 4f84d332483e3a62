"""Second factors, as their owner sees them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SecondFactorKind(StrEnum):
    """The kind of a second factor."""

    TOTP = "totp"
    """An app that shows time-based codes of six digits."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A second factor of an account."""

    id: str
    kind: SecondFactorKind
    label: str
    """The name that its owner gave it."""
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """The second factors of an account."""

    factors: tuple[SecondFactor, ...]
    recovery_codes_left: int
    required: bool
    """Whether the account must have a second factor."""
    required_from: datetime | None
    """The time from which it can do nothing without one; None unless it must have one and has none."""


@dataclass(frozen=True, slots=True)
class NewTotp:
    """The values that an authenticator app needs; keep them secret."""

    factor_id: str
    secret: str = field(repr=False)
    """In base32, to be typed."""
    uri: str = field(repr=False)
    """The `otpauth:` address in the QR code."""
    qr_image: str = field(repr=False)
    """The QR code as a `data:` URL of a PNG."""


@dataclass(frozen=True, slots=True)
class ConfirmedTotp:
    """An authenticator app that works now."""

    factor: SecondFactor
    recovery_codes: tuple[str, ...] = field(repr=False)
    """The recovery codes, if it is the account's first factor; otherwise empty."""
