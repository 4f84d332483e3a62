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
from server.auth.email_confirmation import EmailConfirmation
from server.auth.keys import SigningKey, refresh_key
from server.auth.lifetimes import Lifetimes
from server.auth.password_service import PasswordService
from server.auth.passwords import HASHING_THREADS, Passwords
from server.auth.present_password import PresentPassword
from server.auth.profile_service import ProfileService
from server.auth.servicer import AuthServicer
from server.auth.session_service import SessionService
from server.auth.sign_in_attempts import SignInAttempts
from server.auth.standing import Standing
from server.clinical.history_service import HistoryService
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
from server.events.rate_limit_usage import RateLimitUsage
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
from server.interceptors.open_streams import OpenStreams
from server.interceptors.rate_limit import RateLimit
from server.interceptors.request_log import RequestLog
from server.interceptors.validation import Validation
from server.listening import OPTIONS, listen_on, listening_on_socket
from server.mail.composer import MailComposer
from server.mail.letters import LetterWriter
from server.mail.mailer import MaildirMailer, Mailer, SmtpMailer, SmtpServer
from server.mail.sealed_codes import CodeSeal
from server.mail.worker import MailWorker
from server.metrics import Metrics
from server.pagination import PageTokens
from server.pharmacy.lookup_misses import LookupMisses
from server.pharmacy.service import PharmacyService
from server.pharmacy.servicer import PharmacyServicer
from server.qr.signed_code import QrKeyRing
from server.rate_limits.budgets import SHARED, Budgets
from server.rate_limits.divided_store import DividedStore
from server.rate_limits.fallback_store import FallbackStore
from server.rate_limits.meter import Meter
from server.rate_limits.networks import known_networks
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.redis_store import RedisStore
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
    metrics: Metrics
    meter: Meter


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
        work, metrics = UnitOfWork(engine), Metrics()
        async with _bucket_store(settings, work, clock, metrics) as store:
            meter = Meter(store, clock, metrics)
            yield Core(settings, clock, work, UnitOfWork(pulse), issuer, QrPictures(drawing), metrics, meter)
    finally:
        drawing.shutdown(cancel_futures=True)
        await pulse.dispose()
        await engine.dispose()


@asynccontextmanager
async def _bucket_store(
    settings: Settings, work: UnitOfWork, clock: Clock, metrics: Metrics
) -> AsyncIterator[BucketStore]:
    strict, memory, url = PostgresStore(work), MemoryStore(), settings.rate_limit_redis_url
    if url is None:
        yield DividedStore(strict, memory, SHARED, metrics)
        return
    async with RedisStore.connected(url.get_secret_value()) as redis:
        yield DividedStore(strict, FallbackStore(redis, memory, clock, metrics), SHARED, metrics)


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, and what the chain needs of them."""

    access_tokens: AccessTokens
    standing: Standing
    budgets: Budgets
    sessions: SessionService
    accounts: AccountService
    mailed_codes: CodeService
    passwords: PasswordService
    profiles: ProfileService
    patients: PatientService
    visits: VisitService
    prescriptions: PrescriptionService
    codes: QrCodeService
    histories: HistoryService
    pharmacy: PharmacyService
    events: EventsService
    rate_limits: RateLimitUsage
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
    networks = known_networks(settings.rate_limit_networks)
    budgets = Budgets(settings.rate_limits, settings.rate_limit_factor, networks)
    attempts = SignInAttempts(work, derived_key(jwt_secret, "sign-in counters"))
    mailed_codes = CodeService(derived_key(jwt_secret, "one-time codes"), _seal(settings))
    confirmation = EmailConfirmation(mailed_codes)
    lifetimes = Lifetimes(staff_idle=timedelta(minutes=settings.staff_idle_minutes))
    patients = PatientService(work, clock, page_tokens)
    with ThreadPoolExecutor(HASHING_THREADS, "hashing") as hashing:
        passwords = Passwords(hashing)
        present_password = PresentPassword(work, passwords, attempts)
        sessions = SessionService(
            work,
            passwords,
            access_tokens,
            refresh_key(jwt_secret.encode()),
            standing,
            attempts,
            lifetimes,
            core.meter,
            budgets.later("refresh"),
        )
        yield Services(
            access_tokens=access_tokens,
            standing=standing,
            budgets=budgets,
            sessions=sessions,
            accounts=AccountService(
                work,
                passwords,
                sessions,
                page_tokens,
                patients.open_record,
                standing,
                confirmation,
                confirms_email=settings.confirms_email,
            ),
            mailed_codes=mailed_codes,
            passwords=PasswordService(work, passwords, mailed_codes, attempts, present_password, standing),
            profiles=ProfileService(work, present_password, confirmation, patients.record_phone),
            patients=patients,
            visits=VisitService(work, clock, page_tokens),
            prescriptions=PrescriptionService(
                work, clock, core.issuer, page_tokens, valid=timedelta(days=settings.prescription_valid_days)
            ),
            codes=QrCodeService(work, core.issuer, core.pictures),
            histories=HistoryService(work, clock, mailed_codes, page_tokens),
            pharmacy=PharmacyService(
                work,
                clock,
                core.issuer.keys,
                page_tokens,
                LookupMisses(core.meter, budgets.later("lookup_misses")),
                lease=timedelta(minutes=settings.claim_minutes),
                currency=settings.currency,
            ),
            events=EventsService(work),
            rate_limits=RateLimitUsage(budgets, core.meter, core.metrics, clock),
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
        options = (*OPTIONS, ("grpc.so_reuseport", int(settings.server_processes > 1)))
        server = grpc.aio.server(
            interceptors=[chain(core, services)], options=options, maximum_concurrent_rpcs=CALLS_AT_ONCE
        )
        _add_servicers(server, services)
        state = Health(core.pulse.ping)
        health_pb2_grpc.add_HealthServicer_to_server(state.servicer, server)
        if not settings.production:
            reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        port = listen_on(server, settings.grpc_address)
        if socket is not None:
            stack.enter_context(listening_on_socket(server, socket))
        if settings.metrics_address is not None:
            await stack.enter_async_context(core.metrics.served(settings.metrics_address))
        await stack.enter_async_context(services.standing.followed())
        await server.start()
        stack.push_async_callback(server.stop, DRAIN_SECONDS)
        await stack.enter_async_context(state.watching())
        stack.push_async_callback(state.drain)
        yield Server(port, services)


def chain(core: Core, services: Services) -> Chain:
    """What surrounds every call, outermost first. Raises AccessUndeclared for a method without an access option."""
    methods = read_methods(SERVICES)
    clock = core.clock
    return Chain(
        [
            Failures(),  # whatever is raised further in becomes a status here
            RequestLog(clock, core.metrics),  # sees how every call ends, refused ones too
            ClientAddress(),  # limits and the log need to know whence
            Authentication(services.access_tokens),  # limits need to know who; refuses nobody
            RateLimit(services.budgets, core.meter, clock),
            Audit(core.work),  # sees who is refused, and why
            Access(services.standing),  # refuses before the body is parsed
            OpenStreams(),  # a stream that is let in stays
            Deadline(),  # from here on there is work that takes time
            Validation(frozenset(method.request_type for method in methods.values() if method.request_type)),
            Idempotency(core.work),  # innermost: opens the transaction that the use case joins
        ],
        methods,
        OPEN_METHODS,
    )


def _add_servicers(server: grpc.aio.Server, services: Services) -> None:
    auth_service_pb2_grpc.add_AuthServiceServicer_to_server(
        AuthServicer(
            services.accounts,
            services.sessions,
            services.passwords,
            services.profiles,
            services.access_tokens,
            services.audit,
        ),
        server,
    )
    clinical_service_pb2_grpc.add_ClinicalServiceServicer_to_server(
        ClinicalServicer(
            services.patients,
            services.visits,
            services.prescriptions,
            services.codes,
            services.histories,
            services.audit,
        ),
        server,
    )
    pharmacy_service_pb2_grpc.add_PharmacyServiceServicer_to_server(PharmacyServicer(services.pharmacy), server)
    events_service_pb2_grpc.add_EventsServiceServicer_to_server(
        EventsServicer(services.events, services.rate_limits), server
    )


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
