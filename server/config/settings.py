"""The settings, read from the environment, a `.env` file, or for secrets from `NAME_FILE`.

`env.example` lists every variable with its meaning. No other module reads the environment.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.config.tls import TlsFiles
from server.config.values import SECRETS, Address, Port, TimeZone, Tokens, url

LEAST_SECRET_BYTES: Final = 32
ENV_FILE: Final = ".env"


class ConfigurationWrong(Exception):
    """Raised for settings that cannot work; `faults` states for each variable what is wrong, without its value."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


class Settings(BaseSettings):
    """The configuration of one instance; immutable once read."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    medconnect_env: Literal["development", "production"] = "development"
    """Production refuses unsafe settings (`server/runtime/production.py`) and serves no reflection."""
    medconnect_home: Path = Path("var")
    """The state folder: embedded database, generated keys, emails, sockets."""
    backup_folder: Path | None = None
    """The folder of the embedded database's base backups, to which its write-ahead log is copied as it is written.

    None: no copy is made."""

    database_url: SecretStr | None = None
    """PostgreSQL 14 or newer, `postgresql://user:password@host:port/name`; none: the embedded one."""
    migration_database_url: SecretStr | None = None
    """The database URL of the schema's owner, for migrations; none: DATABASE_URL."""
    sealer_database_url: SecretStr | None = None
    """The database URL of the account that seals the audit; none: DATABASE_URL, outside production."""
    db_host: str | None = None
    """With the other DB_ variables an alternative to DATABASE_URL."""
    db_port: Port = 5432
    db_name: str = "medconnect"
    db_user: str = "medconnect"
    db_password: SecretStr = SecretStr("")
    db_pool_size: Annotated[int, Field(ge=1, le=100)] = 10
    """Connections that a process keeps open; half as many more are opened briefly when all are in use."""

    grpc_address: Address = "127.0.0.1:50051"
    """The gRPC address, `host:port`: the edge's second port, or the server's own with `medconnect serve`."""
    grpc_direct_address: Address | None = None
    """The address at which the server itself serves gRPC without the edge, `host:port`, for trusted networks; None:
    none."""
    rest_address: Address = "127.0.0.1:3000"
    """The REST address, `host:port`."""
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """How many proxies before REST append to `x-forwarded-for`; with 0, the address that connects is the client's."""
    server_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """How many processes serve gRPC."""
    lame_duck_seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    """How long a stopping server reports NOT_SERVING and still serves new calls, so that load balancers notice; none: 3
    with `medconnect serve`, 0 with `medconnect up`, whose own Envoy drains first."""
    edge_workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """Envoy's worker threads for REST; none: one per core."""
    metrics_address: Address | None = None
    """The address of the Prometheus metrics, `host:port`; with several serving processes the second one uses the next
    port, and so on, and the process with worker and edge the one after the last. None: no metrics are served."""
    metrics_token: SecretStr | None = None
    """The bearer token that readers of the metrics must present; none: only METRICS_CLIENT_CA protects them."""
    metrics_client_ca: Path | None = None
    """The root certificates (PEM) for mandatory client certificates of the metrics, which then use TLS_CERT."""
    tls_cert: Path | None = None
    """The server's certificate (PEM), for gRPC and REST; none: no TLS."""
    tls_key: Path | None = None
    """The certificate's private key (PEM)."""
    tls_client_ca: Path | None = None
    """The root certificates (PEM) for mandatory client certificates of gRPC; none: clients need no certificate."""

    admin_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] = "admin@medconnect.local"
    """The first admin's email address; the account is created at the first start."""
    admin_password: SecretStr | None = None
    """The first admin's password; none: it is generated and printed once."""

    jwt_secret: SecretStr | None = None
    """At least 32 bytes, from which the key that signs access tokens is derived; none: generated in development."""
    jwt_former_secret: SecretStr | None = None
    """The previous JWT_SECRET: its access tokens and page tokens stay valid while it is set."""
    jwt_keys_file: Path | None = None
    """Instead of JWT_SECRET: the key ring that `medconnect keys` creates and rotates."""
    jwt_expires_in: Annotated[int, Field(ge=60, le=3600)] = 900
    """The lifetime of an access token: seconds, or a number with s, m or h, such as `15m`."""
    qr_encryption_key: SecretStr | None = None
    """At least 32 bytes, or a ring `kid:secret,kid:secret` (the first encrypts); none: generated in development."""

    audit_heads: Annotated[str | None, Field(pattern=r"^(file:|syslog:/).+|^syslog:[^/].*:\d{1,5}$")] = None
    """The sink of the audit's signed heads: `file:PATH`, `syslog:/SOCKET` or `syslog:HOST:PORT` (TCP); none: a file in
    MEDCONNECT_HOME/audit."""

    staff_idle_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """The idle timeout of a session of a doctor, pharmacist or admin, in minutes."""
    sign_in_familiar_days: Annotated[int, Field(ge=1, le=365)] = 90
    """How many days after a sign-in another one from its device and network is not told to the owner by email."""
    staff_second_factor: Literal["required", "offered"] | None = None
    """Whether doctors, pharmacists and admins must have a second factor; none: required in production only."""
    staff_second_factor_grace_days: Annotated[int, Field(ge=0, le=365)] = 14
    """How many days an account may do without a required second factor, from its creation."""
    registration_confirm_email: bool | None = None
    """True if registration must be confirmed by an emailed code; none: in production only, which refuses false."""

    smtp_host: str | None = None
    """The outgoing mail server; none: emails are written to a maildir in `MEDCONNECT_HOME/mail`."""
    smtp_port: Port = 587
    smtp_user: str = ""
    smtp_pass: SecretStr = SecretStr("")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    email_from: str = "MedConnect <no-reply@medconnect.local>"
    """The sender of every email."""
    email_detail: Literal["full", "minimal"] | None = None
    """`minimal` leaves diagnosis and medicines out of emails, unless the patient asks for them; none: `minimal` in
    production, else `full`."""
    email_unconfirmed: Literal["code", "invitation"] | None = None
    """`code`: an address that its owner has not confirmed gets number and QR code of prescriptions, without health
    data; `invitation`: it gets the invitation, and other emails once it is confirmed; none: `invitation` in production,
    else `code`."""
    email_max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often an email that cannot be rendered is tried; temporary refusals by the mail server are retried for a
    day."""
    email_daily_cap: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many emails an account gets in 24 hours before it can request no more; event emails are always sent."""
    email_keep_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How many days the queue keeps a finished email, and the feed its changes."""

    frontend_url: str = "http://localhost:3000"
    """The base URL of links in emails."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ("http://localhost:3000",)
    """Browser origins that may call REST, separated by commas."""
    api_docs: bool | None = None
    """True to serve Swagger UI and the OpenAPI document at `/api-docs`; none: in development only."""

    rate_limit_factor: Annotated[float, Field(gt=0, le=1_000_000)] = 1
    """A factor for every rate limit; for load tests."""
    rate_limits: Annotated[dict[str, Tokens], NoDecode] = Field(default_factory=dict)
    """Overrides of single limits: `login=10,scan=60`."""
    rate_limit_networks: Annotated[tuple[str, ...], NoDecode] = ()
    """Networks whose addresses have a multiple of the usual limits: `10.0.0.0/8:50,2001:db8::/32:20`."""
    rate_limit_redis_url: SecretStr | None = None
    """A Redis or Valkey that holds the rate limits of several processes; the sign-in limits are in the database."""

    patient_identification: Literal["required", "offered"] | None = None
    """`required`: a patient who registered is found by number only, and gets no visit, prescription or email about them
    before staff identify them; `offered`: they are shown as not identified; none: required in production only."""
    unconfirmed_account_days: Annotated[int, Field(ge=1, le=365)] = 7
    """How many days an account that registered may wait for the confirmation of its address before it is deleted."""
    patients_read_per_hour: Annotated[int, Field(ge=200, le=100_000)] = 300
    """The most patients whose data staff may be shown in an hour, lists included; at half of it, admins are told."""
    prescription_valid_days: Annotated[int, Field(ge=1, le=366)] = 30
    qr_valid_days: Annotated[int, Field(ge=1, le=366)] = 7
    controlled_medicines: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of medicines whose prescription needs a recently verified second factor, separated by commas."""
    claim_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """The duration of a pharmacist's claim, in minutes."""
    claim_max_open: Annotated[int, Field(ge=1, le=10_000)] = 50
    """How many prescriptions a pharmacist may have claimed at a time."""
    claim_max_renewals: Annotated[int, Field(ge=0, le=10_000)] = 10
    """How often a pharmacist may renew or repeat their claim on one prescription within 24 hours."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    """The ISO 4217 code of every price."""
    hospital_time_zone: TimeZone = "UTC"
    """The IANA time zone in which calendar days are judged."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] | None = None
    """`json` for programs or `text` for people; none: JSON in production, text in development."""

    @field_validator("database_url", "migration_database_url", "sealer_database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        return url(value, "postgresql://", "postgres://")

    @field_validator("rate_limit_redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        return url(value, "redis://", "rediss://", "unix://")

    @field_validator("controlled_medicines", "cors_origins", "rate_limit_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, (v.strip() for v in value.split(",")))) if isinstance(value, str) else value

    @field_validator("rate_limits", mode="before")
    @classmethod
    def _split_limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = (part.partition("=") for part in value.split(",") if part.strip())
        return {name.strip(): number for name, _, number in pairs}

    @field_validator("jwt_expires_in", mode="before")
    @classmethod
    def _seconds(cls, value: object) -> object:
        match = re.fullmatch(r"(\d{1,6})([smh])", value.strip()) if isinstance(value, str) else None
        return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else value

    @field_validator("jwt_secret", "jwt_former_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < LEAST_SECRET_BYTES:
            raise ValueError(f"needs at least {LEAST_SECRET_BYTES} bytes")
        return value

    @property
    def production(self) -> bool:
        """True if this instance serves real people."""
        return self.medconnect_env == "production"

    @property
    def confirms_email(self) -> bool:
        """True if registration requires an emailed code."""
        return self.production if self.registration_confirm_email is None else self.registration_confirm_email

    @property
    def requires_second_factor(self) -> bool:
        """True if doctors, pharmacists and admins must have a second factor."""
        return self.production if self.staff_second_factor is None else self.staff_second_factor == "required"

    @property
    def detail_of_emails(self) -> Literal["full", "minimal"]:
        """How much emails about prescriptions tell."""
        return self.email_detail or ("minimal" if self.production else "full")

    @property
    def writes_to_unconfirmed(self) -> bool:
        """True if an address that its owner has not confirmed gets emails about prescriptions, without health data."""
        return (self.email_unconfirmed or ("invitation" if self.production else "code")) == "code"

    @property
    def requires_identification(self) -> bool:
        """True if patients must be identified by staff before they are treated."""
        return self.production if self.patient_identification is None else self.patient_identification == "required"

    @property
    def serves_api_docs(self) -> bool:
        """True if `/api-docs` is served."""
        return not self.production if self.api_docs is None else self.api_docs

    @property
    def tls(self) -> TlsFiles | None:
        """The TLS files; None without TLS."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_cert, self.tls_key, self.tls_client_ca)

    @property
    def browsers_use_tls(self) -> bool:
        """True if browsers reach this instance over TLS, its own or a proxy's."""
        return self.tls is not None or self.frontend_url.startswith("https://")

    @property
    def owner_database(self) -> str | None:
        """The database URL for migrations; None for the embedded database."""
        if self.migration_database_url is not None:
            return self.migration_database_url.get_secret_value()
        return self.external_database

    @property
    def sealer_database(self) -> str | None:
        """The sealer's database URL; None for the server's."""
        return self.sealer_database_url.get_secret_value() if self.sealer_database_url else self.external_database

    @property
    def external_database(self) -> str | None:
        """The URL of the operator's own PostgreSQL; None for the embedded database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.db_host is None:
            return None
        password = quote(self.db_password.get_secret_value(), safe="")
        sign_in = quote(self.db_user, safe="") + (f":{password}" if password else "")
        return f"postgresql://{sign_in}@{self.db_host}:{self.db_port}/{self.db_name}"


def socket_of(settings: Settings, number: int) -> Path:
    """Returns the socket on which the edge and probes reach the serving process with this number, from 0."""
    return settings.medconnect_home / "run" / f"server-{number}.sock"


def secret_files() -> Mapping[str, Path]:
    """Returns the files from which secrets are read, by the secret's name."""
    given = {**dotenv_values(ENV_FILE), **os.environ}
    return {name: Path(path) for name in SECRETS if (path := given.get(f"{name}_FILE"))}


def files_with_secrets() -> Mapping[str, Path]:
    """Returns every file that holds secrets, by the variable that puts them there; `.env` itself may be one."""
    written = dotenv_values(ENV_FILE)
    in_env_file = {name: Path(ENV_FILE) for name in SECRETS if written.get(name)}
    return in_env_file | {f"{name}_FILE": path for name, path in secret_files().items()}


def read_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - each setting has its own type
    """Reads the environment, with secrets from `NAME_FILE` where given; keyword arguments take precedence.

    Raises ConfigurationWrong, which names every variable that is wrong.
    """
    settings, faults = read_leniently(**overrides)
    if faults:
        raise ConfigurationWrong(faults)
    return settings


def read_leniently(**overrides: Any) -> tuple[Settings, Mapping[str, str]]:  # noqa: ANN401
    """Returns the settings, with the default for each wrong one, and what is wrong with each, by variable."""
    faults: dict[str, str] = {}
    given: dict[str, Any] = {}
    for name, path in secret_files().items():
        try:
            given[name.lower()] = path.read_text().strip()
        except (OSError, ValueError):
            faults[f"{name}_FILE"] = "cannot be read"
    given |= overrides
    try:
        return Settings(**given), faults
    except ValidationError as problem:
        wrong = {str(error["loc"][0]): error["msg"].removeprefix("Value error, ") for error in _errors(problem)}
    defaults = {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in wrong}
    return Settings(**{**given, **defaults}), faults | {name.upper(): fault for name, fault in wrong.items()}


def environment_of_child(**overrides: str) -> Mapping[str, str]:
    """Returns the environment of a child process: this process's with these variables, without the owner's URL."""
    withheld = {f"{name}_FILE" for name in overrides} | {"MIGRATION_DATABASE_URL", "MIGRATION_DATABASE_URL_FILE"}
    return {name: value for name, value in {**os.environ, **overrides}.items() if name not in withheld}


def _errors(problem: ValidationError) -> list[ErrorDetails]:
    return problem.errors(include_input=False, include_url=False)
