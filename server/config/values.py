"""The types of settings: each value is checked when the settings are read."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

MOST_PORT: Final = 65535
PLACE: Final = re.compile(r"(\[[^]]*\]|[^][:]*)(:\d{0,5})?")
"""A host, in brackets if it contains colons, and a port."""


def host_and_port(value: str) -> str:
    """Returns the value. Raises ValueError if it is no `host:port`."""
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > MOST_PORT:
        raise ValueError("must be host:port")
    return value


def on_loopback(value: str) -> str:
    """Returns the value. Raises ValueError if other machines could reach the address."""
    host = value.rpartition(":")[0].strip("[]")
    if host != "localhost" and not (host.replace(".", "").isdecimal() and host.startswith("127.")) and host != "::1":
        raise ValueError("must be on loopback, such as 127.0.0.1:9090")
    return value


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


Address = Annotated[str, AfterValidator(host_and_port)]
LoopbackAddress = Annotated[Address, AfterValidator(on_loopback)]
Port = Annotated[int, Field(ge=1, le=MOST_PORT)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000)]
