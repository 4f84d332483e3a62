"""Rules of second factors: time-based codes (RFC 6238), recovery codes, and the accounts that must have a factor.

Sources: RFC 6238 (TOTP); OWASP ASVS 6.5 and 6.6; NIST SP 800-63B-4, sections 3.1.4 and 3.2.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from server.identity import Role
from server.typed_number import CROCKFORD, LOOK_ALIKES

DIGITS: Final = 6
STEP: Final = timedelta(seconds=30)
TOLERATED_STEPS: Final = 1
"""How many steps an app's clock may be ahead or behind."""
SECRET_BYTES: Final = 20
"""The length of HMAC-SHA-1's output, which RFC 4226 recommends."""
MAX_FACTORS: Final = 5
CHALLENGE_LIFE: Final = timedelta(minutes=5)
FRESH_FOR: Final = timedelta(minutes=10)
"""How long methods that need a step-up accept a verification."""
CONFIRM_WITHIN: Final = timedelta(minutes=10)
RECOVERY_CODES: Final = 10
PASSWORD_RESET_ALLOWED_FOR: Final = timedelta(hours=24)

_ISSUER: Final = "MedConnect"
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """The accounts that must have a second factor.

    required: their roles. grace: how long an account may do without one.
    """

    required: Set[Role]
    grace: timedelta

    def requires(self, role: Role) -> bool:
        """Returns whether accounts of a role must have a second factor."""
        return role in self.required


def new_secret() -> bytes:
    """Returns a random secret for an authenticator app."""
    return secrets.token_bytes(SECRET_BYTES)


def base32(secret: bytes) -> str:
    """Returns a secret as apps let people type it."""
    return base64.b32encode(secret).decode()


def app_address(secret: bytes, account: str) -> str:
    """Returns the `otpauth:` address that authenticator apps read from a QR code."""
    label = quote(f"{_ISSUER}:{account}")
    query = urlencode(
        {"secret": base32(secret), "issuer": _ISSUER, "digits": DIGITS, "period": int(STEP.total_seconds())}
    )
    return f"otpauth://totp/{label}?{query}"


def code_at(secret: bytes, step: int) -> str:
    """Returns the code of a time step."""
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - RFC 6238's default, which every app has


def step_at(now: datetime) -> int:
    """Returns the time step of a time."""
    return int(now.timestamp() // STEP.total_seconds())


def matching_step(secret: bytes, code: str, now: datetime, last_step: int | None) -> int | None:
    """Returns the tolerated time step whose code this is, or None.

    last_step: the step of the last code that was used; its code and older ones never match.
    """
    current = step_at(now)
    for step in range(current - TOLERATED_STEPS, current + TOLERATED_STEPS + 1):
        used = last_step is not None and step <= last_step
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and not used:
            return step
    return None


def is_app_code(code: str) -> bool:
    """Returns whether a code has the form of an app's code; others are taken for recovery codes."""
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def new_recovery_codes() -> tuple[str, ...]:
    """Returns new codes of 80 random bits each, such as `7Q2D-0KX4-M9TB-R1VE`."""
    return tuple(
        "-".join("".join(secrets.choice(CROCKFORD) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    )


def recovery_hash(user_id: UUID, code: str) -> bytes:
    """Returns the hash to store for a recovery code, in any case, with or without dashes.

    A plain hash suffices: 80 random bits cannot be tried through.
    """
    folded = code.replace("-", "").upper().translate(LOOK_ALIKES)
    return hashlib.sha256(user_id.bytes + folded.encode()).digest()


def new_challenge() -> str:
    """Returns a random challenge of 256 bits for a sign-in that waits for its second factor."""
    return secrets.token_urlsafe(32)


def challenge_hash(challenge: str) -> bytes:
    """Returns the hash to store for a challenge."""
    return hashlib.sha256(challenge.encode()).digest()
