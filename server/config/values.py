"""The types of settings, each checked when the settings are read, and the names of secret settings."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

SECRETS: Final = (
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "SEALER_DATABASE_URL",
    "DB_PASSWORD",
    "ADMIN_PASSWORD",
    "JWT_SECRET",
    "JWT_FORMER_SECRET",
    "QR_ENCRYPTION_KEY",
    "RATE_LIMIT_REDIS_URL",
    "SMTP_PASS",
    "METRICS_TOKEN",
)
"""Variables that may also be given as a file: `NAME_FILE` holds its path."""

MOST_PORT: Final = 65535
PLACE: Final = re.compile(r"(\[[^]]*\]|[^][:]*)(:\d{0,5})?")
"""A host, in brackets if it contains colons, and a port."""


def host_and_port(value: str) -> str:
    """Returns the value. Raises ValueError if it is no `host:port`."""
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > MOST_PORT:
        raise ValueError("must be host:port")
    return value


def is_on_loopback(address: str) -> bool:
    """Returns whether only this machine can reach a `host:port`."""
    host = address.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or (host.replace(".", "").isdecimal() and host.startswith("127."))


def url(value: SecretStr | None, *beginnings: str) -> SecretStr | None:
    """Returns the value. Raises ValueError, which does not quote it, if it is no URL with one of these beginnings."""
    if value is None:
        return None
    if not value.get_secret_value().startswith(beginnings):
        raise ValueError(f"must begin with {' or '.join(beginnings)}")
    try:
        places = urlsplit(value.get_secret_value()).netloc.rpartition("@")[2]
    except ValueError:
        raise ValueError("is no URL") from None
    if not all(map(PLACE.fullmatch, places.split(","))):
        raise ValueError("must name host:port after the @")
    return value


def known_zone(value: str) -> str:
    """Returns the value. Raises ValueError if it is no IANA time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no IANA time zone") from error
    return value


Address = Annotated[str, AfterValidator(host_and_port)]
Port = Annotated[int, Field(ge=1, le=MOST_PORT)]
TimeZone = Annotated[str, AfterValidator(known_zone)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000)]
