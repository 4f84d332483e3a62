"""Checks whether this process can do its work: what calls need, asked of the database on a fresh connection.

A kept connection proves nothing about the next one: it survives a revoked role, and it is dead after a restart of the
database that calls do not even notice.
"""

from collections.abc import Callable
from typing import Final

from server.clock import Clock
from server.db.failures import describe
from server.db.schema_version import SchemaVersion
from server.db.unit_of_work import UnitOfWork
from server.liveness.storage.readiness import ReadinessRepository

LONGEST_SKEW_SECONDS: Final = 60.0
"""Tokens and codes are judged by this machine's clock, leases and times of records by the database's."""


class NotReady(Exception):
    """This process cannot do its work; the text states why, for the log."""


def cause_of(error: BaseException) -> str:
    """Returns why a check failed, in one line that may be logged."""
    return str(error) if isinstance(error, NotReady) else describe(error)


class Readiness:
    """Checks the schema, the rights, the disk and the clock.

    work: opens a new connection for each use. fault_of: returns what is wrong with a schema, or None. compared: called
    with the seconds that this machine's clock is ahead of the database's.
    """

    def __init__(
        self,
        work: UnitOfWork,
        clock: Clock,
        fault_of: Callable[[SchemaVersion], str | None],
        compared: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._work = work
        self._clock = clock
        self._fault_of = fault_of
        self._compared = compared

    async def check(self) -> None:
        """Raises NotReady, Unavailable or an error of the driver, if calls would fail."""
        async with self._work.read() as tx:
            repository = tx[ReadinessRepository]
            fault = self._fault_of(await repository.schema_version())
            if fault is not None:
                raise NotReady(fault)
            await repository.check_space()
            before = self._clock.now().timestamp()
            database = await repository.write()
            self._check_clock(database, before, self._clock.now().timestamp())

    def _check_clock(self, database: float, before: float, after: float) -> None:
        ahead, behind = before - database, database - after
        self._compared(max(ahead, 0) or -max(behind, 0))  # 0 if the database's time lies between both
        if (skew := max(ahead, behind)) > LONGEST_SKEW_SECONDS:
            direction = "ahead of" if ahead > behind else "behind"
            raise NotReady(f"this machine's clock is {skew:.0f} s {direction} the database's")
