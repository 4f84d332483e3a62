"""Tests the sources of settings: the environment, a `.env` file, and files for secrets."""

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from server.config.settings import ConfigurationWrong, Settings, read_settings
from server.config.values import SECRETS

ROOT = Path(__file__).parents[2]
SECRET = "an example secret of 32 bytes or more"


@pytest.fixture(autouse=True)
def _nothing_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Removes this machine's variables and any `.env` file."""
    monkeypatch.chdir(tmp_path)
    names = {name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().removesuffix("_FILE") in names:
            monkeypatch.delenv(name)


def configure(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_any_configuration_it_is_a_development_instance() -> None:
    settings = read_settings()
    assert not settings.production
    assert settings.external_database is None
    assert (settings.grpc_address, settings.rest_address) == ("127.0.0.1:50051", "127.0.0.1:3000")
    assert (settings.prescription_valid_days, settings.qr_valid_days, settings.claim_minutes) == (30, 7, 30)
    assert (settings.staff_idle_minutes, settings.confirms_email) == (30, False)
    assert (settings.jwt_expires_in, settings.currency, settings.hospital_time_zone) == (900, "USD", "UTC")


def test_the_example_file_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    example = (ROOT / "env.example").read_text()
    shown = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
    unshown = {"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"}  # described with DATABASE_URL
    assert shown | unshown == {name.upper() for name in Settings.model_fields}
    (tmp_path / ".env").write_text(re.sub(r"^#(?=[A-Z_]+=)(?!DATABASE_URL)", "", example, flags=re.MULTILINE))
    assert read_settings() == Settings.model_construct()


def test_environment_overrides_file_and_arguments_override_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CURRENCY=EUR\nQR_VALID_DAYS=9\nCLAIM_MINUTES=15\n")
    configure(monkeypatch, CURRENCY="CHF", CLAIM_MINUTES="20")
    settings = read_settings(claim_minutes=25)
    assert (settings.currency, settings.qr_valid_days, settings.claim_minutes) == ("CHF", 9, 25)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_every_secret_may_stand_in_a_file(
    name: str, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scheme = {"RATE_LIMIT_REDIS_URL": "rediss"}.get(name, "postgresql" if name.endswith("DATABASE_URL") else "")
    secret = f"{scheme}://:{SECRET}@host" if scheme else SECRET
    (tmp_path / "secret").write_text(f"{secret}\n")
    if place == "environment":
        configure(monkeypatch, **{f"{name}_FILE": f"{tmp_path}/secret"})
    else:
        (tmp_path / ".env").write_text(f"{name}_FILE={tmp_path}/secret\n")
    assert getattr(read_settings(), name.lower()) == SecretStr(secret)


def test_every_secret_setting_is_on_the_list() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert {name.lower() for name in SECRETS} == secret


def test_empty_variables_are_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_settings()
    configure(monkeypatch, JWT_SECRET="", SMTP_HOST="", CURRENCY="", RATE_LIMITS="")
    assert read_settings() == before


def test_production_confirms_addresses_unless_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, MEDCONNECT_ENV="production")
    assert read_settings().confirms_email
    configure(monkeypatch, REGISTRATION_CONFIRM_EMAIL="false")
    assert not read_settings().confirms_email
    configure(monkeypatch, MEDCONNECT_ENV="development", REGISTRATION_CONFIRM_EMAIL="true")
    assert read_settings().confirms_email


def test_production_requires_identification_unless_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment, wanted, required in (
        ("production", "", True),
        ("production", "offered", False),
        ("development", "", False),
        ("development", "required", True),
    ):
        configure(monkeypatch, MEDCONNECT_ENV=environment, PATIENT_IDENTIFICATION=wanted)
        assert read_settings().requires_identification is required, (environment, wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEDCONNECT_ENV", "staging"),
        ("JWT_SECRET", "x" * 31),
        ("JWT_EXPIRES_IN", "59"),
        ("JWT_EXPIRES_IN", "3601"),
        ("DB_POOL_SIZE", "0"),
        ("SERVER_PROCESSES", "0"),
        ("TRUSTED_PROXIES", "-1"),
        ("METRICS_ADDRESS", "127.0.0.1"),
        ("RATE_LIMIT_REDIS_URL", "http://127.0.0.1:6379"),
        ("SMTP_PORT", "mail"),
        ("SMTP_SECURITY", "ssl"),
        ("EMAIL_DETAIL", "some"),
        ("EMAIL_UNCONFIRMED", "all"),
        ("PATIENT_IDENTIFICATION", "never"),
        ("UNCONFIRMED_ACCOUNT_DAYS", "0"),
        ("RATE_LIMIT_FACTOR", "0"),
        ("RATE_LIMITS", "login"),
        ("RATE_LIMITS", "login=many"),
        ("RATE_LIMITS", "login=0"),
        ("RATE_LIMITS", "login=" + "9" * 400),
        ("PRESCRIPTION_VALID_DAYS", "0"),
        ("CURRENCY", "usd"),
        ("HOSPITAL_TIME_ZONE", "Mars/Olympus"),
        ("HOSPITAL_TIME_ZONE", "../../etc/passwd"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("STAFF_IDLE_MINUTES", "0"),
        ("STAFF_IDLE_MINUTES", "721"),
        ("REGISTRATION_CONFIRM_EMAIL", "maybe"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, **{name: value})
    with pytest.raises(ConfigurationWrong) as raised:
        read_settings()
    assert list(raised.value.faults) == [name]
    assert f"'{value}'" not in repr(raised.value.faults)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(
        monkeypatch,
        JWT_SECRET=SECRET,
        QR_ENCRYPTION_KEY=SECRET,
        DATABASE_URL="postgresql://me:hunter2@db/x",
        DB_PASSWORD="hunter2",
    )
    shown = repr(read_settings()) + str(read_settings())
    assert SECRET not in shown
    assert "hunter2" not in shown


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CORS_ORIGINS=" https://a.example , https://b.example,", RATE_LIMITS="login=10, scan=60")
    settings = read_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.rate_limits == {"login": 10, "scan": 60}


def test_the_database_may_be_given_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, DB_HOST="db", DB_USER="a b", DB_PASSWORD="p@ss:w/rd", DB_NAME="clinic", DB_PORT="6432")
    assert read_settings().external_database == "postgresql://a%20b:p%40ss%3Aw%2Frd@db:6432/clinic"
    configure(monkeypatch, DATABASE_URL="postgresql://other/db")
    assert read_settings().external_database == "postgresql://other/db"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        read_settings().currency = "EUR"


@pytest.mark.parametrize(
    ("variables", "tls"),
    [
        ({}, False),
        ({"FRONTEND_URL": "https://hospital.example"}, True),
        ({"FRONTEND_URL": "http://hospital.example"}, False),
        ({"TLS_CERT": "a.pem", "TLS_KEY": "b.pem"}, True),
    ],
)
def test_browsers_use_tls_if_instance_or_proxy_provides_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tls: bool
) -> None:
    configure(monkeypatch, **variables)
    assert read_settings().browsers_use_tls is tls
