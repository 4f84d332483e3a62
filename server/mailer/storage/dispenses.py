"""Reads dispenses for the emails to the patients."""

from collections.abc import Collection, Mapping
from itertools import groupby
from uuid import UUID

from sqlalchemy import text

from server.clinical.quantities import QuantityUnit
from server.db.connection import Connection
from server.mailer.entities import Dispense, DispensedMedicine, Workplace

DISPENSES = text(
    """
    SELECT log.id, log.prescription_id, pharmacist.pharmacy_name, coalesce(pharmacy.phone, '') AS phone,
        log.occurred_at, item.medicine_name,
        sum(line.quantity + line.quantity_fraction) AS quantity, item.quantity_unit,
        line.dispensed_medicine_name, line.substitution_reason
    FROM pharmacy_log AS log
    CROSS JOIN LATERAL (
        SELECT pharmacy_name FROM user_names
        WHERE user_id = log.pharmacist_id AND since <= log.occurred_at
        ORDER BY since DESC LIMIT 1
    ) AS pharmacist
    LEFT JOIN organisations AS pharmacy ON pharmacy.id = log.organisation_id
    JOIN dispensed_lines AS line ON line.log_id = log.id
    JOIN prescription_items AS item ON item.id = line.item_id
    WHERE log.id = ANY(CAST(:log_ids AS uuid[]))
    GROUP BY log.id, pharmacist.pharmacy_name, pharmacy.phone, item.id, line.dispensed_medicine_name,
        line.substitution_reason
    ORDER BY log.id, item.position, min(line.dispensed_before + line.before_fraction)
    """
)


class DispenseRepository:
    """Dispenses by their entry in the pharmacies' log, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def by_log_ids(self, log_ids: Collection[UUID]) -> Mapping[tuple[UUID, UUID], Dispense]:
        """Returns those of these dispenses that exist, by prescription and entry in the log."""
        rows = await self._connection.rows(DISPENSES, {"log_ids": list(log_ids)})
        found = {}
        for key, group in groupby(rows, key=lambda row: (row["prescription_id"], row["id"])):
            lines = tuple(group)
            pharmacy = Workplace(lines[0]["pharmacy_name"], lines[0]["phone"])
            medicines = tuple(
                DispensedMedicine(
                    line["medicine_name"],
                    line["quantity"],
                    QuantityUnit(line["quantity_unit"]),
                    line["dispensed_medicine_name"],
                    line["substitution_reason"],
                )
                for line in lines
            )
            found[key] = Dispense(pharmacy, lines[0]["occurred_at"], medicines)
        return found
