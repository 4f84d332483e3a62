"""The composition root, read from top to bottom: settings → resources → services → chain → server, and the worker.

`resources.py` builds what both share, `services.py` the services; no other module constructs a dependency.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from server import background, loop_lag, metrics_endpoint
from server.api.health import Health
from server.api.interceptors.access import OPEN_METHODS, Access
from server.api.interceptors.audit import Audit
from server.api.interceptors.authentication import Authentication
from server.api.interceptors.base import InterceptorChain
from server.api.interceptors.client_address import ClientAddress
from server.api.interceptors.contract import read_methods
from server.api.interceptors.deadline import Deadline
from server.api.interceptors.direct_calls import DirectCalls
from server.api.interceptors.error_mapping import ErrorMapping
from server.api.interceptors.health_call_limit import HealthCallLimit
from server.api.interceptors.idempotency import Idempotency
from server.api.interceptors.rate_limit import RateLimit
from server.api.interceptors.receive_request import ReceiveRequest
from server.api.interceptors.refresh_cookie import RefreshCookie
from server.api.interceptors.request_log import RequestLog
from server.api.interceptors.stream_lifetime import StreamLifetime
from server.api.interceptors.validation import Validation
from server.api.listening import OPTIONS, AcceptLines, listen, listening_on_socket
from server.api.status import check_published
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.seal_worker import SealWorker
from server.audit.storage.audit_writer import AuditWriter
from server.auth.jobs.read_alerts import ReadAlertJob
from server.auth.tokens import key_file
from server.clinical.jobs.expiry import ExpiryJob
from server.config.secrets import derived_key
from server.config.settings import Settings
from server.config.values import is_on_loopback
from server.db.embedded import base_backup
from server.db.notifications import Channel
from server.db.unit_of_work import UnitOfWork
from server.errors import Unavailable
from server.liveness.readiness import Readiness
from server.liveness.service import BackgroundTask, BackgroundWatch, Reports
from server.mailer.composer import EmailComposer
from server.mailer.delivery import Delivery
from server.mailer.entities import EmailDetail
from server.mailer.fallback import FallbackWorker
from server.mailer.rendering import EmailRenderer
from server.mailer.transport import MaildirMailer, Mailer, SmtpMailer, SmtpServer
from server.mailer.worker import EmailWorker
from server.metrics_endpoint import MetricsAccess
from server.queue_admin.sequencer import Sequencer
from server.runtime.resources import Core, code_seal, core, head_keeper
from server.runtime.retention import Retention
from server.runtime.servicers import add_servicers
from server.runtime.services import Services, use_cases
from server.runtime.storage import schema

__all__ = [
    "Core",
    "Server",
    "Services",
    "background_jobs",
    "chain",
    "core",
    "observed",
    "retention",
    "serving",
    "use_cases",
]

SERVICES: Final = (
    "medconnect.auth.v1.AuthService",
    "medconnect.auth.v1.SecondFactorService",
    "medconnect.auth.v1.OrganisationService",
    "medconnect.clinical.v1.ClinicalService",
    "medconnect.clinical.v1.PatientEmailService",
    "medconnect.clinical.v1.PatientIdentityService",
    "medconnect.clinical.v1.SuspensionService",
    "medconnect.pharmacy.v1.PharmacyService",
    "medconnect.events.v1.EventsService",
)

CALLS_AT_ONCE: Final = 1000
"""The limit on concurrent calls; more are refused with RESOURCE_EXHAUSTED."""
DRAIN_SECONDS: Final = 25.0
"""How long calls in flight may take to end when the server stops."""


@dataclass(frozen=True, slots=True)
class Server:
    """The state of a serving process."""

    port: int
    """The TCP port of gRPC without the edge; 0 if there is none."""
    services: Services
    end_streams: Callable[[], None]
    """Ends open streams and refuses new ones; the first step of stopping."""


@asynccontextmanager
async def serving(
    core: Core, socket: Path | None = None, address: str | None = None, lame_duck: float = 0
) -> AsyncIterator[Server]:
    """Serves gRPC until the block is left.

    socket: for the edge. address: `host:port` for clients that call without the edge. Leaving drains: streams end, the
    health service reports NOT_SERVING, calls are served for `lame_duck` seconds more, in which load balancers notice
    it, then calls in flight get 25 s to end.
    """
    stopping = asyncio.Event()
    check_published()
    settings = core.settings
    async with AsyncExitStack() as stack:
        services = stack.enter_context(use_cases(core))
        options = (*OPTIONS, ("grpc.so_reuseport", int(settings.server_processes > 1)))
        server = grpc.aio.server(
            interceptors=[chain(core, services, stopping)], options=options, maximum_concurrent_rpcs=CALLS_AT_ONCE
        )
        lines: Any = AcceptLines(server)  # the generated functions take anything that handlers can be added to
        add_servicers(lines, services)
        readiness = Readiness(core.health_work, core.clock, schema.fault_of, core.metrics.clock_compared)
        state = Health(readiness.check, SERVICES, core.metrics.readiness_checked)
        health_pb2_grpc.add_HealthServicer_to_server(state.servicer, lines)
        if not settings.production:
            reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        port = 0 if address is None else listen(server, address, settings.tls)
        if socket is not None:
            stack.enter_context(listening_on_socket(server, socket))
        await stack.enter_async_context(metrics_served(core, settings.metrics_address))
        if settings.jwt_keys_file is not None:
            use, changed = services.access_tokens.use, partial(_record_new_keys, core.work)
            await stack.enter_async_context(key_file.followed(settings.jwt_keys_file, use, changed))
        await stack.enter_async_context(services.revocations.kept_fresh())
        stack.enter_context(core.notifications.subscribe(Channel.FEED, services.events.wake))
        await stack.enter_async_context(
            FallbackWorker(core.work, partial(background_jobs, core, is_fallback=True)).running()
        )
        stack.push_async_callback(services.events.end)
        await server.start()
        stack.push_async_callback(server.stop, DRAIN_SECONDS)
        stack.push_async_callback(asyncio.sleep, lame_duck)
        await stack.enter_async_context(state.watching())
        watch = BackgroundWatch(core.health_work, core.clock, core.metrics, state.report)
        await stack.enter_async_context(watch.running())
        stack.push_async_callback(state.drain)
        stack.callback(stopping.set)
        yield Server(port, services, stopping.set)


@asynccontextmanager
async def metrics_served(core: Core, address: str | None) -> AsyncIterator[None]:
    """Measures the event loop and serves this process's metrics until the block is left. Raises OSError.

    address: the `host:port`; None: the metrics are not served.
    """
    folder = core.settings.backup_folder
    if folder is not None and core.settings.external_database is None:
        core.metrics.base_backup_age.ask = partial(base_backup.age_of_newest, folder, core.clock.now)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(loop_lag.measured(core.metrics.loop_lagged))
        if address is not None:
            access = _metrics_access(core.settings, address)
            await stack.enter_async_context(metrics_endpoint.served(core.metrics.registry, address, access))
        yield


def _metrics_access(settings: Settings, address: str) -> MetricsAccess:
    """Returns who may read the metrics; on loopback without METRICS_CLIENT_CA they are served without TLS."""
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    is_plain = settings.metrics_client_ca is None and is_on_loopback(address)
    if settings.tls is None or is_plain:
        return MetricsAccess(token)
    return MetricsAccess(token, replace(settings.tls, client_ca=settings.metrics_client_ca))


@asynccontextmanager
async def observed(core: Core, address: str | None) -> AsyncIterator[None]:
    """Serves the metrics of a process without calls, and those of the background work, until the block is left."""
    watch = BackgroundWatch(core.health_work, core.clock, core.metrics, _report_to_no_probe)
    async with metrics_served(core, address), watch.running():
        yield


async def _report_to_no_probe(_part: str, _works: bool) -> None:
    """Does nothing: this process has no health service."""


async def _record_new_keys(work: UnitOfWork) -> None:
    """Records in the audit that this process has loaded a changed key ring; if that fails, only the log shows it."""
    with suppress(Unavailable):
        async with work.begin() as tx:
            await tx[AuditWriter].record(AuditEvent.KEYS_CHANGED, Subject("key_ring"))


def chain(core: Core, services: Services, stopping: asyncio.Event) -> InterceptorChain:
    """Returns the interceptors of every call, outermost first. Raises AccessUndeclared for an undeclared method.

    stopping: set when streams must end.
    """
    methods = read_methods(SERVICES)
    clock = core.clock
    authentication, access = Authentication(services.access_tokens), Access(services.revocations, services.gate)
    failures, client_address = ErrorMapping(), ClientAddress()
    direct_calls, reception = DirectCalls(), ReceiveRequest()
    return InterceptorChain(
        [
            failures,  # every error raised further in becomes a status here
            RequestLog(clock, core.metrics),  # sees how every call ends, refused ones too
            client_address,  # limits and the log need the client address
            direct_calls,  # rejects clients that already use their share of the call slots
            authentication,  # limits need to know the caller; refuses no call
            RateLimit(services.budgets, core.limiter, clock, services.revocations),
            reception,  # after the limits, so that refused callers hold no call slot while they upload
            Audit(core.work, core.settings.patients_read_per_hour),  # records refusals with their reason
            access,  # refuses before the body is parsed
            StreamLifetime(authentication, access, clock, stopping),  # repeats both checks while a stream is open
            Deadline(),  # the steps from here on take time
            RefreshCookie(secure=core.settings.browsers_use_tls),  # before the body is parsed
            Validation(frozenset(method.request_type for method in methods.values() if method.request_type)),
            # Innermost: opens the transaction that the use case joins.
            Idempotency(core.work, derived_key(core.ring.root, "idempotency requests")),
        ],
        methods,
        OPEN_METHODS,
        [failures, client_address, direct_calls, HealthCallLimit(), reception],
    )


def _composer(core: Core) -> EmailComposer:
    settings = core.settings
    return EmailComposer(
        core.work,
        EmailRenderer(zone=core.clock.zone, frontend_url=settings.frontend_url),
        core.issuer,
        core.pictures,
        core.drawing,
        settings.email_from,
        code_seal(core.ring),
        detail=EmailDetail(settings.detail_of_emails),
        writes_unconfirmed=settings.writes_to_unconfirmed,
    )


@asynccontextmanager
async def background_jobs(core: Core, *, is_fallback: bool = False) -> AsyncIterator[None]:
    """Runs the background jobs: sends emails, assigns positions, expires claims, tells admins, seals records, purges.

    is_fallback: a serving process runs the jobs because no worker does.
    """
    settings, notifications = core.settings, core.notifications
    composer = _composer(core)
    delivery = Delivery(composer.compose, _mailer(settings), max_attempts=settings.email_max_attempts)
    reports = Reports(core.work, core.clock)
    sequencer = Sequencer(core.work, partial(notifications.notify, Channel.FEED), reports.of(BackgroundTask.EVENTS))
    worker = EmailWorker(core.work, delivery, sequencer.wake, is_fallback=is_fallback)
    async with AsyncExitStack() as stack:
        stack.enter_context(notifications.subscribe(Channel.MAIL, worker.wake))
        stack.enter_context(notifications.subscribe(Channel.MAIL, sequencer.wake))
        await stack.enter_async_context(worker.running())
        await stack.enter_async_context(sequencer.running())
        await stack.enter_async_context(ExpiryJob(core.work, reports.of(BackgroundTask.EXPIRY)).running())
        await stack.enter_async_context(ReadAlertJob(core.work, reports.of(BackgroundTask.READ_ALERTS)).running())
        await stack.enter_async_context(_seal_worker(core, reports).running())
        await stack.enter_async_context(retention(core, reports.of(BackgroundTask.RETENTION)).running())
        yield


def _seal_worker(core: Core, reports: Reports) -> SealWorker:
    return SealWorker(
        core.seal_work,
        head_keeper(core),
        sealed=reports.of(BackgroundTask.SEALING),
        kept=reports.of(BackgroundTask.HEADS),
        failed=core.metrics.head_not_kept,
    )


def retention(core: Core, done: Callable[[], Awaitable[None]] = background.unwatched) -> Retention:
    """Returns the purge of expired data; `done` is called after each round."""
    mails, accounts = core.settings.email_keep_days, core.settings.unconfirmed_account_days
    return Retention(core.work, timedelta(days=mails), timedelta(days=accounts), done)


def _mailer(settings: Settings) -> Mailer:
    if settings.smtp_host is None:
        return MaildirMailer(settings.medconnect_home / "mail")
    password = settings.smtp_pass.get_secret_value()
    return SmtpMailer(
        SmtpServer(settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user, password)
    )
