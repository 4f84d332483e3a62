"""One transaction per use case, committed by leaving the block."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.repository import AuditRepository
from server.audit.trail_repository import AuditTrail
from server.auth.account_repository import AccountRepository
from server.auth.one_time_code_repository import OneTimeCodeRepository
from server.auth.session_repository import SessionRepository
from server.auth.sign_in_repository import SignInRepository
from server.clinical.history_repository import HistoryRepository
from server.clinical.patient_repository import PatientRepository
from server.clinical.prescription_list_repository import PrescriptionListRepository
from server.clinical.prescription_repository import PrescriptionRepository
from server.clinical.qr_code_repository import QrCodeRepository
from server.clinical.visit_repository import VisitRepository
from server.db.failures import unavailable
from server.events.repository import EventRepository
from server.idempotency.repository import IdempotencyRepository
from server.mail.outbox import Outbox
from server.pharmacy.repository import PharmacyRepository
from server.rate_limits.repository import BucketRepository


class Transaction:
    """An open connection, and the repositories that speak through it."""

    __slots__ = (
        "accounts",
        "audit",
        "buckets",
        "codes",
        "connection",
        "events",
        "histories",
        "idempotency",
        "outbox",
        "patients",
        "pharmacy",
        "prescription_lists",
        "prescriptions",
        "qr_codes",
        "records",
        "sessions",
        "sign_ins",
        "visits",
    )

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.audit = AuditTrail(connection)
        self.records = AuditRepository(connection)
        self.accounts = AccountRepository(connection)
        self.sessions = SessionRepository(connection)
        self.codes = OneTimeCodeRepository(connection)
        self.sign_ins = SignInRepository(connection)
        self.patients = PatientRepository(connection)
        self.visits = VisitRepository(connection)
        self.prescriptions = PrescriptionRepository(connection)
        self.prescription_lists = PrescriptionListRepository(connection)
        self.qr_codes = QrCodeRepository(connection)
        self.pharmacy = PharmacyRepository(connection)
        self.histories = HistoryRepository(connection)
        self.outbox = Outbox(connection)
        self.events = EventRepository(connection)
        self.buckets = BucketRepository(connection)
        self.idempotency = IdempotencyRepository(connection)


_joined: ContextVar[Transaction | None] = ContextVar("joined_transaction", default=None)


class UnitOfWork:
    """Opens transactions on a pool.

    Every block raises `ServerBusy` or `DatabaseUnavailable` when the database fails it.

    happened: called behind each commit that leaves events or mails. joins: False for what must be written whatever
    becomes of the transaction that stands open in `shared`; it needs a pool of its own, because that one is held.
    """

    def __init__(self, engine: AsyncEngine, happened: Callable[[], None] = lambda: None, *, joins: bool = True) -> None:
        self._engine = engine
        self._joins = joins
        self._happened = happened
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A transaction, committed when the block is left and rolled back when it raises.

        Inside `shared` it is the one that stands open there.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        with _declared():
            async with self._engine.begin() as connection:
                transaction = Transaction(connection)
                yield transaction
        if transaction.events.recorded or transaction.outbox.added:
            self._happened()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Single statements, each on its own: no BEGIN, no COMMIT, for use cases that only read.

        Inside `shared` they are part of what stands open there: a call never waits for a second connection.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        with _declared():
            async with self._autocommit.connect() as connection:
                yield Transaction(connection)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[Transaction]:
        """A transaction that every block inside joins, so that what surrounds a use case commits with it."""
        async with self.begin() as transaction:
            token = _joined.set(transaction)
            try:
                yield transaction
            finally:
                _joined.reset(token)

    async def ping(self) -> None:
        """Ask the database for a sign of life."""
        async with self.read() as transaction:
            await transaction.connection.execute(text("SELECT 1"))


@contextmanager
def _declared() -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, DBAPIError, PoolTimeout) as error:
        declared = unavailable(error)
        if declared is None:
            raise
        raise declared from error
