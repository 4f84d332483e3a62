"""The step-up before a controlled medicine is prescribed."""

from collections.abc import Collection, Iterable

from server.auth.services.factor_gate import FactorGate
from server.clinical.rules.prescribing import names_controlled
from server.db.unit_of_work import Transaction
from server.identity import Caller


class ControlledMedicines:
    """Asks for a fresh second factor if a prescription contains a controlled medicine.

    names: the names of controlled medicines (`CONTROLLED_MEDICINES`).
    """

    def __init__(self, gate: FactorGate, names: Collection[str]) -> None:
        self._gate = gate
        self._names = frozenset(names)

    async def check(self, tx: Transaction, caller: Caller, medicines: Iterable[str]) -> None:
        """Raises StepUpRequired for a controlled medicine without a recent verification; others cost no statement."""
        if names_controlled(medicines, self._names):
            await self._gate.require_step_up(tx, caller)
