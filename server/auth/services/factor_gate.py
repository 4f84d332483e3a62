"""Refuses callers whose second factor is missing, or was not verified recently enough."""

import asyncio
from typing import Final
from uuid import UUID

from server.auth.entities import FactorState
from server.auth.rules.second_factors import FactorPolicy
from server.auth.storage.second_factors import SecondFactorRepository
from server.clock import Clock
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import SecondFactorMissing, StepUpRequired
from server.identity import Caller

REMEMBERED_SECONDS: Final = 60.0
ASK_SECONDS: Final = 1.0
"""The timeout of queries."""


class FactorGate:
    """Enforces the policy on methods for roles, and step-ups on methods that declare one."""

    def __init__(self, work: UnitOfWork, policy: FactorPolicy, clock: Clock) -> None:
        self._work = work
        self._policy = policy
        self._monotonic = clock.monotonic
        self._admitted: set[UUID] = set()
        """Accounts that have their factor, or are in their grace time, found since the last emptying."""
        self._emptied_at = clock.monotonic()

    async def check(self, caller: Caller, *, for_roles: bool, step_up: bool) -> None:
        """Refuses a caller without a required factor, and one whose verification is too old.

        for_roles: the method is for certain roles; others, such as those for adding a factor, stay open. Raises
        SecondFactorMissing and StepUpRequired, and DatabaseUnavailable or ServerBusy.
        """
        if not step_up and not (for_roles and self._unknown(caller)):
            return
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            state = await tx[SecondFactorRepository].state(caller.user_id, caller.session_id)
        missing = self._policy.requires(caller.role) and not state.enrolled and state.without_for > self._policy.grace
        if for_roles and missing:
            raise SecondFactorMissing()
        if step_up:
            _require_fresh(state)
        if not missing:
            self._admitted.add(caller.user_id)

    async def require_step_up(self, tx: Transaction, caller: Caller) -> None:
        """Refuses a caller whose verification is too old, for use cases in which only some requests need a step-up.

        Raises StepUpRequired. Accounts without a second factor pass; `check` refuses those that must have one.
        """
        _require_fresh(await tx[SecondFactorRepository].state(caller.user_id, caller.session_id))

    def _unknown(self, caller: Caller) -> bool:
        """Returns whether the database must be asked about a caller who must have a factor."""
        if not self._policy.requires(caller.role):
            return False
        now = self._monotonic()
        if now - self._emptied_at > REMEMBERED_SECONDS:
            self._admitted.clear()
            self._emptied_at = now
        return caller.user_id not in self._admitted


def _require_fresh(state: FactorState) -> None:
    if state.enrolled and not state.fresh:
        raise StepUpRequired()
