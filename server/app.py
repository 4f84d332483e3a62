"""The composition root, read from top to bottom: settings → engine → clock → services → chain → server.

Nothing else constructs a dependency.
"""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from medconnect.auth.v1 import auth_service_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2_grpc
from medconnect.events.v1 import events_service_pb2_grpc
from medconnect.pharmacy.v1 import pharmacy_service_pb2_grpc

from server import schema
from server.audit.chain import HeadKey
from server.audit.sealing import Sealing
from server.audit.service import AuditService
from server.auth.access_tokens import AccessTokens
from server.auth.account_service import AccountService
from server.auth.code_service import CodeService
from server.auth.keys import SigningKey, refresh_key
from server.auth.password_service import PasswordService
from server.auth.passwords import HASHING_THREADS, Passwords
from server.auth.servicer import AuthServicer
from server.auth.session_service import SessionService
from server.auth.sign_in_attempts import SignInAttempts
from server.auth.standing import Standing
from server.clinical.lapses import Lapses
from server.clinical.patient_service import PatientService
from server.clinical.prescription_service import PrescriptionService
from server.clinical.qr_code_service import QrCodeService
from server.clinical.qr_issuer import QrIssuer
from server.clinical.qr_pictures import QrPictures
from server.clinical.servicer import ClinicalServicer
from server.clinical.visit_service import VisitService
from server.clock import Clock
from server.db.engine import create_engine
from server.events.service import EventsService
from server.events.servicer import EventsServicer
from server.health import Health
from server.interceptors.access import OPEN_METHODS, Access
from server.interceptors.audit import Audit
from server.interceptors.authentication import Authentication
from server.interceptors.base import Chain
from server.interceptors.client_address import ClientAddress
from server.interceptors.contract import read_methods
from server.interceptors.deadline import Deadline
from server.interceptors.failures import Failures
from server.interceptors.idempotency import Idempotency
from server.interceptors.rate_limit import RateLimit
from server.interceptors.request_log import RequestLog
from server.interceptors.validation import Validation
from server.listening import listen_on, listening_on_socket
from server.mail.composer import MailComposer
from server.mail.letters import LetterWriter
from server.mail.mailer import MaildirMailer, Mailer, SmtpMailer, SmtpServer
from server.mail.sealed_codes import CodeSeal
from server.mail.worker import MailWorker
from server.pagination import PageTokens
from server.pharmacy.lookup_misses import LOOKUP_MISSES, LookupMisses
from server.pharmacy.service import PharmacyService
from server.pharmacy.servicer import PharmacyServicer
from server.qr.signed_code import QrKeyRing
from server.rate_limits.budgets import Budgets
from server.rate_limits.store import BucketStore, MemoryStore
from server.secret_files import derived_key, kept_secret
from server.settings import Settings
from server.status import check_published
from server.unit_of_work import UnitOfWork

SERVICES: Final = (
    "medconnect.auth.v1.AuthService",
    "medconnect.clinical.v1.ClinicalService",
    "medconnect.pharmacy.v1.PharmacyService",
    "medconnect.events.v1.EventsService",
)

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.so_reuseport", 0),
)
"""What a connection may cost."""

CALLS_AT_ONCE: Final = 1000
"""More are refused with RESOURCE_EXHAUSTED."""
DRAIN_SECONDS: Final = 25.0
"""How long calls in flight may take to end when the server stops."""
PICTURE_THREADS: Final = 1


class SchemaOutdated(Exception):
    """The database does not stand at the newest migration: run `medconnect migrate`."""


@dataclass(frozen=True, slots=True)
class Core:
    """What the server and the worker are both made of."""

    settings: Settings
    clock: Clock
    work: UnitOfWork
    pulse: UnitOfWork
    """A connection of its own for the health check: a busy pool is no dead database."""
    issuer: QrIssuer
    pictures: QrPictures


@asynccontextmanager
async def core(settings: Settings, database_url: str) -> AsyncIterator[Core]:
    """Connect to the database. Raises SchemaOutdated, and what the driver raises when there is none."""
    if not await schema.is_current(database_url):
        raise SchemaOutdated("the database is not up to date: run `medconnect migrate`")
    engine = create_engine(database_url, pool_size=settings.db_pool_size)
    pulse = create_engine(database_url, pool_size=1, application="medconnect-health")
    drawing = ThreadPoolExecutor(PICTURE_THREADS, "pictures")
    try:
        clock = Clock(zone=ZoneInfo(settings.hospital_time_zone))
        keys = QrKeyRing.parse(_secret(settings, "qr_encryption_key"))
        issuer = QrIssuer(keys, timedelta(days=settings.qr_valid_days))
        yield Core(settings, clock, UnitOfWork(engine), UnitOfWork(pulse), issuer, QrPictures(drawing))
    finally:
        drawing.shutdown(cancel_futures=True)
        await pulse.dispose()
        await engine.dispose()


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, and what the chain needs of them."""

    access_tokens: AccessTokens
    standing: Standing
    store: BucketStore
    sessions: SessionService
    accounts: AccountService
    mailed_codes: CodeService
    passwords: PasswordService
    patients: PatientService
    visits: VisitService
    prescriptions: PrescriptionService
    codes: QrCodeService
    pharmacy: PharmacyService
    events: EventsService
    audit: AuditService


@contextmanager
def use_cases(core: Core) -> Iterator[Services]:
    """Build the services; their threads end with the block."""
    settings, clock, work = core.settings, core.clock, core.work
    jwt_secret = _secret(settings, "jwt_secret")
    token_life = timedelta(seconds=settings.jwt_expires_in)
    page_tokens = PageTokens(derived_key(jwt_secret, "page tokens"))
    access_tokens = AccessTokens(SigningKey.derive(jwt_secret.encode()), clock, token_life)
    standing = Standing(work, clock, token_life)
    store = MemoryStore()
    attempts = SignInAttempts(work, derived_key(jwt_secret, "sign-in counters"))
    mailed_codes = CodeService(derived_key(jwt_secret, "one-time codes"), _seal(settings))
    patients = PatientService(work, clock, page_tokens)
    with ThreadPoolExecutor(HASHING_THREADS, "hashing") as hashing:
        passwords = Passwords(hashing)
        sessions = SessionService(work, passwords, access_tokens, refresh_key(jwt_secret.encode()), standing, attempts)
        yield Services(
            access_tokens=access_tokens,
            standing=standing,
            store=store,
            sessions=sessions,
            accounts=AccountService(work, passwords, sessions, page_tokens, patients.open_record, standing),
            mailed_codes=mailed_codes,
            passwords=PasswordService(work, passwords, mailed_codes, attempts, standing),
            patients=patients,
            visits=VisitService(work, clock, page_tokens),
            prescriptions=PrescriptionService(
                work, clock, core.issuer, page_tokens, valid=timedelta(days=settings.prescription_valid_days)
            ),
            codes=QrCodeService(work, core.issuer, core.pictures),
            pharmacy=PharmacyService(
                work,
                clock,
                core.issuer.keys,
                page_tokens,
                LookupMisses(store, clock, LOOKUP_MISSES.scaled(settings.rate_limit_factor)),
                lease=timedelta(minutes=settings.claim_minutes),
                currency=settings.currency,
            ),
            events=EventsService(work),
            audit=AuditService(work, clock, page_tokens),
        )


@dataclass(frozen=True, slots=True)
class Server:
    """A serving process."""

    port: int
    """Where gRPC listens on TCP."""
    services: Services


@asynccontextmanager
async def serving(core: Core, socket: Path | None = None) -> AsyncIterator[Server]:
    """Serve gRPC on the settings' address, and on a Unix socket for the edge, until the block is left.

    Leaving drains: health says NOT_SERVING, then calls in flight get 25 s to end.
    """
    check_published()
    settings = core.settings
    async with AsyncExitStack() as stack:
        services = stack.enter_context(use_cases(core))
        server = grpc.aio.server(
            interceptors=[chain(core, services)], options=OPTIONS, maximum_concurrent_rpcs=CALLS_AT_ONCE
        )
        _add_servicers(server, services)
        state = Health(core.pulse.ping)
        health_pb2_grpc.add_HealthServicer_to_server(state.servicer, server)
        if not settings.production:
            reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        port = listen_on(server, settings.grpc_address)
        if socket is not None:
            stack.enter_context(listening_on_socket(server, socket))
        await stack.enter_async_context(services.standing.followed())
        await server.start()
        stack.push_async_callback(server.stop, DRAIN_SECONDS)
        await stack.enter_async_context(state.watching())
        stack.push_async_callback(state.drain)
        yield Server(port, services)


def chain(core: Core, services: Services) -> Chain:
    """What surrounds every call, outermost first. Raises AccessUndeclared for a method without an access option."""
    methods = read_methods(SERVICES)
    clock, settings = core.clock, core.settings
    return Chain(
        [
            Failures(),  # whatever is raised further in becomes a status here
            RequestLog(clock),  # sees how every call ends, refused ones too
            ClientAddress(),  # limits and the log need to know whence
            Authentication(services.access_tokens),  # limits need to know who; refuses nobody
            RateLimit(Budgets(settings.rate_limits, settings.rate_limit_factor), services.store, clock),
            Audit(core.work),  # sees who is refused, and why
            Access(services.standing),  # refuses before the body is parsed
            Deadline(),  # from here on there is work that takes time
            Validation(frozenset(method.request_type for method in methods.values() if method.request_type)),
            Idempotency(core.work),  # innermost: opens the transaction that the use case joins
        ],
        methods,
        OPEN_METHODS,
    )


def _add_servicers(server: grpc.aio.Server, services: Services) -> None:
    auth_service_pb2_grpc.add_AuthServiceServicer_to_server(
        AuthServicer(services.accounts, services.sessions, services.passwords, services.access_tokens, services.audit),
        server,
    )
    clinical_service_pb2_grpc.add_ClinicalServiceServicer_to_server(
        ClinicalServicer(services.patients, services.visits, services.prescriptions, services.codes, services.audit),
        server,
    )
    pharmacy_service_pb2_grpc.add_PharmacyServiceServicer_to_server(PharmacyServicer(services.pharmacy), server)
    events_service_pb2_grpc.add_EventsServiceServicer_to_server(EventsServicer(services.events), server)


@asynccontextmanager
async def sending(core: Core) -> AsyncIterator[MailWorker]:
    """What happens without a caller, until the block is left: mails are sent, lapses written down, records sealed."""
    settings = core.settings
    letters = LetterWriter(
        full=settings.email_detail == "full", zone=core.clock.zone, frontend_url=settings.frontend_url
    )
    composer = MailComposer(core.work, letters, core.issuer, core.pictures, settings.email_from, _seal(settings))
    worker = MailWorker(core.work, composer.compose, _mailer(settings), max_attempts=settings.email_max_attempts)
    sealing = Sealing(core.work, head_key(settings))
    async with worker.running(), Lapses(core.work).written_down(), sealing.running():
        yield worker


def head_key(settings: Settings) -> HeadKey:
    """Signs the audit's heads, and knows them again."""
    return HeadKey(derived_key(_secret(settings, "jwt_secret"), "audit heads"))


def _mailer(settings: Settings) -> Mailer:
    if settings.smtp_host is None:
        return MaildirMailer(settings.medconnect_home / "mail")
    password = settings.smtp_pass.get_secret_value()
    return SmtpMailer(
        SmtpServer(settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user, password)
    )


def _seal(settings: Settings) -> CodeSeal:
    """The server closes it, the worker opens it."""
    return CodeSeal(derived_key(_secret(settings, "jwt_secret"), "codes in the outbox"))


def _secret(settings: Settings, name: str) -> str:
    """A configured secret, or in development one that the instance keeps for itself."""
    configured = getattr(settings, name)
    if configured is not None:
        return str(configured.get_secret_value())
    return kept_secret(settings.medconnect_home / "secrets", name)
