"""Reads a dispense for the email to the patient."""

from uuid import UUID

from sqlalchemy import text

from server.db.connection import Connection
from server.mailer.entities import Dispense, DispensedMedicine

DISPENSE = text(
    """
    SELECT pharmacist.pharmacy_name, log.occurred_at, item.medicine_name, line.quantity
    FROM pharmacy_log AS log
    CROSS JOIN LATERAL (
        SELECT pharmacy_name FROM user_names
        WHERE user_id = log.pharmacist_id AND since <= log.occurred_at
        ORDER BY since DESC LIMIT 1
    ) AS pharmacist
    JOIN dispensed_lines AS line ON line.log_id = log.id
    JOIN prescription_items AS item ON item.id = line.item_id
    WHERE log.id = :log_id AND log.prescription_id = :prescription_id
    ORDER BY item.position
    """
)


class DispenseRepository:
    """Dispenses by their entry in the pharmacies' log, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, log_id: UUID, prescription_id: UUID) -> Dispense:
        """Returns the dispense of this log entry and prescription. Raises LookupError if there is none."""
        values = {"log_id": log_id, "prescription_id": prescription_id}
        rows = await self._connection.rows(DISPENSE, values)
        if not rows:
            raise LookupError(f"log entry {log_id} has no dispensed lines")
        lines = tuple(DispensedMedicine(row["medicine_name"], row["quantity"]) for row in rows)
        return Dispense(rows[0]["pharmacy_name"], rows[0]["occurred_at"], lines)
