"""Validates the configuration as a whole: each setting where it is used, and what production refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from server.auth.rules.passwords import check_new_password
from server.auth.tokens import key_file
from server.config.settings import ConfigurationWrong, Settings, files_with_secrets, read_leniently, socket_of
from server.config.values import is_on_loopback
from server.errors import ValidationFailed
from server.mailer.message import sender_domain
from server.qr.key_ring import QrKeyRing
from server.rate_limits.budgets import Budgets
from server.rate_limits.networks import known_networks
from server.runtime import production

LEAST_TOKEN_CHARACTERS: Final = 16
LONGEST_SOCKET_PATH: Final = 107
"""The limit of Unix for a socket's path (sun_path), in bytes."""


def read(**overrides: Any) -> Settings:  # noqa: ANN401 - each setting has its own type
    """Reads and validates the settings. Raises ConfigurationWrong naming every variable that any check refuses."""
    settings, unreadable = read_leniently(**overrides)
    # A secret whose file cannot be read is not also missing.
    faulty = {name: fault for name, fault in _faults(settings).items() if f"{name}_FILE" not in unreadable}
    if faults := {**faulty, **unreadable}:
        raise ConfigurationWrong(faults)
    return settings


def check(settings: Settings) -> None:
    """Validates every setting. Raises ConfigurationWrong naming every variable that is wrong."""
    if faults := _faults(settings):
        raise ConfigurationWrong(faults)


def _faults(settings: Settings) -> dict[str, str]:
    faults = dict(production.faults(settings, files_with_secrets())) if settings.production else {}
    ring, admin = settings.qr_encryption_key, settings.admin_password
    with _judging("QR_ENCRYPTION_KEY", faults):
        if ring is not None:
            QrKeyRing.parse(ring.get_secret_value())
    with _judging("RATE_LIMITS", faults):
        Budgets(settings.rate_limits, settings.rate_limit_factor)
    with _judging("RATE_LIMIT_NETWORKS", faults):
        known_networks(settings.rate_limit_networks)
    with _judging("MEDCONNECT_HOME", faults):
        if len(bytes(socket_of(settings, settings.server_processes).absolute())) > LONGEST_SOCKET_PATH:
            raise ValueError(f"is too long: the path of a socket in it has at most {LONGEST_SOCKET_PATH} bytes")
    with _judging("EMAIL_FROM", faults):
        sender_domain(settings.email_from)
    with _judging("ADMIN_PASSWORD", faults):
        if admin is not None:
            check_new_password(admin.get_secret_value(), settings.admin_email)
    with _judging("JWT_KEYS_FILE", faults):
        if settings.jwt_keys_file is not None:
            key_file.read(settings.jwt_keys_file)
            if settings.jwt_secret is not None:
                raise ValueError("JWT_SECRET is given too: leave one of them out")
    with _judging("JWT_FORMER_SECRET", faults):
        if settings.jwt_former_secret is not None and settings.jwt_secret is None:
            raise ValueError("belongs to JWT_SECRET, which is missing")
    _judge_tls(settings, faults)
    _judge_metrics(settings, faults)
    return faults


def _judge_tls(settings: Settings, faults: dict[str, str]) -> None:
    with _judging("TLS_KEY" if settings.tls_cert else "TLS_CERT", faults):
        if (settings.tls_cert is None) != (settings.tls_key is None):
            raise ValueError("is missing: a certificate and its key belong together")
        if settings.tls is not None:
            settings.tls.check_pair()
    with _judging("TLS_CLIENT_CA", faults):
        if settings.tls is not None:
            settings.tls.check_client_ca()
        elif settings.tls_client_ca is not None:
            raise ValueError("needs TLS_CERT and TLS_KEY")


def _judge_metrics(settings: Settings, faults: dict[str, str]) -> None:
    address, token = settings.metrics_address, settings.metrics_token
    with _judging("METRICS_ADDRESS", faults):
        unprotected = token is None and settings.metrics_client_ca is None
        if address is not None and unprotected and not is_on_loopback(address):
            raise ValueError("can be reached from other machines: that needs METRICS_TOKEN or METRICS_CLIENT_CA")
    with _judging("METRICS_TOKEN", faults):
        if token is not None and len(token.get_secret_value()) < LEAST_TOKEN_CHARACTERS:
            raise ValueError(f"needs at least {LEAST_TOKEN_CHARACTERS} characters")
    with _judging("METRICS_CLIENT_CA", faults):
        if settings.metrics_client_ca is not None:
            if settings.tls is None:
                raise ValueError("needs TLS_CERT and TLS_KEY")
            replace(settings.tls, client_ca=settings.metrics_client_ca).check_client_ca()


@contextmanager
def _judging(name: str, faults: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except OSError:  # its text may hold a path; ssl's errors are among them
        faults[name] = "cannot be used: a file is missing, unreadable, or not what it should be"
    except ValueError as error:
        faults[name] = str(error)
    except ValidationFailed as error:
        faults[name] = error.violations[0].message
