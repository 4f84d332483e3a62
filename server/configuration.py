"""What of the configuration only the parts that use it can judge."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.auth.password_rule import check_new_password
from server.errors import ValidationFailed
from server.mail.envelope import sender_domain
from server.qr.signed_code import QrKeyRing
from server.rate_limits.budgets import Budgets
from server.rate_limits.networks import known_networks
from server.settings import ConfigurationWrong, Settings


def check(settings: Settings) -> None:
    """Try every setting on its part. Raises ConfigurationWrong naming every variable that is wrong."""
    ring, admin = settings.qr_encryption_key, settings.admin_password
    faults: dict[str, str] = {}
    with _judging("QR_ENCRYPTION_KEY", faults):
        if ring is not None:
            QrKeyRing.parse(ring.get_secret_value())
    with _judging("RATE_LIMITS", faults):
        Budgets(settings.rate_limits, settings.rate_limit_factor)
    with _judging("RATE_LIMIT_NETWORKS", faults):
        known_networks(settings.rate_limit_networks)
    with _judging("RATE_LIMIT_REDIS_URL", faults):
        if settings.production and settings.server_processes > 1 and settings.rate_limit_redis_url is None:
            raise ValueError("production needs it when SERVER_PROCESSES is more than 1")
    with _judging("EMAIL_FROM", faults):
        sender_domain(settings.email_from)
    with _judging("ADMIN_PASSWORD", faults):
        if admin is not None:
            check_new_password(admin.get_secret_value(), settings.admin_email)
    if faults:
        raise ConfigurationWrong(faults)


@contextmanager
def _judging(name: str, faults: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        faults[name] = str(error)
    except ValidationFailed as error:
        faults[name] = error.violations[0].message
