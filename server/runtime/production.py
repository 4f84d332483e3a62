"""The settings that production refuses.

Source: OWASP ASVS 13.1 to 13.3 (no default credentials, no debug modes, secrets of full strength).
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from server.auth.tokens import key_file
from server.config.settings import Settings
from server.qr.key_ring import secrets_of

LEAST_DIFFERENT_BYTES: Final = 16
"""The minimum of distinct bytes in a secret; 32 random bytes have fewer about once in 10 ** 12 times."""
WELL_KNOWN: Final = frozenset({"secret", "password", "postgres", "medconnect", "admin", "example-only-7qd2"})
"""Secrets and passwords from examples, in lower case."""
WELL_KNOWN_BEGINNINGS: Final = ("your_", "your-", "changeme", "change-me", "change_me", "default-key", "default_key")
VERIFIED: Final = frozenset({"verify-ca", "verify-full"})
"""The values of `sslmode` that verify the database's certificate."""
ORIGIN: Final = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?")
WEB_ADDRESS: Final = re.compile(rf"{ORIGIN.pattern}(/\S*)?")
EVERYBODY: Final = 0o007
"""The permission bits of all other accounts."""

Faults = Iterator[tuple[str, str]]
"""Pairs of a variable and what is wrong with it, never its value."""


def faults(settings: Settings, files_with_secrets: Mapping[str, Path]) -> Faults:
    """Yields every variable that production refuses, and why.

    files_with_secrets: the files that hold secrets, by the variable that puts them there.
    """
    yield from _missing(settings)
    yield from _weak_keys(settings)
    yield from _equal_keys(settings)
    yield from _weak_passwords(settings)
    yield from _plain_connections(settings)
    if settings.rate_limit_redis_url is not None:
        yield from (("RATE_LIMIT_REDIS_URL", fault) for fault in _redis_faults(settings.rate_limit_redis_url))
    yield from _relaxed(settings)
    yield from _readable_by_all(settings, files_with_secrets)


def _missing(settings: Settings) -> Faults:
    if settings.jwt_secret is None and settings.jwt_keys_file is None:
        yield "JWT_SECRET", "is missing, and so is JWT_KEYS_FILE"
    if settings.qr_encryption_key is None:
        yield "QR_ENCRYPTION_KEY", "is missing"
    if settings.smtp_host is None:
        yield "SMTP_HOST", "is missing: emails would be written to a folder"
    if settings.external_database is not None and settings.sealer_database_url is None:
        yield "SEALER_DATABASE_URL", "is missing: the audit is sealed by an account of its own"
    if settings.server_processes > 1 and settings.rate_limit_redis_url is None:
        yield "RATE_LIMIT_REDIS_URL", "is missing: SERVER_PROCESSES is more than 1"


def _weak_keys(settings: Settings) -> Faults:
    for name, secret in _keys(settings):
        if _well_known(secret):
            yield name, "is an example's secret"
        elif len(set(_bytes(secret))) < LEAST_DIFFERENT_BYTES:
            yield name, "is not random: it has too few different bytes"


def _equal_keys(settings: Settings) -> Faults:
    for (_, one), (name, other) in combinations(_keys(settings), 2):
        if one == other:
            yield name, "is used twice: every key needs a secret of its own"


def _weak_passwords(settings: Settings) -> Faults:
    for name, url in _databases(settings):
        if _well_known(urlsplit(url).password or ""):
            yield name, "holds an example's password"
    for name, password in (("DB_PASSWORD", settings.db_password), ("SMTP_PASS", settings.smtp_pass)):
        if _well_known(password.get_secret_value()):
            yield name, "is an example's password"


def _plain_connections(settings: Settings) -> Faults:
    for name, address in _listening(settings):
        if settings.tls is None and not _is_local(address.rpartition(":")[0]):
            yield name, "can be reached from other machines: that needs TLS_CERT and TLS_KEY"
    for name, url in _databases(settings):
        if not all(map(_is_local, _database_hosts(url))) and _option(url, "sslmode") not in VERIFIED:
            yield name, "names another machine: that needs sslmode=verify-full"
    if settings.database_url is None and settings.db_host is not None and not _is_local(settings.db_host):
        yield "DB_HOST", "is another machine: that needs DATABASE_URL with sslmode=verify-full"
    if settings.smtp_security == "none":
        yield "SMTP_SECURITY", "must be starttls or tls"
    if not WEB_ADDRESS.fullmatch(settings.frontend_url):
        yield "FRONTEND_URL", "must begin with https://"
    if not all(map(ORIGIN.fullmatch, settings.cors_origins)):
        yield "CORS_ORIGINS", "must be origins that begin with https:// and have no path; `*` is none"


def _listening(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "GRPC_ADDRESS", settings.grpc_address
    yield "REST_ADDRESS", settings.rest_address
    if settings.grpc_direct_address is not None:
        yield "GRPC_DIRECT_ADDRESS", settings.grpc_direct_address
    if settings.metrics_address is not None:
        yield "METRICS_ADDRESS", settings.metrics_address


def _redis_faults(given: SecretStr) -> Iterator[str]:
    url = given.get_secret_value()
    if _well_known(urlsplit(url).password or ""):
        yield "holds an example's password"
    if url.startswith("redis://") and not _is_local(urlsplit(url).hostname or ""):
        yield "names another machine: that needs rediss://"
    if _option(url, "ssl_cert_reqs") not in ("", "required") or _option(url, "ssl_check_hostname"):
        yield "must not leave the server's certificate unchecked"


def _relaxed(settings: Settings) -> Faults:
    if settings.log_level == "debug":
        yield "LOG_LEVEL", "must not be debug"
    if settings.registration_confirm_email is False:
        yield "REGISTRATION_CONFIRM_EMAIL", "must not be false: a registered address would count without its code"
    if settings.rate_limit_factor != 1:
        yield "RATE_LIMIT_FACTOR", "must be 1: it is for load tests"


def _readable_by_all(settings: Settings, files_with_secrets: Mapping[str, Path]) -> Faults:
    keys = {"TLS_KEY": settings.tls_key} if settings.tls_key else {}
    for name, path in {**files_with_secrets, **keys}.items():
        if path.exists() and path.stat().st_mode & EVERYBODY:
            yield name, "is in a file that every account of this machine may read"


def _keys(settings: Settings) -> list[tuple[str, str]]:
    """Returns every secret that keys are derived from, by its variable."""
    keys = [("JWT_SECRET", settings.jwt_secret.get_secret_value())] if settings.jwt_secret else []
    if settings.jwt_former_secret is not None:
        keys.append(("JWT_FORMER_SECRET", settings.jwt_former_secret.get_secret_value()))
    if settings.jwt_keys_file is not None:
        try:
            ring = key_file.read(settings.jwt_keys_file)
            keys += [("JWT_KEYS_FILE", root) for root in (ring.root, *ring.former_roots)]
        except (OSError, key_file.KeyFileWrong):
            keys += []  # validation.py checks the file as a whole
    if settings.qr_encryption_key is not None:
        keys += [("QR_ENCRYPTION_KEY", each) for each in secrets_of(settings.qr_encryption_key.get_secret_value())]
    return keys


def _databases(settings: Settings) -> list[tuple[str, str]]:
    urls: dict[str, SecretStr | None] = {
        "DATABASE_URL": settings.database_url,
        "MIGRATION_DATABASE_URL": settings.migration_database_url,
        "SEALER_DATABASE_URL": settings.sealer_database_url,
    }
    return [(name, url.get_secret_value()) for name, url in urls.items() if url is not None]


def _database_hosts(url: str) -> list[str]:
    """Returns all hosts that the URL names; the driver uses whichever answers."""
    places = urlsplit(url).netloc.rpartition("@")[2] or _option(url, "host")
    return [re.sub(r":\d*$", "", place.lower()) for place in places.split(",")]


def _option(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query).get(name, [""])[-1]


def _is_local(host: str) -> bool:
    """Returns whether connections to the host stay on this machine: a loopback address, or a folder of sockets."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in ("", "localhost") or host.startswith("/")


def _well_known(secret: str) -> bool:
    lower = secret.lower()
    return lower in WELL_KNOWN or lower.startswith(WELL_KNOWN_BEGINNINGS)


def _bytes(secret: str) -> bytes:
    """Returns the random bytes of a secret: the decoded bytes if it is hexadecimal."""
    try:
        return bytes.fromhex(secret)
    except ValueError:
        return secret.encode()
